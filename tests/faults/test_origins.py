"""Work that is reused under other libraries, on another device or for other inputs is noted."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from small_cells import SMALL, cell_folder, run_cell

from paretosteer.benchmarks.bandit.benchmark import Bandit
from paretosteer.cells import plan as plans
from paretosteer.cells import provenance, runner
from paretosteer.cells.maker import Maker
from paretosteer.metrics import Normaliser
from paretosteer.storage import origin
from paretosteer.storage.cache import cached, unfinished
from paretosteer.sweeps.compose import compose_cell
from paretosteer.tracking import make_tracker
from paretosteer.training.trainer import Trainer

SOUP = ("method=rewarded_soup", "budget.steps=2")
TORCH = provenance.versions()["torch"]


class Death(BaseException):
    pass


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path / "cache"))


@contextmanager
def elsewhere(monkeypatch: pytest.MonkeyPatch, what: str) -> Iterator[str]:
    """Other libraries or another kind of device; gives what a note says of it."""
    with monkeypatch.context() as patch:
        if what == "torch":
            versions = {**provenance.versions(), "torch": "2.0.0+old"}
            for module in (provenance, origin):
                patch.setattr(module, "library_versions", lambda: versions)
            yield f"torch 2.0.0+old (here {TORCH})"
        else:
            of = Maker.of
            patch.setattr(Maker, "of", lambda plan, device=None: of(plan, "cuda"))
            yield "device cuda (here cpu)"


def run_half(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that is killed before it scores."""

    def die(*_: Any) -> Any:
        raise Death

    with monkeypatch.context() as patch, pytest.raises(Death):
        patch.setattr(runner.CellRun, "score", die)
        run_cell(folder, *SOUP)


@pytest.mark.parametrize("what", ["torch", "device"])
def test_reused_stages_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    with elsewhere(monkeypatch, what) as other:
        run_half(tmp_path, monkeypatch)
    record = run_cell(tmp_path, *SOUP)
    note = f"Made with {other}, and reused: train, sample."
    assert note in record["notes"] and record["versions"]["torch"] == TORCH
    assert f"note: {note}" in capfd.readouterr().err
    # The caveat belongs to the samples, so it outlives a stage that runs again.
    (cell_folder(tmp_path, *SOUP) / "scores.parquet").unlink()
    assert note in run_cell(tmp_path, *SOUP)["notes"]
    fresh = run_cell(tmp_path / "fresh", *SOUP)
    assert not any("reused" in each for each in fresh["notes"])


@pytest.mark.parametrize("what", ["torch", "device"])
def test_a_finished_cell_says_by_what_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    with elsewhere(monkeypatch, what) as other:
        record = run_cell(tmp_path, *SOUP)
    capfd.readouterr()
    assert run_cell(tmp_path, *SOUP) == record
    said = capfd.readouterr().err
    assert f"note: Made with {other}, and reused: train, sample, score." in said


@pytest.mark.parametrize("what", ["torch", "device"])
def test_training_of_a_sweep_is_shared_by_its_like_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    trained, fit = [], Trainer.fit

    def counted(self: Trainer, phase: Any, *args: Any, **values: Any) -> Any:
        trained.append(phase)
        return fit(self, phase, *args, **values)

    monkeypatch.setattr(Trainer, "fit", counted)
    with elsewhere(monkeypatch, what):
        run_cell(tmp_path, *SOUP)
    count = len(trained)
    merge = ("method=merge", "budget.steps=2")
    run_cell(tmp_path, *merge, "method.kind=ties")
    assert len(trained) == 2 * count
    run_cell(tmp_path, *merge, "method.kind=task_arithmetic")
    assert len(trained) == 2 * count


def test_shared_training_of_a_sweep_brings_its_caveats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The soup was trained with an entry of the cache that others had made."""
    with elsewhere(monkeypatch, "torch") as other:
        cached("units", {"of": "bandit"}, lambda folder: None)
    note = f"Made with {other}, and reused from the cache: units."
    with monkeypatch.context() as patch:
        patch.setattr(Bandit, "__init__", with_units(Bandit.__init__))
        assert note in run_cell(tmp_path, *SOUP)["notes"]
    merge = ("method=merge", "budget.steps=2", "method.kind=ties")
    assert note in run_cell(tmp_path, *merge)["notes"]
    assert note in run_cell(tmp_path / "other", *merge)["notes"]
    assert not cell_folder(tmp_path / "other", *SOUP).exists()


@pytest.mark.parametrize("own", [False, True])  # trained by a cell of the sweep itself, or not
def test_training_that_was_shared_under_other_units_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    merge = ("method=merge", "budget.steps=2")
    note = "Trained and scored in different units: the start model was scored again in between"
    first = run_cell(tmp_path, *(SOUP if own else (*merge, "method.kind=ties")))
    assert not any(note in each for each in first["notes"])
    monkeypatch.setattr(Bandit, "normaliser", Normaliser((1.0, 1.0), (2.0, 2.0)))
    last = run_cell(tmp_path, *merge, "method.kind=task_arithmetic")
    assert sum(note in each for each in last["notes"]) == 1


def with_units(init: Any) -> Any:
    """A constructor that uses an entry of the cache."""

    def constructor(self: Any, *args: Any) -> None:
        init(self, *args)
        cached("units", {"of": "bandit"}, lambda folder: None)

    return constructor


def test_an_entry_of_the_cache_names_what_it_was_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features by an old library, a head trained on them by the new one."""

    def features(folder: Path) -> None:
        (folder / "features").touch()

    def head(folder: Path) -> None:
        cached("features", {}, features)

    with elsewhere(monkeypatch, "torch") as other:
        cached("features", {}, features)
        cached("letor", {}, features, exact=True)
    with origin.uses() as first:
        cached("reward", {}, head)
    with origin.uses() as second:
        cached("reward", {}, head)
        cached("letor", {}, features, exact=True)
    text = f"Made with {other}, and reused from the cache: "
    assert first.caveats() == [f"{text}features, reward."]
    assert second.caveats() == [f"{text}reward."]


def test_snapshots_of_shared_work_are_of_the_same_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = unfinished(tmp_path / "entry")
    with elsewhere(monkeypatch, "torch"):
        assert unfinished(tmp_path / "entry") != here
    assert unfinished(tmp_path / "entry") == here


@pytest.mark.parametrize("edited", ["preferences", "version"])
def test_a_cell_left_alone_says_that_its_inputs_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], edited: str
) -> None:
    grid = tmp_path / "points.txt"
    grid.write_text("1,0\n0,1\n")
    words = [word for word in SMALL if not word.startswith("preferences.")]
    words += [*SOUP, "preferences=file", f"preferences.path={grid}", f"sweep_dir={tmp_path}"]

    def run(*more: str) -> Any:
        config = compose_cell([*words, *more])
        return runner.run_cell(plans.plan_cell(config), make_tracker(config.tracker))

    record = run()
    capfd.readouterr()
    assert run("overwrite=never") == record
    assert "warning" not in capfd.readouterr().err
    if edited == "preferences":
        grid.write_text("0.9,0.1\n0.1,0.9\n")
    else:
        monkeypatch.setitem(plans.VERSIONS, "score", "other")
    assert run("overwrite=never") == record
    assert "before, not tried again" in (said := capfd.readouterr().err)
    assert "warning: its inputs have changed since" in said
