"""PEFT adapters in and out, against PEFT itself."""

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

from paretosteer.config.schema import Model
from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.policies.mixing_matrix import coefficients
from paretosteer.text.adapter_base import base_notes, check_bases
from paretosteer.text.generate import Decoding
from paretosteer.text.given_adapters import GivenAdapters
from paretosteer.text.model_source import model_digest
from paretosteer.text.policy import TextPolicy
from paretosteer.text.read_peft import add_adapters, check_adapters, read_adapter
from paretosteer.text.samples import Prompt
from paretosteer.text.write_peft import write_adapter

PROMPTS = [Prompt("a", "Once upon a time,"), Prompt("b", "Lily was happy.")]
IDS = torch.tensor([[5, 6, 7, 8, 9]])


def trained_adapter(model, folder, kind="llama", **settings):
    """A PEFT LoRA with random factors, saved; returns PEFT's own logits."""
    settings.setdefault("lora_alpha", 6)
    settings.setdefault("target_modules", ["c_attn"] if kind == "gpt2" else ["q_proj", "up_proj"])
    fan = {"fan_in_fan_out": True} if kind == "gpt2" else {}
    torch.manual_seed(settings.pop("seed", 0))
    network = get_peft_model(copy.deepcopy(model.network), LoraConfig(**fan, **settings))
    for name, p in network.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(p, std=0.3)
    network.save_pretrained(folder)
    with torch.no_grad():
        return network(IDS).logits


def logits(policy, coefficients):
    with torch.no_grad():
        return policy.materialise(torch.tensor(coefficients))(IDS).logits


@pytest.mark.parametrize("rslora", [False, True])
def test_a_peft_adapter_becomes_a_bank(model, tmp_path, rslora):
    expected = trained_adapter(model, tmp_path, model.name, r=3, use_rslora=rslora)
    policy = TextPolicy(model, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [read_adapter(tmp_path)])
    torch.testing.assert_close(logits(policy, [1.0]), expected, atol=1e-5, rtol=1e-4)


def test_adapters_of_different_rank_and_target_mix(llama, tmp_path):
    trained_adapter(llama, tmp_path / "a", r=3)
    trained_adapter(llama, tmp_path / "b", r=5, target_modules=["v_proj"], seed=1)
    policy = TextPolicy(llama, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [read_adapter(tmp_path / name) for name in "ab"])
    control = Control.soup([[0.4, -0.6], [1.5, 0.0]])
    samples = policy.sample(PROMPTS, control, 0, [0, 0])
    torch.testing.assert_close(
        policy.log_probs(samples, control), samples.log_probs, atol=1e-5, rtol=1e-4
    )
    only_a = TextPolicy(llama, Unconditioned(), Decoding(4), seed=0)
    add_adapters(only_a, [read_adapter(tmp_path / "a")])
    torch.testing.assert_close(logits(policy, [1.5, 0.0]), logits(only_a, [1.5]))


def test_a_soup_leaves_as_an_exact_peft_adapter(model, tmp_path):
    targets = (
        [["c_attn"], ["c_attn"]] if model.name == "gpt2" else [["q_proj"], ["q_proj", "o_proj"]]
    )
    for i, target in enumerate(targets):
        trained_adapter(
            model, tmp_path / str(i), model.name, r=2 + i, target_modules=target, seed=i
        )
    policy = TextPolicy(model, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [read_adapter(tmp_path / str(i)) for i in range(2)])
    coefficients = torch.tensor([1.75, -0.75])
    write_adapter(policy, coefficients, tmp_path / "out", base="somewhere")
    loaded = PeftModel.from_pretrained(copy.deepcopy(model.network), tmp_path / "out")
    with torch.no_grad():
        found = loaded(IDS).logits
    torch.testing.assert_close(found, logits(policy, coefficients.tolist()), atol=1e-5, rtol=1e-4)


# Ranks and scales that differ by layer and by adapter. PEFT's own merge takes the first adapter's
# rank-stabilised scale for the merged one, so that adapter is a plain one.
PLAIN = {"r": 3, "rank_pattern": {"layers.1.self_attn.q_proj": 5}, "alpha_pattern": {"up_proj": 2}}
STABLE = {"r": 4, "lora_alpha": 9, "use_rslora": True, "alpha_pattern": {r"layers\.0\..*": 3}}


