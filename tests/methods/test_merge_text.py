"""Merges of a language model: cells, given adapters, restored and exported."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_model import SMALL, write_lora, write_model
from transformers import AutoModelForCausalLM

from paretosteer import restore_cell
from paretosteer.errors import UsageError
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, run_one

FAST = "method.learning_rate=0.1"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("merge")


@pytest.fixture(scope="module")
def model(place):
    return write_model(place / "model")


@pytest.fixture(scope="module")
def paths(place, model):
    other = {"r": 5, "use_rslora": True, "target_modules": ["q_proj", "o_proj"]}
    one, two = place / "one", place / "two"
    return [write_lora(one, model), write_lora(two, model, seed=1, **other)]


def run(place, model, *words):
    where = [f"sweep_dir='{place}'", "model=hf", f"model.path='{model}'"]
    config = compose_cell([*where, *SMALL, "method=merge", *words])
    record = run_one(PlannedCell.of(config))
    assert record.status == "ok", record.explanation
    return record, config.folder / f"seed0-{record.identity}"


def given(paths):
    return f"method.paths=[{','.join(map(str, paths))}]"


def test_a_merge_is_stored_in_full(place, model):
    ties, folder = run(place, model, "method.kind=ties", FAST)
    soup, _ = run(place, model, "method.kind=task_arithmetic", FAST)
    assert ties.cost.trained_parameters == soup.cost.trained_parameters
    state = load_file(folder / "checkpoint" / "policy.safetensors")
    start = AutoModelForCausalLM.from_pretrained(model)
    for name, delta in state.items():
        layer = name.split(".", 2)[2].removesuffix(".delta")
        assert delta.shape == start.get_submodule(layer).weight.shape
        assert float((delta != 0).double().mean()) == pytest.approx(0.2, abs=0.01)
    numbers = sum(x.numel() for x in state.values())
    assert ties.cost.stored_bytes >= 4 * numbers


@pytest.mark.parametrize("kind", ["ties", "regmean"])
def test_a_merge_exports_the_model_that_it_samples_from(place, model, kind):
    words = ["method.examples=6"] if kind == "regmean" else []
    _, folder = run(place, model, f"method.kind={kind}", FAST, *words)
    cell, mu = restore_cell(folder), [0.3, 0.7]
    out = place / f"exported-{kind}"
    cell.export(mu, out)  # loads what it wrote and compares the logits
    plain, start = (AutoModelForCausalLM.from_pretrained(where) for where in (out, model))
    moved = [
        name
        for name, value in plain.state_dict().items()
        if not torch.equal(value, start.state_dict()[name])
    ]
    assert moved
    with pytest.raises(UsageError, match=f"--as peft: a merge by {kind} has full rank"):
        cell.export(mu, place / "adapter", form="peft")
    lines = [json.loads(x) for x in (folder / "samples.jsonl").read_text().splitlines()]
    record = json.loads((folder / "record.json").read_text())
    prompts = {prompt.id: prompt for prompt in cell.benchmark.prompts("test")}
    for line in lines[:4]:
        control = cell.control([record["points"][line["point"]]["preference"]])
        prompt = prompts[line["prompt_id"]]
        (text,) = cell.method.policy.answer([prompt], control, 0, [line["sample"]]).texts
        assert text == line["text"]


@pytest.mark.parametrize("kind", ["ties", "task_arithmetic", "regmean"])
def test_given_adapters_are_merged_without_training(place, model, paths, kind):
    words = ["method.examples=6"] if kind == "regmean" else []
    record, folder = run(place, model, f"method.kind={kind}", given(paths), *words)
    assert record.cost.train_steps == record.cost.trained_parameters == 0
    cell = restore_cell(folder)
    adapter = load_file(paths[0] / "adapter_model.safetensors")
    layers = {"self_attn.q_proj", "self_attn.o_proj", "mlp.up_proj"}
    assert {name.split(".", 3)[3] for name in cell.method.policy.layers} == layers
    a, b = (adapter[f"base_model.model.model.layers.1.mlp.up_proj.lora_{x}.weight"] for x in "AB")
    settings = json.loads((paths[0] / "adapter_config.json").read_text())
    expected = settings["lora_alpha"] / settings["r"] * b @ a
    layer = cell.method.policy.layers["model.layers.1.mlp.up_proj"]
    found = layer.materialise(torch.tensor([1.0, 0.0])) - layer.weight
    if kind == "ties":
        largest = expected.abs().flatten().topk(int(0.2 * expected.numel())).values
        assert found.abs()[found != 0].min() == pytest.approx(float(largest.min()), rel=1e-3)
        expected = torch.where(found != 0, expected, 0.0)
        assert (found != 0).double().mean() == pytest.approx(0.2, abs=0.01)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert cell.answer(["One day,"], np.eye(2)) != []


def test_other_numbers_of_adapters_are_refused(place, model, paths):
    for chosen, message in (
        (paths[:1], r"method\.paths: found 1 adapter; a merge needs two"),
        ([*paths, paths[0]], r"method\.paths: 3 adapters for 2 objectives"),
    ):
        with pytest.raises(UsageError, match=message):
            run(place / "refused", model, given(chosen))
    assert not (place / "refused").exists()
