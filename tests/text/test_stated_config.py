"""What config.json says is what the network does, or the model is refused."""

import json

import pytest
import torch
from small_model import write_model
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    Cohere2Config,
    Cohere2ForCausalLM,
)

from paretosteer.errors import UsageError
from paretosteer.text.load_weights import load_weights
from paretosteer.text.model import load_model
from paretosteer.text.model_notes import model_notes
from paretosteer.text.stated_config import unread_settings

THETA = {"rope_theta": 10000.0}
LINEAR = {"rope_type": "linear", "factor": 4.0}


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def load(folder):
    return load_model(str(folder), torch.device("cpu"), torch.float32)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"architectures": ["DeepFooForCausalLM"]}, "'DeepFooForCausalLM', which transformers"),
        ({"architectures": ["GraniteForCausalLM"]}, "but its model_type 'llama' runs another one"),
        ({"architectures": ["MistralForCausalLM"]}, "but its model_type 'llama' runs another one"),
        ({"final_logit_softcapping": 30.0}, "final_logit_softcapping=30.0, which LlamaForCausalLM"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor=0.5, which LlamaForCausalLM"),
        ({"sliding_window": 4}, "sliding_window=4, which LlamaForCausalLM does not use"),
        (
            {"rope_parameters": {**THETA, "rope_type": "default", "partial_rotary_factor": 0.5}},
            "partial_rotary_factor=0.5, which LlamaForCausalLM does not use",
        ),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads=.*, which LlamaForCausalLM does not use"),
        ({"alibi": True}, "alibi=True, which LlamaForCausalLM does not use"),
        (
            {"rope_parameters": None, "rope_scaling": LINEAR | {"type": "default"}},
            "the rotary types default and linear at once",
        ),
        ({"rope_parameters": THETA | {"rope_type": "default", "factor": 4.0}}, "factor of 4.0"),
        ({"rope_theta": 5.0}, "rope_theta 5.0 beside 10000.0"),
        (
            {"rope_scaling": {"type": "linear", "factor": 4.0}},
            "rope_type 'linear' beside 'default'",
        ),
    ],
)
def test_what_does_not_run_is_refused(tmp_path, changes, expected):
    write_model(tmp_path)
    edit(tmp_path, **changes)
    with pytest.raises(UsageError, match=rf"model\.path: config\.json of .*{expected}"):
        load(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"architectures": None},
        {"architectures": ["FSDPLlamaForCausalLM"]},
        {"architectures": ["LlamaModel"]},
        {"architectures": ["LlamaForSequenceClassification"]},
        {"final_logit_softcapping": None, "partial_rotary_factor": 1.0},
        {"sliding_window": 4, "use_sliding_window": False},
        {"sliding_window": 4096},
        {"rope_parameters": None, "rope_theta": 500.0, "rope_scaling": LINEAR},
        {"rope_scaling": None, "pretraining_tp": 1, "my_run": "notes"},
    ],
)
def test_what_changes_nothing_is_accepted(tmp_path, changes):
    write_model(tmp_path)
    edit(tmp_path, **changes)
    assert load(tmp_path)


def test_an_architecture_s_own_settings_are_accepted(tmp_path):
    write_model(tmp_path)
    config = Cohere2Config(
        vocab_size=json.loads((tmp_path / "config.json").read_text())["vocab_size"],
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        sliding_window=8,
        max_position_embeddings=64,
        logit_scale=0.5,
    )
    Cohere2ForCausalLM(config).save_pretrained(tmp_path)
    assert load(tmp_path).network.config.sliding_window == 8


def test_reward_models_are_checked_too(tmp_path):
    write_model(tmp_path)
    edit(tmp_path, num_labels=1, attn_logit_softcapping=50.0)
    with pytest.raises(UsageError, match=r"attn_logit_softcapping=50\.0"):
        load_weights(AutoModelForSequenceClassification, str(tmp_path), "reward", new_head=True)


def test_settings_that_only_other_networks_read_are_noted(tmp_path):
    folder = write_model(tmp_path / "model")
    network = AutoModelForCausalLM.from_pretrained(folder)
    assert unread_settings(network, str(folder)) == []
    config = json.loads((folder / "config.json").read_text())
    stated = {"use_qk_norm": True, "attention_chunk_size": 64, "use_mrope": False, "my_note": "x"}
    (folder / "config.json").write_text(json.dumps(config | stated))
    found = unread_settings(network, str(folder))
    assert found == ["use_qk_norm=True", "attention_chunk_size=64"]
    (note,) = model_notes("The start model", network, None, str(folder))
    assert note == (
        "The start model sets use_qk_norm=True, attention_chunk_size=64, which LlamaForCausalLM "
        "does not read."
    )


def test_two_chat_templates_are_noted(tmp_path):
    folder = write_model(tmp_path / "model")
    network = AutoModelForCausalLM.from_pretrained(folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "chat_template.jinja").write_text("{{ messages }}\n")
    for inside, count in ((None, 0), ("{{ messages }}", 0), ("{{ messages[0] }}", 1)):
        stated = config if inside is None else config | {"chat_template": inside}
        (folder / "tokenizer_config.json").write_text(json.dumps(stated))
        found = model_notes("The start model", network, None, str(folder))
        assert len(found) == count and all("two chat templates" in note for note in found)


@pytest.mark.parametrize(
    ("name", "stated", "expected"),
    [
        (
            "special_tokens_map.json",
            {"eos_token": "cat"},
            "eos_token '[eos]' of tokenizer_config.json ('cat' is used)",
        ),
        ("special_tokens_map.json", {"bos_token": {"content": "cat"}}, "bos_token '[bos]' of"),
        ("special_tokens_map.json", {"eos_token": "[eos]", "pad_token": "cat"}, None),
        (
            "added_tokens.json",
            {"[eos]": 7},
            "'[eos]' with id 7 of added_tokens.json (it has the id",
        ),
        (
            "added_tokens.json",
            {"<more>": 7},
            "'<more>' with id 7 of added_tokens.json (it has",
        ),
        ("special_tokens_map.json", {"more": "cat"}, None),
    ],
)
def test_special_tokens_of_older_formats_are_noted(tmp_path, name, stated, expected):
    folder = write_model(tmp_path / "model")
    network = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.eos_token, model_notes("It", network, tokenizer, str(folder))) == (
        "[eos]",
        [],
    )
    (folder / name).write_text(json.dumps(stated))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = model_notes("The start model", network, tokenizer, str(folder))
    begin = f"The start model states special tokens that its tokenizer does not use: {expected}"
    assert [note.startswith(begin) for note in found] == ([True] if expected else [])


def test_other_weights_in_the_folder_are_noted(tmp_path):
    folder = write_model(tmp_path / "model")
    network = AutoModelForCausalLM.from_pretrained(folder)
    for name in ("optimizer.pt", "training_args.bin", "pytorch_model.bin.index.json"):
        (folder / name).write_bytes(b"state")
    assert model_notes("The start model", network, None, str(folder)) == []
    for name in ("pytorch_model.bin", "model-00001-of-00002.safetensors"):
        (folder / name).write_bytes(b"weights")
    (note,) = model_notes("The start model", network, None, str(folder))
    assert note == (
        "The start model has other weights in its folder, which are not read: "
        "model-00001-of-00002.safetensors, pytorch_model.bin."
    )


def test_shards_of_an_index_are_read(tmp_path):
    folder = write_model(tmp_path / "model")
    network = AutoModelForCausalLM.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    network.save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 1
    assert model_notes("The start model", network, None, str(folder)) == []