@pytest.mark.parametrize("beta", [None, 0.7])
def test_the_soup_of_adapters_is_peft_s_own_merge(llama, tmp_path, beta):
    vertices = [
        trained_adapter(llama, tmp_path / "a", **PLAIN),
        trained_adapter(llama, tmp_path / "b", **STABLE, seed=1),
    ]
    policy = TextPolicy(llama, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [read_adapter(tmp_path / name) for name in "ab"])
    for i, expected in enumerate(vertices):
        found = logits(policy, np.eye(2)[i].tolist())
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    grid = np.array([[1.0, 0.0], [0.3, 0.7], [0.5, 0.5]])
    rows = grid if beta is None else coefficients(grid, beta)
    assert beta is None or rows.min() < -0.7
    merged = PeftModel.from_pretrained(copy.deepcopy(llama.network), tmp_path / "a", "a")
    merged.load_adapter(tmp_path / "b", "b")
    for number, row in enumerate(rows.tolist()):
        name = f"mix{number}"
        merged.add_weighted_adapter(["a", "b"], row, name, combination_type="cat")
        merged.set_adapter(name)
        with torch.no_grad():
            expected = merged(IDS).logits
        torch.testing.assert_close(logits(policy, row), expected, atol=1e-5, rtol=1e-4)


def test_the_first_alpha_pattern_that_matches_holds(llama, tmp_path):
    patterns = {"q_proj": 2, r"layers\.1\.self_attn\.q_proj": 40}
    trained_adapter(llama, tmp_path, r=2, alpha_pattern=patterns)
    # Saved patterns are sorted, so what PEFT loads may differ from what it trained.
    loaded = PeftModel.from_pretrained(copy.deepcopy(llama.network), tmp_path)
    with torch.no_grad():
        expected = loaded(IDS).logits
    policy = TextPolicy(llama, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [read_adapter(tmp_path)])
    torch.testing.assert_close(logits(policy, [1.0]), expected, atol=1e-5, rtol=1e-4)


def test_what_counts_nothing_is_not_written(llama, tmp_path):
    for i, targets in enumerate((["q_proj"], ["q_proj", "v_proj"])):
        trained_adapter(llama, tmp_path / str(i), r=2 + i, target_modules=targets, seed=i)
    policy = TextPolicy(llama, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [read_adapter(tmp_path / str(i)) for i in range(2)])
    write_adapter(policy, torch.tensor([0.5, 0.0]), tmp_path / "out", base="somewhere")
    written = read_adapter(tmp_path / "out").layers
    assert {name.rpartition(".")[2] for name in written} == {"q_proj"}
    assert {len(a) for a, _, _ in written.values()} == {2}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "bias=all"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"init_lora_weights": "pissa"}, "init_lora_weights=pissa"),
        ({"target_modules": ["q_proj", "embed_tokens"]}, "changes an embedding"),
        ({"alora_invocation_tokens": [1]}, "activated LoRA"),
    ],
)
def test_what_is_not_a_sum_of_deltas_is_refused_by_name(llama, tmp_path, settings, named):
    trained_adapter(llama, tmp_path, r=2, **settings)
    with pytest.raises(UsageError, match=named):
        read_adapter(tmp_path)


def test_an_adapter_of_another_task_is_refused(llama, tmp_path):
    trained_adapter(llama, tmp_path, r=2)
    for task in (None, "CAUSAL_LM"):
        rewrite(tmp_path, {"task_type": task})
        read_adapter(tmp_path)
    for task in ("SEQ_CLS", "TOKEN_CLS"):
        rewrite(tmp_path, {"task_type": task})
        with pytest.raises(UsageError, match=f"another task than writing text .task_type {task}"):
            read_adapter(tmp_path)


def test_an_adapter_of_another_model_names_both_shapes(llama, tmp_path):
    trained_adapter(llama, tmp_path, r=2)
    adapter = read_adapter(tmp_path)
    (name, (_, b, s)), *_ = adapter.layers.items()
    wrong = replace(adapter, layers={name: (torch.zeros(2, 99), b, s)})
    policy = TextPolicy(llama, Unconditioned(), Decoding(4), seed=0)
    with pytest.raises(UsageError, match=r"24 x 99 in the adapter but 24 x 16 in the model"):
        add_adapters(policy, [wrong])


