"""Reward models that read their tokenizer's chat template, or have several outputs."""

import json
import shutil

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    ByT5Tokenizer,
    PreTrainedTokenizerFast,
)

from paretosteer.errors import UsageError
from paretosteer.storage import opened_files
from paretosteer.storage.origin import uses
from paretosteer.text.dialogue import Turn
from paretosteer.text.rewards import RewardSpec, load_reward, reading_notes, reward_digest
from paretosteer.text.rewards.remote_code import trust

CPU = torch.device("cpu")
ASK = (Turn("user", "Is there a boat?"),)
TWICE = (*ASK, Turn("user", "Is there?"))
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate!') }}{% endif %}[{{ m.role }}] {{ m.content }}"
    "{{ eos_token }}{% endfor %}"
)


def load(folder, **settings):
    return load_reward(RewardSpec.of({"path": str(folder), **settings}, "good"), CPU)


def refused(folder, match, **settings):
    with pytest.raises(UsageError, match=match) as error:
        load(folder, **settings)
    assert "\n" not in str(error.value)


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.fixture
def chat(stand_in, tmp_path):
    folder = shutil.copytree(stand_in("llama"), tmp_path / "chat")
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def test_a_chat_template_is_read_by_default(chat):
    model = load(chat)
    assert model.spec.form == "chat"
    tokenizer = AutoTokenizer.from_pretrained(chat)
    messages = [
        {"role": "user", "content": "Is there a boat?"},
        {"role": "assistant", "content": "Yes."},
    ]
    batch = tokenizer.apply_chat_template(messages, return_tensors="pt", return_dict=True)
    network = AutoModelForSequenceClassification.from_pretrained(chat).eval()
    with torch.no_grad():
        expected = network(**batch).logits.item()
    assert model.score([ASK], ["Yes."])[0] == pytest.approx(expected, abs=1e-5)
    assert model.score([ASK], ["Yes.</s>"])[0] == pytest.approx(expected, abs=1e-5)
    assert model.score([ASK], ["Yes.</<s>s>"])[0] == pytest.approx(expected, abs=1e-5)


def test_another_form_is_noted(chat):
    model = load(chat, form="dialogue")
    assert any("read in the form dialogue" in note for note in reading_notes(model))
    assert not list(reading_notes(load(chat)))


def test_a_dialogue_that_the_template_refuses_has_no_score_and_is_counted(chat):
    model = load(chat)
    scores = model.score([ASK, TWICE], ["Yes.", "Yes."])
    assert np.isnan(scores).tolist() == [False, True]
    assert model.refusal(ASK) is None and model.refusal(TWICE) == "Roles must alternate!"
    assert "1 texts have no score" in model.note and "Roles must alternate!" in model.note


def test_a_template_that_refuses_any_answer_is_an_error(chat):
    (chat / "chat_template.jinja").write_text("{{ raise_exception('Only questions!') }}")
    refused(chat, r"rewards\.good\.form: the chat template .*Only questions!")


def test_the_form_chat_needs_a_template(stand_in):
    refused(stand_in("gpt2"), "has no chat template", form="chat")


def test_padding_with_the_token_that_ends_each_text_is_refused(chat):
    edit(chat / "config.json", pad_token_id=None)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (chat / name).exists():
            edit(chat / name, pad_token=None)
    refused(chat, r"rewards\.good\.pad_token: .* differently in a batch", pad_token="eos")
    load(chat, pad_token="<pad>")


@pytest.mark.parametrize("logit", ["faithful", "Faithful", 1, "1"])
def test_an_output_by_name_or_index(stand_in, logit):
    expected = load(stand_in("bart"), form="answer", logit=1).score([ASK], ["Yes."])
    assert load(stand_in("bart"), form="answer", logit=logit).score([ASK], ["Yes."]) == expected


def test_several_outputs_and_none_named(stand_in):
    refused(stand_in("bart"), r"good\.logit: missing, .* 2 outputs; .* 0 faithless, 1 faithful")


