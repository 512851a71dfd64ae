"""`modpo` with models of the margin that were trained elsewhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from small_model import SMALL, write_lora, write_model

from paretosteer import Control, Unconditioned, make_benchmark, restore_cell
from paretosteer.cells.plan import plan_cell
from paretosteer.cells.record import read_record
from paretosteer.commands.main import main
from paretosteer.storage.digest import with_digest
from paretosteer.sweeps.compose import compose_cell
from paretosteer.text.given_adapters import GivenAdapters
from paretosteer.text.read_peft import add_adapters, read_adapter
from paretosteer.training.margin_preference import MarginPreference


def words(margins: list[Path], *more: str) -> list[str]:
    listed = ",".join(f"'{path}'" for path in margins)
    given = ["method=modpo", "method.margin=models", f"method.margins=[{listed}]"]
    return [*given, "method.divisions=1", "budget.steps=2", *more]


def on_text(model: Path, margins: list[Path], *more: str) -> list[str]:
    return words(margins, "model=hf", f"model.path='{model}'", *SMALL, *more)


def test_they_are_not_trained_and_their_cost_is_unknown(
    model: Path, adapters: list[Path], tmp_path: Path
) -> None:
    assert main(["run", f"sweep_dir={tmp_path}", *on_text(model, adapters)]) == 0
    (found,) = tmp_path.rglob("record.json")
    record = read_record(found.parent)
    assert record.status == "ok" and record.cost_unknown and record.method_files
    assert record.cost.train_steps == 2 * 2  # of the two models alone
    log = (found.parent / "training.csv").read_text()
    assert "preference" in log and "margin" not in log
    page = (tmp_path / "report" / "index.html").read_text()
    assert "modpo (divisions=1, margin=models)*‡" in page.replace("<wbr>", "")
    content = json.loads(found.read_text())
    content["config"]["method"]["margins"] = ["./gone", "./away"]
    found.write_text(json.dumps(with_digest(content)))
    answer = restore_cell(found.parent).answer(["Once upon a time,"], [[0.3, 0.7]])
    assert answer[0].text


def test_the_margin_is_their_implicit_reward(model: Path, adapters: list[Path]) -> None:
    world = make_benchmark(
        "stories", model=str(model), budget="smoke", max_new_tokens=8, min_new_tokens=0
    )
    given = world.start_policy(Unconditioned(), 0)
    GivenAdapters(list(map(str, adapters)), "method.margins").fill(given, world.name)
    assert not any(parameter.requires_grad for parameter in given.parameters())
    lists = world.lists(np.random.default_rng(0), np.eye(2), 2)
    feedback = MarginPreference(world, 2, 0.3)
    feedback.given, feedback.specialists = given, {0: 0, 1: 1}
    found = feedback.rewards(world.start_policy(Unconditioned(), 0), lists)
    for k, adapter in enumerate(adapters):
        alone = world.start_policy(Unconditioned(), 0)
        add_adapters(alone, [read_adapter(adapter)])
        with torch.no_grad():
            own = alone.list_log_probs(lists.candidates, Control.soup([[1.0]] * 2))
        expected = 0.3 * (own - lists.start_log_probs)
        torch.testing.assert_close(found[..., k], expected, atol=1e-5, rtol=1e-4)
        assert expected.abs().max() > 0.01


def test_other_models_at_the_same_places_are_another_cell(
    model: Path, adapters: list[Path], tmp_path: Path
) -> None:
    places = [tmp_path / path.name for path in adapters]
    for path, place in zip(adapters, places, strict=True):
        shutil.copytree(path, place)

    def identity(*margins: Path) -> str:
        return plan_cell(compose_cell(on_text(model, list(margins)))).identity

    first = identity(*adapters)
    assert identity(*places) == first != identity(*reversed(places))
    shutil.rmtree(places[0])
    write_lora(places[0], model, seed=7)
    assert identity(*places) != first


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory, model: Path) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("wrong")
    other = write_model(place / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-3}))
    return {
        "other": write_lora(place / "of_other", other, seed=1),
        "wider": write_lora(place / "of_wider", write_model(place / "wider", width=20)),
        "gone": place / "gone",
    }


@pytest.mark.parametrize(
    ("second", "more", "message"),
    [
        (None, [], "method.margins: 1 adapter for 2 objectives; give one PEFT LoRA folder"),
        ("gone", [], "gone': is not a folder; use a PEFT LoRA folder"),
        ("wider", [], "is 24 x 20 in the adapter but 24 x 16 in the model"),
        ("other", [], "/other', and the start model is 'model'; use an adapter of the start model"),
        ("same", [], "are the same adapter"),
        ("right", ["method.margin=rewards"], "method.margins: has no effect with margin=rewards"),
    ],
)
def test_models_of_another_start_model_are_one_line_before_anything_is_written(
    refused: Callable[[list[str]], str],
    model: Path,
    adapters: list[Path],
    wrong: dict[str, Path],
    second: str | None,
    more: list[str],
    message: str,
) -> None:
    others = wrong | {"right": adapters[1], "same": adapters[0]}
    chosen = [adapters[0], *([others[second]] if second else [])]
    last = refused(on_text(model, chosen, *more))
    assert last.startswith("paretosteer: method.margins: ") and message in last


@pytest.mark.parametrize("benchmark", ["bandit", "ranking"])
def test_worlds_without_text_are_unsupported(
    tmp_path: Path, model: Path, adapters: list[Path], benchmark: str
) -> None:
    third = [write_lora(tmp_path / "third", model, seed=2)] * (benchmark == "ranking")
    given = words([*adapters, *third], f"benchmark={benchmark}", "budget=smoke")
    assert main(["run", f"sweep_dir={tmp_path}", *given]) == 0
    (found,) = tmp_path.rglob("record.json")
    record = read_record(found.parent)
    assert record.status == "unsupported"
    assert record.reason.startswith(f"{benchmark} has no language model for the PEFT adapters")