def test_an_adapter_of_another_architecture_names_its_layer(llama, tmp_path):
    trained_adapter(llama, tmp_path, r=2)
    other = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_embd=8, n_layer=1, n_head=1))
    with pytest.raises(UsageError, match=r"'model\..*' \(24 x 16\) is not in GPT2LMHeadModel"):
        check_adapters(other, [read_adapter(tmp_path)])


def test_an_adapter_of_another_vocabulary_names_both(llama, tmp_path):
    larger = copy.deepcopy(llama.network)
    larger.resize_token_embeddings(500)
    adapted = get_peft_model(larger, LoraConfig(r=2, target_modules=["q_proj"]))
    adapted.save_pretrained(tmp_path, save_embedding_layers=True)
    with pytest.raises(
        UsageError, match=r"in full with shape 500 x 16, but the model's is 401 x 16"
    ):
        check_adapters(llama.network, [read_adapter(tmp_path)])


def test_weights_in_full_must_be_the_model_s_own(model, tmp_path):
    """PEFT saves embedding and head beside the factors of an adapted head, changed or not."""
    targets = {"target_modules": ["lm_head"], "r": 2}
    expected = trained_adapter(model, tmp_path, **targets)
    adapter = read_adapter(tmp_path)
    assert adapter.whole
    policy = TextPolicy(model, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [adapter])
    torch.testing.assert_close(logits(policy, [1.0]), expected, atol=1e-5, rtol=1e-4)
    trained = {name: weight + 1 for name, weight in adapter.whole.items()}
    with pytest.raises(UsageError, match=r"in full with values other than the model's"):
        check_adapters(model.network, [replace(adapter, whole=trained)])


def test_damaged_adapters_are_refused(llama, tmp_path):
    trained_adapter(llama, tmp_path, r=2)
    weights = tmp_path / "adapter_model.safetensors"
    tensors = load_file(weights)
    name = next(key for key in sorted(tensors) if key.endswith("lora_B.weight"))
    for change, named in (
        ({name: torch.full_like(tensors[name], torch.nan)}, "contain NaN"),
        ({name: tensors[name].to(torch.int8)}, "int8"),
        ({name: tensors[name][:, :1].clone()}, "have incompatible shapes"),
        ({"base_model.model.extra": torch.zeros(1)}, "'extra' is not a pair"),
    ):
        save_file(tensors | change, weights)
        with pytest.raises(UsageError, match=named):
            read_adapter(tmp_path)
    weights.write_bytes(b"nothing")
    with pytest.raises(UsageError, match="cannot be read"):
        read_adapter(tmp_path)
    weights.unlink()
    with pytest.raises(UsageError, match="pickled adapters are not loaded"):
        read_adapter(tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LOHA"}))
    with pytest.raises(UsageError, match="peft_type=LOHA"):
        read_adapter(tmp_path)


def test_an_adapter_that_was_never_trained(llama, tmp_path):
    get_peft_model(copy.deepcopy(llama.network), LoraConfig(r=2)).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"it changes nothing: its factors or its lora_alpha are"):
        check_adapters(llama.network, [read_adapter(tmp_path)])


def test_an_adapter_without_a_scale(llama, tmp_path):
    trained_adapter(llama, tmp_path, r=2)
    rewrite(tmp_path, {"lora_alpha": 0})
    with pytest.raises(UsageError, match="it changes nothing"):
        check_adapters(llama.network, [read_adapter(tmp_path)])