def test_a_name_whose_index_is_ambiguous_is_refused(stand_in, tmp_path):
    folder = shutil.copytree(stand_in("bart"), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["label2id"] = {"faithful": 0, "faithless": 1}
    (folder / "config.json").write_text(json.dumps(config))
    refused(folder, r"'faithful' is output 1 in id2label .* and 0 in label2id", logit="faithful")
    expected = load(stand_in("bart"), form="answer", logit=1).score([ASK], ["Yes."])
    assert load(folder, form="answer", logit=1).score([ASK], ["Yes."]) == expected


def test_a_name_follows_another_order_of_the_outputs(stand_in, tmp_path):
    folder = shutil.copytree(stand_in("bart"), tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["id2label"] = {"0": "faithful", "1": "faithless"}
    del config["label2id"]
    (folder / "config.json").write_text(json.dumps(config))
    expected = load(stand_in("bart"), form="answer", logit=0).score([ASK], ["Yes."])
    assert load(folder, form="answer", logit="faithful").score([ASK], ["Yes."]) == expected


@pytest.mark.parametrize("logit", ["faithfull", "2", 2, -1, True, 1.0])
def test_an_output_that_does_not_exist(stand_in, logit):
    refused(stand_in("bart"), r"rewards\.good\.logit", logit=logit)


def test_a_separator_that_the_tokenizer_lacks(stand_in):
    refused(
        stand_in("longformer"),
        r"rewards\.good\.separator: '<sep>' is not a token",
        form="segments",
        logit=2,
        separator="<sep>",
    )


def test_a_separator_that_is_another_token_between_words(stand_in, tmp_path):
    """GPT-2 reads a word with the space before it, so `boat` alone is another token."""
    folder = shutil.copytree(stand_in("longformer"), tmp_path / "model")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    text = "boat boat boat"
    trainer = trainers.BpeTrainer(vocab_size=20, special_tokens=["</s>"], show_progress=False)
    tokenizer.train_from_iterator([text] * 9, trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="</s>"
    ).save_pretrained(folder)
    refused(
        folder,
        r"rewards\.good\.separator: the tokenizer of .* does not read 'boat' as that one token",
        form="segments",
        logit=2,
        separator="boat",
    )


def test_segments_need_a_tokenizer_that_maps_characters_to_tokens(stand_in, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(stand_in("longformer"), folder, ignore=shutil.ignore_patterns("tokenizer*"))
    ByT5Tokenizer(extra_ids=0).save_pretrained(folder)
    refused(folder, r"rewards\.good\.path: .* its tokenizer is slow", form="segments", logit=2)


def test_cut_texts_are_counted(stand_in):
    model = load(stand_in("gpt2"), form="answer", max_length=5)
    model.score([ASK] * 2, ["A boat sails over the quiet lake.", "A"])
    assert model.note.startswith("good: 1 of 2 texts exceeded the 5 tokens")


CODE = """
from transformers import LlamaForSequenceClassification

class Doubled(LlamaForSequenceClassification):
    def forward(self, *args, **kwargs):
        out = super().forward(*args, **kwargs)
        out.logits = 2 * out.logits
        return out
"""


@pytest.fixture
def own_code(stand_in, tmp_path):
    folder = shutil.copytree(stand_in("llama"), tmp_path / "own")
    (folder / "modeling_doubled.py").write_text(CODE)
    names = {"AutoModelForSequenceClassification": "modeling_doubled.Doubled"}
    edit(folder / "config.json", auto_map=names)
    yield folder
    trust(None)


def test_code_of_its_own_runs_for_the_trusted_model_only(own_code, stand_in):
    refused(own_code, "runs code of its own; if you trust it, pass --trust-remote-code")
    trust(str(stand_in("llama")))
    refused(own_code, "--trust-remote-code")
    trust(str(own_code))
    model, plain = load(own_code), load(stand_in("llama"))
    assert model.score([ASK], ["Yes."]) == pytest.approx(2 * plain.score([ASK], ["Yes."]))
    assert any("--trust-remote-code" in note for note in reading_notes(model))
    assert not list(reading_notes(plain))


def test_what_its_code_opens_concerns_those_who_use_it(own_code, stand_in, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("a")
    opens = (
        f"import pathlib\nTEXT = (pathlib.Path({str(tmp_path)!r}) / ('words' + '.txt')).open()\n"
    )
    (own_code / "modeling_doubled.py").write_text(opens + CODE)
    trust(str(own_code))
    for model, found in [
        (own_code, [str(words)]),
        (stand_in("llama"), []),
        (own_code, [str(words)]),
    ]:
        with uses() as used:
            load(model)
        assert list(opened_files.openers(used.code, own=[])) == found


@pytest.mark.parametrize("sign", [1, -1])
def test_a_named_output_is_said_with_its_direction(stand_in, tmp_path, sign):
    folder = shutil.copytree(stand_in("llama"), tmp_path / "own")
    edit(folder / "config.json", id2label={"0": "toxicity"}, label2id={"toxicity": 0})
    (note,) = reading_notes(load(folder, sign=sign))
    assert (
        f"the output 'toxicity' of {str(folder)!r}; {'higher' if sign > 0 else 'lower'} is" in note
    )


def test_a_tokenizer_of_its_own_is_not_replaced_without_a_word(stand_in, tmp_path):
    folder = shutil.copytree(stand_in("llama"), tmp_path / "own")
    edit(
        folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_own.Own", None]}
    )
    refused(folder, "runs code of its own; if you trust it, pass --trust-remote-code")


def test_the_digest_tells_whether_the_code_ran(own_code):
    spec = RewardSpec.of(str(own_code), "good")
    before = reward_digest(spec)
    trust(str(own_code))
    assert reward_digest(spec) != before


def test_code_of_another_repository_is_refused(own_code):
    names = {"AutoModelForSequenceClassification": "someone/else--modeling.Model"}
    edit(own_code / "config.json", auto_map=names)
    trust(str(own_code))
    refused(own_code, "runs the code of another repository, someone/else--modeling.Model")


def test_trust_is_no_setting(stand_in):
    with pytest.raises(UsageError, match="trust_remote_code is not a setting"):
        load(stand_in("llama"), trust_remote_code=True)


@pytest.mark.parametrize("name", ["modeling_doubled.py", "chat_template.jinja"])
def test_the_digest_covers_code_and_template(own_code, name):
    spec = RewardSpec.of(str(own_code), "good")
    before = reward_digest(spec)
    (own_code / name).write_text(CODE + "# changed")
    assert reward_digest(spec) != before


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"probability": "no"}, "probability: found 'no'; use true or false"),
        ({"std": "abc"}, "std: found 'abc'; use a finite number"),
        ({"mean": float("nan")}, "mean: found nan"),
        ({"sign": True}, "sign: found True"),
        ({"max_length": 2.5}, "max_length: found 2.5"),
        ({"template": 3}, "template: found 3; use a text"),
        ({"template": "{prompt}"}, "template: has no {answer}"),
        ({"template": "{prompt} {response}"}, "template: {response} is not a placeholder"),
        ({"separator": "</s>"}, "separator: used with form=segments only"),
        ({"form": "answer", "segment": "clause"}, "segment: used with form=segments only"),
        ({"probability": True, "against": 0}, "against: not used with probability"),
    ],
)
def test_a_setting_of_another_type_or_without_effect(settings, match):
    with pytest.raises(UsageError) as error:
        RewardSpec.of({"path": "model", **settings}, "good")
    assert f"benchmark.rewards.good.{match}" in str(error.value)


