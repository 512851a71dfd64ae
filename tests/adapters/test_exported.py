"""Exports against the policy that they were made of, loaded as anybody would load them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from small_model import SMALL, errors, write_lora
from transformers import AutoModelForCausalLM, AutoTokenizer

from paretosteer import restore_cell
from paretosteer.commands.main import main
from paretosteer.serving.restore import Restored
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, run_one

MU = [0.3, 0.7]
FORMS = [
    *(("bone_soup", form) for form in ("model", "peft")),
    *(("factors", form) for form in ("model", "peft")),
    *(("head", form) for form in ("model", "peft")),
    *(("words", form) for form in ("model", "peft")),
    *(("one_each", form) for form in ("model", "peft")),
    ("vectors", "peft"),
    ("start", "model"),
]


def about(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "paretosteer.json").read_text())
    return found


def check_same(cell: Restored, network: object, prefix: str) -> None:
    """Log-probabilities of what the policy writes, prompt by prompt, no padding, no banks."""
    policy, prompts = cell.method.policy, cell.benchmark.prompts("test")[:2]
    control = cell.control([MU, MU])
    samples = policy.sample(prompts, control, 0, [0, 0])
    expected = policy.log_probs(samples, control)  # type: ignore[attr-defined]
    for row, prompt in enumerate(prompts):
        response = samples.response[row][samples.mask[row]]  # type: ignore[attr-defined]
        ids = cell.benchmark.model.tokenizer(prefix + prompt.text)["input_ids"]
        whole = torch.tensor([[*ids, *response.tolist()]])
        with torch.no_grad():
            logits = network(whole).logits[0, -len(response) - 1 : -1]  # type: ignore[operator]
        found = torch.log_softmax(logits, -1).gather(-1, response[:, None])[:, 0]
        torch.testing.assert_close(found, expected[row, : len(response)], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_what_is_exported_gives_the_policy_s_scores(
    cells: dict[str, Path], tmp_path: Path, name: str, form: str
) -> None:
    cell = restore_cell(cells[name])
    cell.export(MU, tmp_path / "out", form=form)  # type: ignore[arg-type]
    prefix = str(about(tmp_path / "out")["prefix"])
    assert bool(prefix) is (name == "words")
    auto = AutoModelForCausalLM if form == "model" else AutoPeftModelForCausalLM
    check_same(cell, auto.from_pretrained(tmp_path / "out").eval(), prefix)


@pytest.mark.parametrize("name", sorted({name for name, _ in FORMS} - {"start"}))
def test_training_moved_what_is_exported(cells: dict[str, Path], model: Path, name: str) -> None:
    """Else the comparison above would hold for the start model too."""
    cell = restore_cell(cells[name])
    start = AutoModelForCausalLM.from_pretrained(cell.plan.config.model.path)
    with pytest.raises(AssertionError, match="not close"):
        check_same(cell, start, "")


def test_a_bone_soup_leaves_with_its_negative_coefficients(
    cells: dict[str, Path], tmp_path: Path
) -> None:
    cell = restore_cell(cells["bone_soup"])
    vertex = cell.control([[1.0, 0.0]]).values
    assert vertex is not None and vertex.min() < -0.5
    cell.export([1.0, 0.0], tmp_path / "whole")
    cell.export([1.0, 0.0], tmp_path / "adapter", form="peft")
    base = AutoModelForCausalLM.from_pretrained(cell.plan.config.model.path)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "whole")
    adapted = PeftModel.from_pretrained(base, tmp_path / "adapter").merge_and_unload()
    for (name, one), (_, other) in zip(
        merged.named_parameters(), adapted.named_parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5, msg=name)


def test_a_whole_model_generates_as_the_benchmark_decodes(
    cells: dict[str, Path], tmp_path: Path
) -> None:
    restore_cell(cells["bone_soup"]).export(MU, tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    network = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    inputs = tokenizer(["One day,", "Lily was happy. Tom was"], padding=True, return_tensors="pt")
    written = network.generate(**inputs)
    assert inputs.input_ids.shape[1] < written.shape[1] <= inputs.input_ids.shape[1] + 8
    assert network.generation_config.do_sample and network.generation_config.top_k == 0


def test_the_command_says_what_it_wrote(
    cells: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "words"
    given = ["export", str(cells["words"]), "--preference", "0.3,0.7", "--out", str(out)]
    assert main(given) == 0
    assert capsys.readouterr().out == f"exported: {out}\n"
    readme = (out / "README.md").read_text()
    assert "positive: 0.30; varied: 0.70. \n" in readme and "AutoModelForCausalLM" in readme
    assert about(out)["preference"] == {"positive": 0.3, "varied": 0.7}
    assert main(given) == 2
    assert "exists and is not empty; use a new folder" in capsys.readouterr().err


def test_an_export_that_fails_leaves_nothing(
    cells: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("paretosteer.serving.export_folder.write_json", full)
    with pytest.raises(OSError, match="no space left"):
        restore_cell(cells["start"]).export(MU, tmp_path / "out")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("vectors", [], "--as model: this policy reads the preference as soft prompt vectors"),
        (
            "vectors",
            ["--as", "peft", "--dial", "temperature=2"],
            "--dial: a temperature other than 1",
        ),
        ("start", ["--as", "peft"], "the adapter would be empty; use --as model"),
        ("words", ["--dial", "kappa=0.1"], "'kappa' is not a dial of this clp; it has none"),
        ("vectors", ["--dial", "temp=2"], "did you mean 'temperature'?"),
        ("vectors", ["--dial", "temperature=0"], "temperature: found 0, expected above 0"),
        ("vectors", ["--dial", "temperature"], "use name=value"),
        ("words", ["--preference", "0.3;0.7"], "--preference: found '0.3;0.7'"),
        ("words", ["--preference", "0.3,0.8"], "simplex; use weights >= 0 that sum to 1; the obj"),
        ("words", ["--preference", "1"], "pass one per objective (2); the objectives are posit"),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    cells: dict[str, Path],
    tmp_path: Path,
    name: str,
    more: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    given = ["export", str(cells[name]), "--preference", "0.3,0.7", "--out", str(out), *more]
    assert main(given) == 2
    (line,) = errors(capsys.readouterr().err)
    assert message in line
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["model", "peft"])
def test_what_read_a_preference_in_the_prompt_says_so_where_it_runs_without(
    cells: dict[str, Path], model: Path, tmp_path: Path, form: str
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    given = ["method=start", f"model.path='{one}'"]
    restore_cell(cells["words"]).export(MU, one, form=form)  # type: ignore[arg-type]
    if form == "peft":
        restore_cell(cells["words"]).export([0.9, 0.1], two, form="peft")
        # Else the same weights: the preference is in the prompt alone.
        stated = about(two)
        del stated["weights"]
        (two / "paretosteer.json").write_text(json.dumps(stated))
        write_lora(two / "lora", model, seed=1)
        (two / "lora" / "adapter_model.safetensors").rename(two / "adapter_model.safetensors")
        (two / "lora" / "adapter_config.json").rename(two / "adapter_config.json")
        given = ["method=adapters", f"method.paths=['{one}','{two}']", f"model.path='{model}'"]
    config = compose_cell([f"sweep_dir='{tmp_path / 'sweep'}'", "model=hf", *SMALL, *given])
    record = run_one(PlannedCell.of(config))
    assert record.status == "ok"
    notes = [note for note in record.notes if "before every prompt" in note]
    assert len(notes) == (1 if form == "model" else 2)
    assert repr(about(one)["prefix"]) in notes[0]


@pytest.mark.parametrize("form", ["model", "peft"])
def test_a_description_of_other_weights_is_refused(
    cells: dict[str, Path],
    model: Path,
    tmp_path: Path,
    form: str,
    refused: Callable[[list[str]], str],
) -> None:
    """As when something else is saved over an export."""
    one, two = tmp_path / "one", tmp_path / "two"
    restore_cell(cells["bone_soup"]).export(MU, one, form=form)  # type: ignore[arg-type]
    restore_cell(cells["bone_soup"]).export([0.9, 0.1], two, form=form)  # type: ignore[arg-type]
    name = "model.safetensors" if form == "model" else "adapter_model.safetensors"
    shutil.copy(two / name, one / name)
    given = ["method=start", f"model.path='{one}'"]
    if form == "peft":
        write_lora(tmp_path / "lora", model, seed=1)
        paths = f"method.paths=['{one}','{tmp_path / 'lora'}']"
        given = ["method=adapters", paths, f"model.path='{model}'"]
    line = refused(["model=hf", *given, *SMALL])
    assert f"its paretosteer.json describes a {name} other than the one in the folder" in line


def test_a_damaged_description_is_refused_before_anything_is_trained(
    model: Path, tmp_path: Path, refused: Callable[[list[str]], str]
) -> None:
    folder = shutil.copytree(model, tmp_path / "start")
    for content in ("{", "[]", '{"start_model": {}, "weights": []}'):
        (folder / "paretosteer.json").write_text(content)
        line = refused(["method=clp", "model=hf", f"model.path='{folder}'", *SMALL])
        assert "its paretosteer.json is damaged; export the policy again" in line