def test_an_adapter_of_another_base_model_is_noted(llama, tmp_path):
    """Whose shapes are the same."""
    for name in ("own", "other"):
        network = copy.deepcopy(llama.network)
        network.model.norm.weight.data *= 1 if name == "own" else 2
        network.save_pretrained(tmp_path / name)
    shutil.copytree(tmp_path / "own", tmp_path / "copy")
    trained_adapter(llama, tmp_path / "a", r=2)
    start = Model(name="hf", path=str(tmp_path / "own"), pad_token=None)

    def notes(base):
        rewrite(tmp_path / "a", {"base_model_name_or_path": base and str(base)})
        setting = SimpleNamespace(model=start, model_key="key")
        return base_notes([read_adapter(tmp_path / "a")], replace(llama, name="Own"), setting)

    for same in (None, "", tmp_path / "own", tmp_path / "copy", "owner/own"):
        assert not notes(same), same
    for other in (tmp_path / "other", "owner/own-chat", "/gone/other", "/gone/own"):
        (note,) = notes(other)
        assert f"names the base model {str(other)!r}, and the start model is 'Own'." in note


def test_a_tokenizer_beside_an_adapter_that_only_adds_tokens_or_templates(llama, tmp_path):
    folder = tmp_path / "a"
    trained_adapter(llama, folder, r=2)
    rewrite(folder, {"base_model_name_or_path": None})
    world = SimpleNamespace(model=llama, setting=SimpleNamespace(model=None))
    given = GivenAdapters([str(folder)], "method.paths")
    grown = copy.deepcopy(llama.tokenizer)
    grown.add_special_tokens({"pad_token": "<pad of its own>"})
    grown.save_pretrained(folder)
    assert not given.notes(world)
    grown.chat_template = {"default": "{{ messages }}", "tool_use": "{{ tools }}"}
    grown.save_pretrained(folder)
    (note,) = given.notes(world)
    assert "has another chat template in its folder" in note
    (folder / "tokenizer.json").write_text("{")
    (note,) = given.notes(world)
    assert note.startswith(f"The tokenizer in the folder of adapter {str(folder)!r} cannot be read")


def test_another_revision_of_the_base_model_is_noted(llama, tmp_path, monkeypatch):
    here, other = "a" * 40, "b" * 40
    repository = tmp_path / "hub" / "models--me--tiny"
    for name, commit in (("main", here), ("same", here), ("dev", other)):
        (repository / "snapshots" / commit).mkdir(parents=True, exist_ok=True)
        (repository / "snapshots" / commit / "config.json").write_text("{}")
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / name).write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    trained_adapter(llama, tmp_path / "a", r=2)
    model = replace(llama, name="tiny", hub_name="me/tiny", commit=here)
    start = Model(name="hf", path="me/tiny", pad_token=None)

    def notes(revision):
        rewrite(tmp_path / "a", {"base_model_name_or_path": "me/tiny", "revision": revision})
        setting = SimpleNamespace(model=start, model_key="key")
        return base_notes([read_adapter(tmp_path / "a")], model, setting)

    for same in (None, "main", "same", here):
        assert not notes(same), same
    for revision in ("dev", other, "gone"):
        (note,) = notes(revision)
        assert f"names revision {revision!r} of its base model 'me/tiny', and the start" in note


def test_settings_that_peft_does_not_have_are_noted(llama, tmp_path):
    trained_adapter(llama, tmp_path / "a", r=2)
    world = SimpleNamespace(model=llama, setting=SimpleNamespace(model=None))
    given = GivenAdapters([str(tmp_path / "a")], "method.paths")
    rewrite(tmp_path / "a", {"base_model_name_or_path": None})
    assert not given.notes(world)
    rewrite(tmp_path / "a", {"later_bias": False, "scale_multiplier": 3.0, "ema": {"decay": 0.9}})
    (note,) = given.notes(world)
    assert "sets ema, scale_multiplier, which PEFT" in note


@pytest.mark.parametrize("what", ["tokenizer", "chat template"])
def test_another_tokenizer_beside_an_adapter_is_noted(llama, tmp_path, what):
    folder = tmp_path / "a"
    trained_adapter(llama, folder, r=2)
    rewrite(folder, {"base_model_name_or_path": None})
    world = SimpleNamespace(model=llama, setting=SimpleNamespace(model=None))
    given = GivenAdapters([str(folder)], "method.paths")
    before = given.digest()
    llama.tokenizer.save_pretrained(folder)
    assert not given.notes(world)
    if what == "chat template":
        (folder / "chat_template.jinja").write_text("{{ messages[0].content }}!")
    else:
        stored = json.loads((folder / "tokenizer.json").read_text())
        stored["normalizer"] = {"type": "Lowercase"}
        (folder / "tokenizer.json").write_text(json.dumps(stored))
    (note,) = given.notes(world)
    assert f"Adapter {str(folder)!r} has another {what} in its folder than the start" in note
    assert given.digest() != before
    for file in folder.glob("tokenizer*"):
        file.unlink()
    assert bool(given.notes(world)) == (what == "chat template")


