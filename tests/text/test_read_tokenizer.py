"""Tokenizers are those of their folders: with a vocabulary, the same tokens, and none at random."""

import json

import pytest
import torch
from small_model import write_model
from tokenizers import Tokenizer
from tokenizers_made import SENTENCES, like_gpt2, like_llama2, like_t5
from transformers import AutoTokenizer

from paretosteer.errors import UsageError
from paretosteer.text.model import load_model
from paretosteer.text.read_tokenizer import read_tokenizer

CONFIG, FILE = "tokenizer_config.json", "tokenizer.json"


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("make", [like_t5, like_llama2, like_gpt2])
def test_a_tokenizer_is_read_as_it_was_saved(tmp_path, make):
    tokenizer = make()
    tokenizer.save_pretrained(tmp_path)
    found = read_tokenizer(str(tmp_path), "model.path")
    assert found(SENTENCES).input_ids == tokenizer(SENTENCES).input_ids


@pytest.mark.parametrize("name", ["Qwen2Tokenizer", "GemmaTokenizer", "GPT2Tokenizer"])
def test_a_class_that_gives_other_tokens_is_not_used(tmp_path, name):
    like_llama2().save_pretrained(tmp_path)
    edit(tmp_path / CONFIG, tokenizer_class=name)
    text = SENTENCES[0]
    assert AutoTokenizer.from_pretrained(tmp_path)(text).input_ids != like_llama2()(text).input_ids
    assert read_tokenizer(str(tmp_path), "model.path")(text).input_ids == (
        like_llama2()(text).input_ids
    )


@pytest.mark.parametrize("name", ["LlamaTokenizer", "CodeLlamaTokenizer"])
@pytest.mark.parametrize("text", [" a girl", "a</s>time", "<s>time"])
def test_a_class_that_differs_at_spaces_and_special_tokens_is_not_used(tmp_path, name, text):
    like_llama2().save_pretrained(tmp_path)
    prepend = [{"type": "Prepend", "prepend": "▁"}]
    replace = [{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]
    steps = {"type": "Sequence", "normalizers": prepend + replace}
    edit(tmp_path / FILE, normalizer=steps, pre_tokenizer=None)  # as Llama 2's own
    edit(tmp_path / CONFIG, tokenizer_class=name)
    expected = Tokenizer.from_file(str(tmp_path / FILE)).encode(text, add_special_tokens=False).ids

    def ids(tokenizer):
        return tokenizer(text, add_special_tokens=False).input_ids

    assert ids(AutoTokenizer.from_pretrained(tmp_path)) != expected
    assert ids(read_tokenizer(str(tmp_path), "model.path")) == expected


def test_a_class_that_decodes_otherwise_is_not_used(tmp_path):
    like_llama2().save_pretrained(tmp_path)
    joined = [{"type": "Replace", "pattern": {"String": "▁"}, "content": "_"}, {"type": "Fuse"}]
    edit(tmp_path / FILE, decoder={"type": "Sequence", "decoders": joined})
    edit(tmp_path / CONFIG, tokenizer_class="LlamaTokenizer")
    tokenizer = read_tokenizer(str(tmp_path), "model.path")
    tokens = tokenizer(SENTENCES[0], add_special_tokens=False).input_ids
    assert "_" in tokenizer.decode(tokens)


def test_the_side_of_padding_is_saved(tmp_path):
    write_model(tmp_path)
    model = load_model(str(tmp_path), torch.device("cpu"), torch.float32)
    model.tokenizer.save_pretrained(tmp_path / "saved")
    assert AutoTokenizer.from_pretrained(tmp_path / "saved").padding_side == "left"


@pytest.mark.parametrize(
    "changes",
    [
        {"additional_special_tokens": ["time"]},
        {"added_tokens_decoder": {"1000": {"content": "girl", "special": False}}},
    ],
)
def test_tokens_that_only_the_configuration_adds(tmp_path, changes):
    like_llama2().save_pretrained(tmp_path)
    edit(tmp_path / CONFIG, **changes, tokenizer_class="PreTrainedTokenizerFast")
    with pytest.raises(
        UsageError, match=r"other tokens than its tokenizer\.json; remove the tokens"
    ):
        read_tokenizer(str(tmp_path), "model.path")
    AutoTokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path)
    assert read_tokenizer(str(tmp_path), "model.path")


def test_a_tokenizer_without_vocabulary_is_refused(tmp_path):
    like_llama2().save_pretrained(tmp_path)
    (tmp_path / FILE).unlink()
    edit(tmp_path / CONFIG, tokenizer_class="LlamaTokenizer")
    with pytest.raises(UsageError, match="special tokens only"):
        read_tokenizer(str(tmp_path), "model.path")


def test_a_tokenizer_that_draws_its_merges_is_refused(tmp_path):
    like_gpt2().save_pretrained(tmp_path)
    model = json.loads((tmp_path / FILE).read_text())["model"]
    edit(tmp_path / FILE, model=model | {"dropout": 0.5})
    with pytest.raises(UsageError, match=r"at random \(dropout 0.5\)"):
        read_tokenizer(str(tmp_path), "model.path")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("{", "not a JSON object"),
        ("[]", "cannot be loaded"),  # transformers refuses it first
        ('{"eos_token_id": [2, "x"]}', "eos_token_id of .* is .2, 'x'."),
        ('{"eos_token_id": [[2]]}', "eos_token_id of .* is"),
        ('{"eos_token_id": true}', "eos_token_id of .* is True"),
    ],
)
def test_ends_of_responses_that_cannot_be_read_are_refused(tmp_path, content, expected):
    write_model(tmp_path)
    (tmp_path / "generation_config.json").write_text(content)
    with pytest.raises(UsageError, match=expected):
        load_model(str(tmp_path), torch.device("cpu"), torch.float32)


def test_ends_are_tokens_that_the_model_has(tmp_path):
    write_model(tmp_path)
    edit(tmp_path / "generation_config.json", eos_token_id=[-1, 3, 10**6])
    model = load_model(str(tmp_path), torch.device("cpu"), torch.float32)
    assert set(model.ends) == {model.tokenizer.eos_token_id, 3}


def test_a_template_that_only_a_processor_reads_is_used(tmp_path):
    like_llama2().save_pretrained(tmp_path)
    file = tmp_path / "chat_template.json"
    template = "{% for m in messages %}[{{ m.content }}]{% endfor %}"
    file.write_text(json.dumps({"chat_template": template}))
    assert read_tokenizer(str(tmp_path), "model.path").chat_template == template
    edit(tmp_path / CONFIG, chat_template="own")  # the tokenizer's own comes first
    assert read_tokenizer(str(tmp_path), "model.path").chat_template == "own"


@pytest.mark.parametrize("content", ["{}", "[1]", "no JSON"])
def test_a_damaged_template_of_a_processor_is_refused(tmp_path, content):
    like_llama2().save_pretrained(tmp_path)
    (tmp_path / "chat_template.json").write_text(content)
    with pytest.raises(UsageError, match=r"chat_template\.json' has no chat_template"):
        read_tokenizer(str(tmp_path), "model.path")
