"""Reward models that cannot be used are refused in one line that names the setting."""

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from paretosteer.errors import UsageError
from paretosteer.text.dialogue import Turn
from paretosteer.text.rewards import RewardSpec, load_reward, reward_digest
from paretosteer.text.rewards.segments import split_segments

CPU = torch.device("cpu")


def refused(value, match):
    with pytest.raises(UsageError, match=match) as error:
        load_reward(RewardSpec.of(value, "good"), CPU)
    assert "\n" not in str(error.value)


def test_a_hub_name_without_a_network_names_the_folder_option():
    refused("nobody/no-such-model", r"nobody/no-such-model.*benchmark\.rewards\.good\.path=/path")


def test_a_missing_folder():
    refused("./nowhere", r"benchmark\.rewards\.good\.path: the folder .* does not exist")


def test_pickled_weights_are_refused(stand_in, tmp_path):
    folder = shutil.copytree(stand_in("gpt2"), tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refused(str(folder), r"benchmark\.rewards\.good\.path: .*pickled weights only")


def test_a_damaged_description_of_an_export_is_refused_at_load(stand_in, tmp_path):
    folder = shutil.copytree(stand_in("gpt2"), tmp_path / "exported")
    (folder / "paretosteer.json").write_text("{")
    refused(str(folder), r"good: the reward model: its paretosteer\.json is damaged; export the")


def test_an_ordinary_padding_token_is_refused(stand_in):
    path = str(stand_in("gpt2"))
    refused({"path": path, "pad_token": "!"}, r"pad_token: the padding token '!' of .*ordinary")


def test_a_model_without_a_padding_token_names_the_remedy(stand_in, tmp_path):
    folder = shutil.copytree(stand_in("gpt2"), tmp_path / "unpadded")
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).exists():
            kept = json.loads((folder / name).read_text())
            kept.pop("pad_token", None)
            (folder / name).write_text(json.dumps(kept))
    refused(str(folder), r"no padding token; set benchmark\.rewards\.good\.pad_token=eos")
    load_reward(RewardSpec.of({"path": str(folder), "pad_token": "eos"}, "good"), CPU)


def test_a_token_that_the_model_has_no_embedding_for_names_the_model(stand_in, tmp_path):
    folder = shutil.copytree(stand_in("llama"), tmp_path / "extended")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["boatswain"])
    tokenizer.save_pretrained(folder)
    model = load_reward(RewardSpec.of(str(folder), "good"), CPU)
    prompt = (Turn("user", "Who is there?"),)
    assert np.isfinite(model.score([prompt], ["A boat."]))
    with pytest.raises(UsageError, match=r"rewards\.good\.path: .* has 'boatswain' as token"):
        model.score([prompt], ["A boatswain."])


@pytest.mark.parametrize(("kind", "positions"), [("roberta", 129), ("distilbert", 512)])
def test_a_text_is_cut_to_the_positions_of_the_model(stand_in, tmp_path, kind, positions):
    folder = shutil.copytree(stand_in(kind), tmp_path / "unlimited")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config["model_max_length"] = 10**30  # as of a tokenizer that states no limit
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    settings = {} if kind == "roberta" else {"logit": 1}
    model = load_reward(RewardSpec.of({"path": str(folder), **settings}, "good"), CPU)
    assert model.max_length == positions
    scores = model.score([(Turn("user", "Is there a boat?"),)], ["Yes, there is. " * 500])
    assert np.isfinite(scores).all()
    assert model.truncated == 1


def test_a_text_is_cut_where_a_model_would_read_others_differently(stand_in, tmp_path):
    """With longrope, one longer text would change the scores of all others in its batch."""
    folder = shutil.copytree(stand_in("llama"), tmp_path / "longrope")
    config = json.loads((folder / "config.json").read_text())
    config["rope_parameters"] |= {
        "rope_type": "longrope",
        "short_factor": [1.0] * 4,
        "long_factor": [2.0, 3.0, 4.0, 5.0],
        "original_max_position_embeddings": 40,
    }
    (folder / "config.json").write_text(json.dumps(config))
    model = load_reward(RewardSpec.of(str(folder), "good"), CPU)
    prompts = [(Turn("user", "Is there a boat?"),)] * 2
    answers = ["Yes, there is.", "Yes, there is. " * 30]
    alone = np.concatenate([model.score(prompts[:1], [answer]) for answer in answers])
    assert np.allclose(model.score(prompts, answers), alone, atol=1e-4)
    assert model.max_length == 40 and model.truncated == 2


def test_an_output_that_the_model_lacks(stand_in):
    path = str(stand_in("gpt2"))
    refused({"path": path, "logit": 1}, r"rewards\.good\.logit: found 1, .* 0 to 0")


def test_a_language_model_is_no_reward_model(stand_in, tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    folder = shutil.copytree(stand_in("gpt2"), tmp_path / "causal")
    size = json.loads((folder / "config.json").read_text())["vocab_size"]
    config = GPT2Config(vocab_size=size, n_embd=16, n_layer=1, n_head=2, n_positions=128)
    GPT2LMHeadModel(config).save_pretrained(folder)
    refused(str(folder), r"has no weights for score\.weight.*classification head")


@pytest.mark.parametrize(
    ("setting", "match"),
    [
        ({"form": "dialog"}, r"good\.form: found 'dialog'"),
        ({"sign": 0}, r"good\.sign: found 0"),
        ({"std": 0.0}, r"good\.std: found 0"),
        ({"max_length": 0}, r"good\.max_length: found 0"),
        ({"logits": 1}, r"good\.logits is not a setting; did you mean 'logit'"),
        ({"path": ""}, r"good\.path: missing; set it"),
    ],
)
def test_settings_that_mean_nothing(setting, match):
    refused({"path": "somewhere", **setting}, match)


def test_the_digest_is_of_the_content_and_the_settings(stand_in, tmp_path):
    path = stand_in("gpt2")
    spec = RewardSpec.of(str(path), "good")
    copied = str(shutil.copytree(path, tmp_path / "copy"))
    assert reward_digest(RewardSpec.of(copied, "other")) == reward_digest(spec)
    turned = RewardSpec.of({"path": str(path), "sign": -1}, "good")
    assert reward_digest(turned) != reward_digest(spec)


def test_sentences_and_clauses():
    text = "One two three four five, six seven eight nine ten. Yes, it is!"
    sentences = ["One two three four five, six seven eight nine ten.", "Yes, it is!"]
    assert split_segments(text, "sentence") == sentences
    clauses = ["One two three four five,", "six seven eight nine ten.", "Yes, it is!"]
    assert split_segments(text, "clause") == clauses
    assert split_segments("  ", "clause") == []