def test_an_exported_adapter_states_the_files_of_its_start_model(llama, tmp_path):
    """Which may have changed since, at the same path."""
    llama.network.save_pretrained(tmp_path / "own")
    trained_adapter(llama, tmp_path / "a", r=2)
    rewrite(tmp_path / "a", {"base_model_name_or_path": str(tmp_path / "own")})
    start = Model(name="hf", path=str(tmp_path / "own"), pad_token=None)
    stated = {"name": "own", "digest": "key", "files": model_digest(start.path)}

    def notes(key):
        text = json.dumps({"start_model": stated})
        (tmp_path / "a" / "paretosteer.json").write_text(text)
        setting = SimpleNamespace(model=start, model_key=key)
        return base_notes([read_adapter(tmp_path / "a")], llama, setting)

    assert not notes("key") and not notes("with another padding token")
    network = copy.deepcopy(llama.network)
    network.model.norm.weight.data *= 2
    network.save_pretrained(tmp_path / "own")
    (note,) = notes("another key")
    assert "exported from a policy whose start model, 'own', had other files" in note
    (tmp_path / "a" / "paretosteer.json").write_text("{")
    with pytest.raises(UsageError, match=r"its paretosteer\.json is damaged"):
        read_adapter(tmp_path / "a")


def test_an_adapter_of_a_base_model_with_other_tokens_is_refused(llama, tmp_path):
    """Though its layers fit."""
    trained_adapter(llama, tmp_path / "a", r=2)
    base = tmp_path / "base"
    rewrite(tmp_path / "a", {"base_model_name_or_path": str(base)})
    adapter = read_adapter(tmp_path / "a")
    check_bases([adapter], llama)  # no such folder: nothing to compare
    llama.network.save_pretrained(base)
    llama.tokenizer.save_pretrained(base)
    check_bases([adapter], llama)
    own = len(llama.tokenizer.get_vocab())
    grown = copy.deepcopy(llama.tokenizer)
    grown.add_tokens(["<new>"])
    grown.save_pretrained(base)
    told = rf"adapter '.*': its base model '.*base' has {own + 1} tokens, not {own} as in "
    with pytest.raises(UsageError, match=told):
        check_bases([adapter], llama)
    told = rf"has '<new>' as token {own}, which is no token in "
    own_grown = copy.deepcopy(llama.tokenizer)
    own_grown.add_tokens(["<other>"])
    with pytest.raises(UsageError, match=told):  # of the same size
        check_bases([adapter], replace(llama, tokenizer=own_grown))
    for file in base.glob("*token*"):
        file.unlink()
    check_bases([adapter], llama)  # without a tokenizer by the sizes of the configurations
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"vocab_size": 7}))
    told = rf"has a vocabulary of 7, not {llama.network.config.vocab_size} as in "
    with pytest.raises(UsageError, match=told):
        check_bases([adapter], llama)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(UsageError, match=r"has no readable adapter_config\.json"):
        read_adapter(tmp_path)
    with pytest.raises(UsageError, match="'gone': is not a folder; use a PEFT LoRA folder"):
        read_adapter(Path("gone"))


