"""`method=adapters` from the command line: what others trained, souped and recorded."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from small_model import SMALL, errors, write_lora, write_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from paretosteer import leaderboard, restore_cell
from paretosteer.cells.plan import plan_cell
from paretosteer.cells.record import read_record
from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.storage.digest import with_digest
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, run_one

IDS = torch.tensor([[5, 6, 7, 8, 9]])


def words(model: Path, adapters: list[Path], *more: str) -> list[str]:
    listed = ",".join(f"'{path}'" for path in adapters)
    start = ["model=hf", f"model.path='{model}'"]
    return ["method=adapters", f"method.paths=[{listed}]", *start, *SMALL, *more]


def run(folder: Path, *given: str) -> int:
    return main(["run", f"sweep_dir={folder}", *given])


def only_cell(folder: Path) -> Path:
    (found,) = folder.rglob("record.json")
    return found.parent


@pytest.fixture(scope="module")
def souped(
    tmp_path_factory: pytest.TempPathFactory, model: Path, adapters: list[Path]
) -> dict[str, Path]:
    """A finished cell for each kind of coefficients."""
    folder = tmp_path_factory.mktemp("souped")
    bone = ["method.coefficients=bone_soup", "method.beta=0.7"]
    for name, more in (("plain", []), ("bone", bone)):
        run_one(
            PlannedCell.of(
                compose_cell([*words(model, adapters, *more), f"sweep_dir='{folder / name}'"])
            )
        )
    return {name: only_cell(folder / name) for name in ("plain", "bone")}


def test_nothing_is_trained_and_the_record_says_so(souped: dict[str, Path]) -> None:
    record = read_record(souped["plain"])
    cost = record.cost
    assert record.status == "ok" and len(record.points) == 3
    assert cost.train_steps == cost.train_tokens == cost.trained_parameters == 0
    factors = load_file(souped["plain"] / "checkpoint" / "policy.safetensors").values()
    assert cost.stored_bytes > 4 * sum(x.numel() for x in factors) > 0


def test_the_variant_names_the_coefficients(souped: dict[str, Path]) -> None:
    board = leaderboard(souped["plain"], souped["bone"])
    assert sorted(board["variant"]) == ["bone_soup, beta=0.7", "rewarded_soup"]


@pytest.mark.parametrize("method", ["adapters", "merge"])
def test_other_adapters_at_the_same_paths_are_no_second_seed(
    model: Path, adapters: list[Path], tmp_path: Path, method: str
) -> None:
    places = [shutil.copytree(path, tmp_path / path.name) for path in adapters]
    given = words(model, places, f"method={method}")
    assert run(tmp_path / "sweep", *given) == 0
    shutil.copytree(write_lora(tmp_path / "other", model, seed=2), places[0], dirs_exist_ok=True)
    assert run(tmp_path / "sweep", *given, "seed=1") == 0
    board = leaderboard(tmp_path / "sweep")
    assert board["seeds"].tolist() == [1, 1] and board["label"].is_unique


def test_the_vertices_are_the_plain_adapters(
    souped: dict[str, Path], model: Path, adapters: list[Path]
) -> None:
    cell = restore_cell(souped["plain"])
    policy = cell.method.policy
    for row, adapter in zip(torch.eye(2), adapters, strict=True):
        control = cell.control(row[None].tolist())
        torch.testing.assert_close(control.values, row[None])
        network = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model), adapter)
        with torch.no_grad():
            expected, found = network(IDS).logits, policy.materialise(row)(IDS).logits
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_bone_soup_coefficients_are_its_closed_form(souped: dict[str, Path]) -> None:
    control = restore_cell(souped["bone"]).control([[1.0, 0.0], [0.7, 0.3], [0.5, 0.5]])
    expected = torch.tensor([[1.75, -0.75], [1.0, 0.0], [0.5, 0.5]])
    torch.testing.assert_close(control.values, expected)


def test_adapters_are_mixed_at_every_token(
    model: Path, adapters: list[Path], tmp_path: Path
) -> None:
    """MOD: the softmax of the weighted log-probabilities of PEFT's own models."""
    assert run(tmp_path, *words(model, adapters, "method.coefficients=mod")) == 0
    cell = restore_cell(only_cell(tmp_path))
    control = cell.control([[0.25, 0.75]])
    assert control.passes == 2
    logs = []
    for adapter in adapters:
        network = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model), adapter)
        with torch.no_grad():
            logs.append(network(IDS).logits.log_softmax(dim=-1))
    policy: Any = cell.method.policy
    parts = [policy.materialise(row)(IDS).logits.log_softmax(dim=-1) for row in torch.eye(2)]
    expected = (0.25 * logs[0] + 0.75 * logs[1]).softmax(dim=-1)
    torch.testing.assert_close(control.combine(parts).softmax(dim=-1), expected)


