"""Tokenizers that end every text, and tokens that a model has no embedding for."""

import pytest
import torch
from tiny_models import tiny_network
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from tokenizers_made import like_llama2, like_t5
from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast

from paretosteer.errors import UsageError
from paretosteer.text.model import load_model
from paretosteer.text.special_tokens import leave_open

CPU = torch.device("cpu")
TEXT = "the cat saw the dog"


def like_bert() -> PreTrainedTokenizerFast:
    """Words between [CLS] and [SEP]."""
    words = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "a", *dict.fromkeys(TEXT.split())]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 1), ("[CLS]", 0))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        eos_token="[SEP]",
        unk_token="[UNK]",
    )


def like_llama2_ended() -> PreTrainedTokenizerFast:
    """Both special tokens, in a sequence of processors."""
    tokenizer = like_llama2()
    template = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    parts = [processors.ByteLevel(trim_offsets=True), template]
    tokenizer.backend_tokenizer.post_processor = processors.Sequence(parts)
    return tokenizer


@pytest.mark.parametrize("make", [like_t5, like_bert, like_llama2_ended])
def test_a_tokenizer_that_ends_every_text_is_left_open(make, tmp_path):
    tokenizer = make()
    ended = tokenizer(TEXT)["input_ids"]
    bare = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    assert ended[-1] == tokenizer.eos_token_id
    leave_open(tokenizer, "some/folder")
    assert tokenizer(TEXT)["input_ids"] == ended[:-1]
    assert tokenizer(TEXT, add_special_tokens=False)["input_ids"] == bare
    written = f"{TEXT} {tokenizer.eos_token}"  # by a chat template, say
    assert tokenizer(written)["input_ids"][-1] == tokenizer.eos_token_id
    tokenizer.save_pretrained(tmp_path)  # as an export does
    assert AutoTokenizer.from_pretrained(tmp_path)(TEXT)["input_ids"] == ended[:-1]


def test_a_tokenizer_that_leaves_texts_open_is_unchanged():
    tokenizer = like_llama2()
    before = tokenizer.backend_tokenizer.to_str()
    leave_open(tokenizer, "some/folder")
    assert tokenizer.backend_tokenizer.to_str() == before


def test_a_tokenizer_that_cannot_be_left_open_is_refused():
    class Ending:
        is_fast = False

        def __call__(self, text, add_special_tokens=True):
            return {"input_ids": [5, 2] if add_special_tokens else [5]}

        def convert_ids_to_tokens(self, ids):
            return ["</s>"] * len(ids)

    with pytest.raises(UsageError, match=r"'some/folder' appends \['</s>'\] to every text"):
        leave_open(Ending(), "some/folder")


def saved(tokenizer, folder, missing=0):
    network = tiny_network("llama", len(tokenizer) - missing)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_loading_leaves_texts_open(tmp_path):
    model = load_model(saved(like_bert(), tmp_path), CPU, torch.float32)
    assert model.tokenizer(TEXT)["input_ids"][-1] != model.tokenizer.sep_token_id
    assert model.embeds_all


def test_a_padding_token_without_an_embedding_is_refused(tmp_path):
    tokenizer = like_llama2()
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    path = saved(tokenizer, tmp_path, missing=1)
    with pytest.raises(UsageError, match=r"has '\[PAD\]' as token \d+, but the model has embeddin"):
        load_model(path, CPU, torch.float32)


def test_an_unused_token_without_an_embedding_is_no_obstacle(tmp_path):
    """Gemma 3 has one: it stands for an image."""
    tokenizer = like_llama2()
    tokenizer.add_tokens(["<image>"])
    model = load_model(saved(tokenizer, tmp_path, missing=1), CPU, torch.float32)
    assert not model.embeds_all
    model.check_embedded(tokenizer(TEXT)["input_ids"])
    with pytest.raises(UsageError, match="<image>' as token"):
        model.check_embedded(tokenizer(f"{TEXT} <image>")["input_ids"])


@pytest.mark.parametrize(
    ("ends", "refused"), [(30, True), ([30, 31], True), ([30, 2], False), (10_000, False)]
)
def test_a_tokenizer_without_the_model_s_end_token_is_another_model_s(ends, refused, tmp_path):
    """All its tokens have embeddings. An end without an embedding is a leftover default."""
    path = saved(like_bert(), tmp_path, missing=-40)
    GenerationConfig(eos_token_id=ends).save_pretrained(path)
    if not refused:
        load_model(path, CPU, torch.float32)
        return
    with pytest.raises(UsageError, match=r"token 30, which its tokenizer of \d+ tokens lacks; use"):
        load_model(path, CPU, torch.float32)