def rewrite(folder, edit):
    """Edit the configuration of a saved adapter."""
    config = json.loads((folder / "adapter_config.json").read_text())
    (folder / "adapter_config.json").write_text(json.dumps(config | edit))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"lora_alpha": None}, r"lora_alpha in adapter_config\.json is None; set it"),
        ({"use_rslora": "false"}, r"use_rslora in adapter_config\.json is 'false'"),
        ({"use_lora_of_tomorrow": True}, "use_lora_of_tomorrow is not a sum of low-rank deltas"),
        ({"lora_alpha": True}, r"lora_alpha in adapter_config\.json is True"),
        ({"lora_alpha": "16"}, r"lora_alpha in adapter_config\.json is '16'"),
        ({"alpha_pattern": {"q_proj": None}}, r"alpha_pattern\.q_proj in .* is None"),
        ({"alpha_pattern": {"q_(proj": 2}}, r"'q_\(proj' in alpha_pattern .* not a valid pattern"),
        ({"alpha_pattern": ["q_proj"]}, r"alpha_pattern in .* use a mapping"),
        ({"rank_pattern": {"[": 2}}, r"'\[' in rank_pattern .* not a valid pattern"),
        (
            {"rank_pattern": {"up_proj": 3}},
            r"up_proj' have rank 2, but .* says 3",
        ),
        ({"r": 4}, r"have rank 2, but adapter_config\.json says 4"),
        ({"r": None}, r"r in adapter_config\.json is None"),
    ],
)
def test_a_configuration_that_does_not_fit_the_factors(llama, tmp_path, edit, message):
    trained_adapter(llama, tmp_path, r=2)
    read_adapter(tmp_path)
    rewrite(tmp_path, edit)
    with pytest.raises(UsageError, match=message) as refused:
        read_adapter(tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("targets", [["q_proj", "up_proj"], r".*\.(q|up)_proj"])
def test_a_target_module_without_factors(llama, tmp_path, targets):
    trained_adapter(llama, tmp_path, r=2)
    rewrite(tmp_path, {"target_modules": targets})
    check_adapters(llama.network, [read_adapter(tmp_path)])
    weights = tmp_path / "adapter_model.safetensors"
    kept = {k: v for k, v in load_file(weights).items() if "layers.1.self_attn" not in k}
    save_file(kept, weights)
    with pytest.raises(UsageError, match=r"name 'model\.layers\.1\.self_attn\.q_proj', but it has"):
        check_adapters(llama.network, [read_adapter(tmp_path)])
    rewrite(tmp_path, {"exclude_modules": r".*1\.self_attn\.q_proj"})
    check_adapters(llama.network, [read_adapter(tmp_path)])
    rewrite(tmp_path, {"target_modules": "(", "exclude_modules": None})
    with pytest.raises(UsageError, match=r"target_modules in .*, '\(', is not a valid pattern"):
        check_adapters(llama.network, [read_adapter(tmp_path)])


def test_only_some_layers_are_targets(llama, tmp_path):
    trained_adapter(llama, tmp_path, r=2, layers_to_transform=[1])
    adapter = read_adapter(tmp_path)
    assert all(".1." in name for name in adapter.layers)
    check_adapters(llama.network, [adapter])
    rewrite(tmp_path, {"layers_to_transform": [0]})
    with pytest.raises(UsageError, match=r"of 'model\.layers\.1\..*' and 1 others, which its ad"):
        check_adapters(llama.network, [read_adapter(tmp_path)])
    rewrite(tmp_path, {"layers_to_transform": [0, 1]})
    with pytest.raises(UsageError, match=r"name 'model\.layers\.0\..*' and 1 others"):
        check_adapters(llama.network, [read_adapter(tmp_path)])


def test_adapter_names_inside_keys(model, tmp_path):
    expected = trained_adapter(model, tmp_path, model.name, r=2)
    weights = tmp_path / "adapter_model.safetensors"
    tensors = load_file(weights)

    def named(adapter):
        return {k.replace(".weight", f".{adapter}.weight"): v.clone() for k, v in tensors.items()}

    save_file(named("default"), weights)
    policy = TextPolicy(model, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [read_adapter(tmp_path)])
    torch.testing.assert_close(logits(policy, [1.0]), expected, atol=1e-5, rtol=1e-4)
    for several in (named("one") | named("two"), named("one") | tensors):
        save_file(several, weights)
        with pytest.raises(UsageError, match=r"holds several adapters, such as 'one"):
            read_adapter(tmp_path)


def test_factors_that_hit_nothing(llama, tmp_path):
    trained_adapter(llama, tmp_path, r=2)
    weights = tmp_path / "adapter_model.safetensors"
    save_file({k.replace(".layers.", ".h."): v for k, v in load_file(weights).items()}, weights)
    with pytest.raises(UsageError, match=r"its layer 'model\.h\.0\..* is not in LlamaForCausalLM"):
        check_adapters(llama.network, [read_adapter(tmp_path)])