def test_a_cell_needs_the_adapters_no_more(souped: dict[str, Path], tmp_path: Path) -> None:
    moved = tmp_path / souped["bone"].name
    shutil.copytree(souped["bone"], moved)
    record = json.loads((moved / "record.json").read_text())
    record["config"]["method"]["paths"] = ["./gone", "./away"]
    (moved / "record.json").write_text(json.dumps(with_digest(record)))
    one, other = (
        restore_cell(folder).answer(["Once upon a time,"], [[0.3, 0.7]])
        for folder in (souped["bone"], moved)
    )
    assert one == other and one[0].text


def test_digests_follow_the_content_and_not_the_place(
    model: Path, adapters: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in adapters:
        shutil.copytree(path, tmp_path / path.name)
    here = [tmp_path / path.name for path in adapters]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))

    def identity(*paths: Path, more: str = "seed=0") -> str:
        return plan_cell(compose_cell(words(model, list(paths), more))).identity

    first = identity(*adapters)
    assert identity(*here) == identity(Path("one"), Path("~/two")) == first
    assert identity(*reversed(adapters)) != first
    config = here[0] / "adapter_config.json"
    settings = json.loads(config.read_text())
    name = Path(settings["base_model_name_or_path"]).name
    config.write_text(json.dumps(settings | {"base_model_name_or_path": f"/elsewhere/{name}"}))
    assert identity(*here) == first
    config.write_text(json.dumps(settings | {"base_model_name_or_path": "another"}))
    assert identity(*here) != first  # the record notes it
    with pytest.raises(UsageError, match="are the same adapter"):
        identity(here[0], adapters[0])
    config.write_text(json.dumps(settings | {"lora_alpha": 1}))
    assert identity(*here) != first
    config.write_text(json.dumps(settings))
    weights = here[1] / "adapter_model.safetensors"
    tensors = load_file(weights)
    save_file({key: value * 2 for key, value in tensors.items()}, weights)
    assert identity(*here) != first


@pytest.mark.parametrize("again", ["same", "link", "copy"])
def test_one_adapter_is_no_soup(
    model: Path, adapters: list[Path], tmp_path: Path, again: str
) -> None:
    other = adapters[0] if again == "same" else tmp_path / again
    if again == "link":
        other.symlink_to(adapters[0])
    elif again == "copy":
        shutil.copytree(adapters[0], other)
    with pytest.raises(UsageError, match=f"'{adapters[0]}' and '{other}' are the same adapter"):
        plan_cell(compose_cell(words(model, [adapters[0], other])))