def test_a_pair_needs_no_answer_in_its_template():
    RewardSpec.of({"path": "model", "form": "pair", "template": "Ask: {prompt}"}, "good")


def test_the_probability_of_one_output_or_of_independent_labels_is_a_sigmoid(stand_in, tmp_path):
    raw = load(stand_in("gpt2")).score([ASK], ["Yes."])
    expected = pytest.approx(1 / (1 + np.exp(-raw)))
    assert load(stand_in("gpt2"), probability=True).score([ASK], ["Yes."]) == expected
    folder = shutil.copytree(stand_in("bart"), tmp_path / "model")
    edit(folder / "config.json", problem_type="multi_label_classification")
    raw = load(folder, logit=1).score([ASK], ["Yes."])
    expected = pytest.approx(1 / (1 + np.exp(-raw)))
    assert load(folder, logit=1, probability=True).score([ASK], ["Yes."]) == expected


def test_an_output_against_itself_is_refused(stand_in):
    refused(
        stand_in("bart"), r"against: found output 1, which is the chosen one", logit=1, against=1
    )


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"auto_map": {"AutoModel": "modeling_own.OwnReward"}}, "runs code of its own"),
        ({"architectures": ["LlamaForGatedReward"]}, "'LlamaForGatedReward', which transformers"),
    ],
)
def test_another_architecture_with_the_same_weights_is_refused(stand_in, tmp_path, changes, match):
    folder = shutil.copytree(stand_in("llama"), tmp_path / "model")
    edit(folder / "config.json", **changes)
    refused(folder, match)


def test_classes_that_transformers_has_are_no_code_of_its_own(stand_in, tmp_path):
    folder = shutil.copytree(stand_in("llama"), tmp_path / "model")
    name = "FSDPLlamaForSequenceClassification"
    edit(folder / "config.json", auto_map={"AutoModel": "m.LlamaModel"}, architectures=[name])
    assert load(folder).score([ASK], ["Yes."]) == load(stand_in("llama")).score([ASK], ["Yes."])


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_template_is_refused(chat, text):
    (chat / "chat_template.jinja").write_text(text)
    refused(chat, r"chat_template.jinja' is empty; copy it again, or remove it")
