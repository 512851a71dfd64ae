"""A run that dies between any two file operations resumes and ends with the same results."""

import gc
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from dying import Death, watching
from small_cells import cell_folder, contents, names, plan, run_cell

from paretosteer.cells import evaluation
from paretosteer.cells.cell import read_cell
from paretosteer.cells.reuse import delete_results
from paretosteer.report import write, write_report
from paretosteer.storage import cache
from paretosteer.validation import validate

CLP = "method=clp"
OTHER = (CLP, "preferences.divisions=2")  # other points of the same training
FILES = {
    *("config.yaml", "checkpoint", "training.csv", "samples.jsonl", "drift.parquet"),
    *("scores.parquet", "stages.json", "record.json", ".lock"),
}


@pytest.fixture(autouse=True)
def _several_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MOST", 4)  # rows: one point in each block
    monkeypatch.setattr(gc, "collect", lambda: 0)  # slow, in a process with so many tests


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished") / "sweep"
    run_cell(folder, CLP)
    return folder


def crashes(before: Path, work: Callable[[Path], object], every: int = 1) -> Iterator[Path]:
    """The same folder again and again: after `work`, then as it died at each of its changes."""
    folder = Path(shutil.copytree(before, before.parent / "crashes"))
    with watching(folder) as undisturbed:
        work(folder)
    assert len(undisturbed.changes) > 10
    yield folder
    for last in range(0, len(undisturbed.changes), every):
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
        with watching(folder, last), pytest.raises(Death):
            work(folder)
        yield folder


def all_go_on(
    before: Path,
    overrides: Sequence[str],
    work: Callable[[Path], object] | None = None,
    every: int = 1,
) -> None:
    """A cell that dies shows no invalid result, resumes, and ends like one that did not."""
    died = crashes(before, work or (lambda folder: run_cell(folder, *overrides)), every)
    cell = cell_folder(next(died), *overrides)
    expected = contents(cell)
    for folder in died:
        was = read_cell(cell).status if cell.exists() else "missing"
        assert was in {"missing", "ok", "unreadable"}
        assert run_cell(folder, *overrides)["status"] == "ok"
        assert contents(cell) == expected
        assert names(cell) == FILES


def damaged(finished: Path, tmp_path: Path, *files: str) -> Path:
    """A copy of a sweep in which some files of its cell are empty."""
    folder = Path(shutil.copytree(finished, tmp_path / "sweep"))
    for name in files:
        (cell_folder(folder, CLP) / name).write_bytes(b"")
    return folder


def test_a_new_cell(tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    all_go_on(tmp_path / "sweep", [CLP])


@pytest.mark.parametrize(
    ("files", "every"),
    [
        # A folder takes the place of another.
        pytest.param(["checkpoint/method.json"], 1, marks=pytest.mark.slow),
        (["training.csv", "scores.parquet"], 5),
        (["drift.parquet"], 2),
        (["scores.parquet"], 2),
        (["stages.json"], 5),
        (["record.json"], 1),
    ],
)
def test_a_damaged_cell(finished: Path, tmp_path: Path, files: list[str], every: int) -> None:
    all_go_on(damaged(finished, tmp_path, *files), [CLP], every=every)


def test_another_evaluation_of_a_cell(finished: Path, tmp_path: Path) -> None:
    all_go_on(damaged(finished, tmp_path), OTHER, every=2)


@pytest.mark.slow
def test_overwriting(finished: Path, tmp_path: Path) -> None:
    def overwrite(folder: Path) -> None:
        delete_results([plan(folder, CLP)])
        run_cell(folder, CLP)

    all_go_on(damaged(finished, tmp_path), [CLP], overwrite, every=3)


@pytest.mark.parametrize("old", [False, True], ids=["new", "over a damaged one"])
def test_an_entry_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool) -> None:
    def make(folder: Path) -> None:
        (folder / "sub").mkdir()
        for name in ("one", "sub/two"):
            (folder / name).write_text(name)

    def ask(root: Path) -> Path:
        monkeypatch.setenv("PARETOSTEER_CACHE", str(root))
        return cache.cached("pool", {"model": "x"}, make)

    before = tmp_path / "cache"
    before.mkdir()
    if old:
        (ask(before) / "sub" / "two").write_text("damaged")
    died = crashes(before, ask)
    expected = tree(next(died))
    for root in died:
        ask(root)
        assert tree(root) == expected


@pytest.mark.slow
def test_a_report(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two reports there is none that `validate` trusts; then the next is whole."""

    def report(folder: Path) -> object:
        return write_report([folder])

    monkeypatch.setattr(write, "render", lambda *drawing: b"<svg/>")  # slow
    before = damaged(finished, tmp_path)
    report(before)
    (before / "report" / "figures" / "fronts-9.svg").touch()  # of a table that no longer exists
    run_cell(before, "method=start")
    died = crashes(before, report, every=5)
    expected = tree(next(died) / "report")
    for folder in died:
        words = [each.word for each in validate(folder) if each.kind == "report"]
        assert words == ["not trusted"]
        report(folder)
        assert tree(folder / "report") == expected


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