def test_a_second_run_repeats_nothing(
    souped: dict[str, Path],
    model: Path,
    adapters: list[Path],
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = souped["plain"].parents[2]
    nearby = [Path(os.path.relpath(path)) for path in adapters]
    assert run(folder, *words(model, nearby)) == 0
    assert "finished before, reused" in capfd.readouterr().err


def test_exported_ends_souped_again_write_the_same(
    cells: dict[str, Path], model: Path, tmp_path: Path
) -> None:
    """Bone Soup is linear in the preference, its extrapolation included."""
    cell = restore_cell(cells["bone_soup"])
    ends = [tmp_path / "one", tmp_path / "two"]
    for end, vertex in zip(ends, ([1.0, 0.0], [0.0, 1.0]), strict=True):
        cell.export(vertex, end, form="peft")
    config = compose_cell([*words(model, ends), f"sweep_dir='{tmp_path}'"])
    record = run_one(PlannedCell.of(config))
    assert record is not None and record.status == "ok"
    again = only_cell(tmp_path) / "samples.jsonl"
    assert again.read_text() == (cells["bone_soup"] / "samples.jsonl").read_text()


def test_worlds_without_text_are_unsupported(tmp_path: Path, adapters: list[Path]) -> None:
    listed = ",".join(f"'{path}'" for path in adapters)
    given = ["benchmark=bandit", "budget=smoke", "method=adapters", f"method.paths=[{listed}]"]
    assert run(tmp_path, *given) == 0
    record = read_record(only_cell(tmp_path))
    assert record.status == "unsupported"
    assert record.reason.startswith("bandit has no language model")


def test_a_tilde_needs_quotes_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "method=adapters", "method.paths=[~/a,b]") == 2
    (line,) = errors(capsys.readouterr().err)
    assert "with quotes around text that is more than a word" in line


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory, model: Path) -> dict[str, Path]:
    """Adapters that cannot be mixed on this model."""
    place = tmp_path_factory.mktemp("wrong")
    wider = write_model(place / "wider", width=20)
    larger = AutoModelForCausalLM.from_pretrained(model)
    larger.resize_token_embeddings(500)
    larger.save_pretrained(place / "larger")
    AutoTokenizer.from_pretrained(model).save_pretrained(place / "larger")
    shutil.copytree(model, place / "chatty")
    chatty = AutoTokenizer.from_pretrained(model)
    chatty.add_tokens(["<chat>"])
    chatty.save_pretrained(place / "chatty")
    head = {"target_modules": ["lm_head"]}
    return {
        "dora": write_lora(place / "dora", model, use_dora=True),
        "wider": write_lora(place / "of_wider", wider),
        "larger": write_lora(place / "of_larger", place / "larger", **head),
        "chatty": write_lora(place / "of_chatty", place / "chatty", seed=1),
        "gone": place / "gone",
    }


@pytest.mark.parametrize(
    ("second", "more", "message"),
    [
        (None, [], "method.paths: 1 adapter for 2 objectives"),
        ("gone", [], "gone': is not a folder; use a PEFT LoRA folder"),
        ("dora", [], "DoRA is not a sum of low-rank deltas"),
        ("wider", [], "is 24 x 20 in the adapter but 24 x 16 in the model"),
        ("larger", [], "'lm_head' in full with shape 500 x 16, but the model's is 401 x 16"),
        ("chatty", [], "chatty' has 402 tokens, not 401 as in 'model'; use an adapter that was"),
        (
            "chatty",
            ["method.coefficients=mod"],
            "chatty' has 402 tokens, not 401 as in 'model'; use an adapter that was",
        ),
        ("chatty", ["method=merge"], "chatty' has 402 tokens, not 401 as in 'model'"),
        (
            "right",
            ["method.beta=0.7"],
            "method.beta: has no effect with coefficients=rewarded_soup",
        ),
        ("right", ["method.coefficients=bone_soup"], "method.beta: required with"),
        (
            "right",
            ["method.coefficients=bone_soup", "method.beta=0.5"],
            "method.beta: 0.5 with 2 objectives makes the mixing matrix singular",
        ),
    ],
)
def test_bad_input_is_one_line_before_anything_is_written(
    refused: Callable[[list[str]], str],
    model: Path,
    adapters: list[Path],
    wrong: dict[str, Path],
    second: str | None,
    more: list[str],
    message: str,
) -> None:
    others = wrong | {"right": adapters[1]}
    chosen = [adapters[0], *([others[second]] if second else [])]
    last = refused(words(model, chosen, *more))
    assert last.startswith("paretosteer: ") and message in last
