"""Checkpoints that hold other weights than their configuration says are refused, by name."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import tiny_model

from paretosteer.errors import UsageError
from paretosteer.text.load_weights import load_weights
from paretosteer.text.model import load_model
from paretosteer.text.rewards import RewardSpec, load_reward
from paretosteer.text.rewards.bradley_terry import _from_start

CPU = torch.device("cpu")
FILE = "model.safetensors"
NORM = "model.layers.0.input_layernorm.weight"
EMBEDDING = "model.embed_tokens.weight"


@pytest.fixture
def folder(tmp_path):
    model = tiny_model("llama")
    model.network.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    return tmp_path


def change(folder, edit):
    weights = edit(load_file(folder / FILE))
    save_file(weights, folder / FILE, metadata={"format": "pt"})


def without(*names):
    return lambda weights: {name: w for name, w in weights.items() if name not in names}


def under(prefix):
    return lambda weights: {prefix + name: weight for name, weight in weights.items()}


def layers_under(prefix):
    return lambda weights: {n.replace("model.", prefix): weight for n, weight in weights.items()}


def short_embedding(weights):
    return weights | {EMBEDDING: weights[EMBEDDING][:5].clone()}


def left_over(weights):
    return weights | {"v_head.summary.weight": torch.ones(2, 2)}


def test_a_model_that_returns_tuples_is_read_by_names(folder):
    set_config(folder, return_dict=False)
    model = start(folder)
    token = torch.tensor([[3]])
    assert model.network(token).logits.shape[:2] == (1, 1)


def set_config(folder, **values):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | values))


def start(folder):
    return load_model(str(folder), CPU, torch.float32)


def start_of_a_reward(folder):
    return _from_start(RewardSpec("good", str(folder), logit=0), str(folder), CPU, 0)


def stored_reward(folder):
    start_of_a_reward(folder).network.save_pretrained(folder)
    return load_reward(RewardSpec.of(str(folder), "good"), CPU)


FAULTS = [
    (without(NORM), rf"has no weights for {NORM}; use the folder that save_pretrained"),
    (without("model.norm.weight", NORM), rf"has no weights for {NORM}, model\.norm\.weight;"),
    (under("_orig_mod."), r"has no weights for .* others.*its wrapper.*'_orig_mod\.'"),
    (under("module."), r"its wrapper, whose prefix is 'module\.'"),
    (layers_under("model._orig_mod."), r"its wrapper, whose prefix is '_orig_mod\.'"),
    (short_embedding, r"another shape for model\.embed_tokens\.weight \(5 x 16 instead of \d+ x"),
]


@pytest.mark.parametrize("load", [start, start_of_a_reward])
@pytest.mark.parametrize(("fault", "message"), FAULTS)
def test_other_weights_are_refused(folder, fault, message, load):
    change(folder, fault)
    with pytest.raises(UsageError, match=message) as refused:
        load(folder)
    assert str(refused.value).startswith("model.path: ") and "\n" not in str(refused.value)


def test_left_over_weights_are_refused_but_not_a_head_that_is_replaced(folder):
    change(folder, left_over)
    with pytest.raises(UsageError, match=r"that its architecture lacks: v_head\.summary\.weight"):
        start(folder)
    start_of_a_reward(folder)


def test_constants_of_earlier_versions_are_no_weights(folder):
    frequencies = start(folder).network.get_buffer("model.rotary_emb.inv_freq").clone()
    old = {
        "model.layers.0.self_attn.rotary_emb.inv_freq": frequencies,
        "model.layers.0.self_attn.masked_bias": torch.tensor(-1e4),
        "model.rotary_emb.inv_freq": frequencies.clone(),
    }
    change(folder, lambda weights: weights | old)
    start(folder)


def test_tied_weights_are_saved_once(tmp_path):
    model = tiny_model("llama")
    model.network.config.tie_word_embeddings = True
    model.network.tie_weights()
    model.network.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    change(tmp_path, without("lm_head.weight"))
    start(tmp_path)


def test_a_language_model_is_no_reward_model(folder):
    spec = RewardSpec.of(str(folder), "good")
    with pytest.raises(
        UsageError, match=r"^benchmark\.rewards\.good\.path: .* score\.weight.* saved with its head"
    ):
        load_reward(spec, CPU)


def test_an_index_that_names_a_missing_shard(folder):
    names = sorted(load_file(folder / FILE))
    (folder / FILE).rename(folder / "model-00001-of-00002.safetensors")
    shards = ["model-00001-of-00002.safetensors"] * (len(names) - 1)
    shards.append("model-00002-of-00002.safetensors")
    index = {"metadata": {}, "weight_map": dict(zip(names, shards, strict=True))}
    (folder / f"{FILE}.index.json").write_text(json.dumps(index))
    with pytest.raises(UsageError, match=r"has no model-00002-of-00002\.safetensors, which"):
        start(folder)


def test_a_file_beside_shards_is_refused(folder):
    weights = load_file(folder / FILE)
    save_file(weights, folder / "model-00001-of-00001.safetensors", metadata={"format": "pt"})
    shards = dict.fromkeys(weights, "model-00001-of-00001.safetensors")
    (folder / f"{FILE}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    with pytest.raises(UsageError, match=r"two sets of weights, model\.safetensors and the shards"):
        start(folder)
    (folder / FILE).unlink()
    start(folder)


@pytest.mark.parametrize("there", [True, False])
def test_a_shard_that_differs_from_its_index_is_refused(folder, there):
    """Such as a shard that an earlier version of the model left in the folder."""
    weights, index = load_file(folder / FILE), {}
    (folder / FILE).unlink()
    for number, names in enumerate([set(weights) - {NORM}, {NORM}], start=1):
        shard = f"model-0000{number}-of-00002.safetensors"
        stored = {name: weights[name] for name in names}
        if there and NORM in names:
            stored[EMBEDDING] = torch.zeros_like(weights[EMBEDDING])
        save_file(stored, folder / shard, metadata={"format": "pt"})
        index |= dict.fromkeys(names, shard)
    if not there:
        index["lm_head.weight"] = "model-00002-of-00002.safetensors"
    file = folder / f"{FILE}.index.json"
    file.write_text(json.dumps({"metadata": {}, "weight_map": index}))
    found = f"2-of.* has {EMBEDDING}" if there else "1-of.* has lm_head.weight"
    with pytest.raises(UsageError, match=rf"{found}, unlike {file.name} says"):
        start(folder)


@pytest.mark.parametrize("config", [None, {"quant_method": "exl2", "bits": 4}, {}])
def test_codes_that_no_quantiser_of_transformers_reads_are_no_weights(folder, config):
    set_config(folder, quantization_config=config)
    change(folder, lambda weights: weights | {NORM: weights[NORM].to(torch.int8)})
    with pytest.raises(UsageError, match=rf"has {NORM} as I8.*no quantization_config that trans"):
        start(folder)


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn])
def test_codes_without_a_scale_are_no_weights(folder, dtype):
    change(folder, lambda weights: weights | {NORM: weights[NORM].to(dtype)})
    with pytest.raises(UsageError, match=rf"has {NORM} as [IF]8.*no quantization_config"):
        start(folder)


@pytest.mark.parametrize("allowed", [False, True])
def test_only_score_models_of_safe_rlhf_have_a_bias(stand_in_reward: Path, allowed):
    from transformers import AutoModelForSequenceClassification

    extra = {"score.bias": torch.zeros(1), "normalizer.mean": torch.zeros(1)}
    change(stand_in_reward, lambda weights: weights | extra)

    def load():
        return load_weights(
            AutoModelForSequenceClassification, str(stand_in_reward), "x", safe_rlhf=allowed
        )

    if allowed:
        load()
    else:
        with pytest.raises(UsageError, match=r"architecture lacks: normalizer\.mean, score\.bias"):
            load()


@pytest.fixture
def stand_in_reward(folder):
    start_of_a_reward(folder).network.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("load", ["start", "reward"])
def test_an_adapter_without_its_base_model(folder, load):
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2}))
    (folder / "config.json").unlink()
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    with pytest.raises(UsageError, match="holds a PEFT adapter without its base model; merge them"):
        if load == "start":
            start(folder)
        else:
            load_reward(RewardSpec.of(str(folder), "helpful"), torch.device("cpu"))


@pytest.mark.parametrize("load", ["start", "start of a reward", "reward"])
def test_an_adapter_beside_the_weights(folder, load):
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 2}))
    save_file({}, folder / "adapter_model.safetensors")
    with pytest.raises(UsageError, match=r"path: .* adapter \(adapter_config\.json\) beside its"):
        if load == "start":
            start(folder)
        elif load == "reward":
            load_reward(RewardSpec.of(str(folder), "good"), CPU)
        else:
            start_of_a_reward(folder)


@pytest.mark.parametrize("load", [start, start_of_a_reward, stored_reward])
def test_a_file_overwritten_in_place_changes_no_loaded_weights(folder, load):
    network = load(folder).network
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    size = (folder / FILE).stat().st_size
    with (folder / FILE).open("r+b") as file:
        file.seek(size // 3)
        file.write(bytes(size - size // 3))
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)
