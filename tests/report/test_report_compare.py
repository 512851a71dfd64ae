"""Two sweeps against each other: what changed, what did not, and what cannot be compared."""

import csv
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from report_cells import (
    GRID,
    Response,
    moved,
    write_cell,
    write_folds,
    write_missing,
    write_sweep,
    write_unscored,
)

from paretosteer.cells.cell import read_cell
from paretosteer.cells.scores import same_scores
from paretosteer.commands.main import main
from paretosteer.report import write_comparison
from paretosteer.report.analysis.changes import CellChange, RowChange, compare_sweeps
from paretosteer.report.outputs.comparison_files import COLUMNS


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "a", tmp_path / "b"


def write(
    sweep: Path, response: Response, *, seeds: int = 1, noise: float = 0.0, **options: Any
) -> None:
    for seed in range(seeds):
        write_cell(sweep, "clp", response, grid=GRID, seed=seed, noise=noise, **options)


def row_of(sides: tuple[Path, Path]) -> RowChange:
    (row,) = compare_sweeps(*sides).rows
    return row


def cell_of(sides: tuple[Path, Path]) -> CellChange:
    (cell,) = row_of(sides).cells
    return cell


def test_the_same_sweep_twice_is_unchanged(sides: tuple[Path, Path]) -> None:
    for side in sides:
        write(side, moved(0), seeds=2, noise=0.4)
    row = row_of(sides)
    assert row.status == "unchanged"
    assert row.remarks == []
    for each in (row, *row.cells):
        assert each.shifts and each.shifts.controllability
        assert each.shifts.hypervolume.before == each.shifts.hypervolume.after
        assert each.shifts.hypervolume.difference == 0
        assert each.shifts.hypervolume.interval == (0, 0)
        assert each.shifts.controllability.difference == 0


def test_figures_are_those_of_hand(sides: tuple[Path, Path]) -> None:
    """Above (−2, −2): (4, 2), (3, 3), (2, 4) cover 13, one further in each direction 22."""
    for side, by in zip(sides, (0, 1), strict=True):
        write(side, moved(by))
    cell = cell_of(sides)
    assert cell.status == "changed"
    assert cell.shifts
    volume = cell.shifts.hypervolume
    assert volume[:3] == pytest.approx((13, 22, 9))
    assert volume.interval == pytest.approx((9, 9))


def test_controllability_before_and_after(sides: tuple[Path, Path]) -> None:
    for side, slope in zip(sides, (2, -1), strict=True):
        write(side, lambda mu, slope=slope: slope * mu)
    shifts = row_of(sides).shifts
    assert shifts and shifts.controllability
    assert shifts.controllability == (1, -1, -2, None)


@pytest.mark.parametrize("seeds", [2, 5])
def test_intervals_are_paired(sides: tuple[Path, Path], seeds: int) -> None:
    """A small shift under common noise is significant, although separate intervals overlap."""
    for side, by in zip(sides, (0, 0.05), strict=True):
        write(side, moved(by), seeds=seeds, noise=0.4)
    row = row_of(sides)
    for each in (row, *row.cells):
        assert each.shifts
        difference, interval = each.shifts.hypervolume[2:]
        assert interval and 0 < interval.low < difference < interval.high
    means = [cell.shifts.hypervolume.difference for cell in row.cells if cell.shifts]
    assert row.shifts and row.shifts.hypervolume.difference == pytest.approx(sum(means) / seeds)


def test_replicates_are_resampled_from_five_on(sides: tuple[Path, Path]) -> None:
    before, after = sides
    for seed in range(5):
        write_cell(before, "clp", moved(0), grid=GRID, seed=seed, noise=0)
        write_cell(after, "clp", moved(0.2 * seed), grid=GRID, seed=seed, noise=0)
    row = row_of(sides)
    assert row.shifts and row.shifts.hypervolume.interval
    low, high = row.shifts.hypervolume.interval
    assert high - low > 1
    for cell in row.cells:
        assert cell.shifts and cell.shifts.hypervolume.interval
        assert cell.shifts.hypervolume.interval == pytest.approx(
            [cell.shifts.hypervolume.difference] * 2
        )


def test_cells_without_scores_and_on_one_side_only(sides: tuple[Path, Path]) -> None:
    before, after = sides
    error = {"type": "DivergenceError", "message": "loss | NaN", "stage": "train"}
    write(before, moved(0), seeds=2)
    write_cell(before, "clp", moved(0), grid=GRID, seed=3, noise=0)
    write_cell(after, "clp", moved(0), grid=GRID, seed=0, noise=0)
    write_unscored(after, "clp", "failed", seed=1, error=error)
    write_unscored(before, "clp", "failed", seed=2, error=error)
    write_cell(after, "clp", moved(0), grid=GRID, seed=2, noise=0)
    write_cell(after, "clp", moved(0), grid=GRID, seed=4, noise=0)
    write_unscored(before, "clp", "failed", seed=5, error=error)
    write_missing(after, "clp", seed=5)
    write_missing(after, "morl", seed=0)
    clp, morl = sorted(compare_sweeps(*sides).rows, key=lambda row: row.label)
    assert {cell.name: cell.status for cell in clp.cells} == {
        "seed 0": "unchanged",
        "seed 1": "failed now",
        "seed 2": "failed before",
        "seed 3": "only in A",
        "seed 4": "only in B",
        "seed 5": "failed before, missing now",
    }
    assert clp.status.startswith("1 unchanged; 1 failed now; ")
    assert "clp (seed 1): now: DivergenceError while in train: loss | NaN" in clp.remarks
    assert clp.shifts and clp.shifts.hypervolume.before == pytest.approx(13)  # of seed 0 alone
    assert morl.status == "only in B, missing"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"benchmark": {"version": "2"}}, "benchmark version 1 → 2"),
        ({"kl_coefficient": 0.5}, "KL coefficient 0 → 0.5"),
        ({"prompts": {"digest": "f" * 64}}, "test prompts 12 prompts ("),
    ],
)
def test_what_differs_is_named(
    sides: tuple[Path, Path], changes: dict[str, Any], told: str
) -> None:
    before, after = sides
    write(before, moved(0), seeds=2)
    write(after, moved(0), seeds=2, changes=changes)
    row = row_of(sides)
    assert row.status == "not comparable" and row.shifts is None
    (remark,) = row.remarks
    assert remark.startswith("clp (seed 0; seed 1): not comparable, since these differ: ")
    assert told in remark


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reference": [-3.0, -3.0]}, "reference (−2, −2) → (−3, −3)"),
        ({"normaliser": {"std": [0.5, 0.5]}}, "normaliser std (0.5, 0.25) → (0.5, 0.5)"),
        ({"dtype": "bfloat16"}, "precision float32 → bfloat16"),
    ],
)
def test_units_of_the_first_side_are_used(
    sides: tuple[Path, Path], changes: dict[str, Any], told: str
) -> None:
    """The fixture writes the same points in standard units, and converts them by the record's."""
    before, after = sides
    write(before, moved(0))
    write(after, moved(0), changes=changes)
    cell = cell_of(sides)
    assert cell.status == "compared in part"
    assert told in cell.reason
    assert "12 prompts and 3 preferences that both have, in A's units" in cell.reason
    assert cell.shifts and cell.shifts.hypervolume.before == pytest.approx(13)
    # In A's units, a deviation of 0.5 instead of 0.25 is twice as far.
    doubled = "normaliser" in changes
    # (2, 0), (1, 2), (0, 4) above (−2, −2) cover 4 · 2 + 3 · 2 + 2 · 2
    expected = 18 if doubled else 13
    assert cell.shifts.hypervolume.after == pytest.approx(expected)


def test_grids_are_compared_where_they_meet(sides: tuple[Path, Path]) -> None:
    """(2, 0) and (0, 2) above (−2, −2) cover 4 · 2 + 2 · 2."""
    before, after = sides
    write(before, moved(0))
    write_cell(after, "clp", moved(0), grid=[[1, 0], [0.6, 0.4], [0, 1]], noise=0)
    cell = cell_of(sides)
    assert cell.status == "compared in part"
    assert "2 preferences that both have" in cell.reason
    assert cell.reason.endswith("since these differ: preferences")
    assert cell.shifts and cell.shifts.hypervolume[:3] == pytest.approx((12, 12, 0))


def test_fewer_prompts_are_compared_with_the_same_prompts(sides: tuple[Path, Path]) -> None:
    before, after = sides
    write(before, moved(0), noise=0.4)
    write(after, moved(0), noise=0.4, prompts=4, changes={"prompts": {"digest": "f" * 64}})
    cell = cell_of(sides)
    assert "4 prompts and 3 preferences that both have" in cell.reason
    assert cell.shifts
    assert cell.shifts.hypervolume.before == pytest.approx(cell.shifts.hypervolume.after, abs=0.9)


def test_prompts_of_one_name_with_other_texts_are_not_compared(sides: tuple[Path, Path]) -> None:
    before, after = sides
    write(before, moved(0))
    write(after, moved(0), prompts=4, changes={"prompts": {"digest": "f" * 64}})
    (samples,) = after.rglob("samples.jsonl")
    samples.write_text(samples.read_text().replace('"Prompt ', '"Other '))
    assert cell_of(sides).status == "not comparable"


def test_several_settings_in_one_sweep_find_their_own(sides: tuple[Path, Path]) -> None:
    """Version 2 is in both sweeps, 1 only in the first."""
    before, after = sides
    write(before / "old", moved(0))
    for side in (before / "new", after):
        write(side, moved(0), changes={"benchmark": {"version": "2"}})
    rows = compare_sweeps(*sides).rows
    assert [(row.heading, row.status) for row in rows] == [
        ("stories (version 1) embedded", "only in A"),
        ("stories (version 2) embedded", "unchanged"),
    ]


def test_folds_are_compared_one_by_one(sides: tuple[Path, Path]) -> None:
    before, after = sides
    write_folds(before, "clp", {1: 0, 2: 0, 3: 0})
    write_folds(after, "clp", {1: 1})
    write_folds(after, "clp", {2: 1}, changes={"prompts": {"digest": "f" * 64}})
    row = row_of(sides)
    assert [(cell.name, cell.status) for cell in row.cells] == [
        ("fold 1, seed 0", "changed"),
        ("fold 2, seed 0", "not comparable"),
        ("fold 3, seed 0", "only in A"),
    ]
    assert row.shifts and row.shifts.hypervolume.difference == pytest.approx(9)


def test_rows_with_changed_settings_are_paired(
    sides: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for side, rate in zip(sides, (1, 2), strict=True):
        write(side, moved(0), rate=rate, steps=rate)
        write_cell(side, "morl", moved(rate), grid=GRID, steps=rate)
    clp, morl = compare_sweeps(*sides).rows
    assert (clp.label, clp.status) == ("clp", "unchanged")
    assert clp.changes == ("budget.steps 1 → 2", "method.rate 1 → 2")
    assert (morl.status, morl.changes) == ("changed", ("budget.steps 1 → 2",))
    assert main(["report", *map(str, sides), "--compare"]) == 0
    told = capsys.readouterr().out
    assert "changed in all of these rows: budget.steps 1 → 2\n" in told
    assert "clp: changed: method.rate 1 → 2\n" in told


def test_the_nearest_configuration_is_the_partner(sides: tuple[Path, Path]) -> None:
    """Equal settings first, then the fewest changes."""
    before, after = sides
    for rate, steps in ((1, 10), (2, 10), (3, 10)):
        write(before, moved(0), rate=rate, steps=steps)
    for rate, steps in ((3, 10), (2, 20), (5, 30)):
        write(after, moved(0), rate=rate, steps=steps)
    assert sorted(row.changes for row in compare_sweeps(*sides).rows) == [
        (),
        ("budget.steps 10 → 20",),
        ("budget.steps 10 → 30", "method.rate 1 → 5"),
    ]


def test_scores_are_the_same_to_the_bit_or_not(tmp_path: Path) -> None:
    def cell(name: str, **options: Any) -> Any:
        return read_cell(write_cell(tmp_path / name, "clp", moved(0), grid=GRID, **options))

    one = cell("one")
    assert same_scores(one, cell("again"))
    assert not same_scores(one, cell("noisier", noise=0.4 + 1e-12))
    dialled = [cell(str(dial), dials=({}, {"heat": dial})) for dial in (0.5, 0.6)]
    assert not same_scores(*dialled)


def test_the_same_scores_at_another_kl_are_changed(sides: tuple[Path, Path]) -> None:
    for side in sides:
        write(side, moved(0), changes={"kl_coefficient": 0.1})
    assert cell_of(sides).status == "unchanged"
    (drift,) = sides[1].rglob("drift.parquet")
    frame = pd.read_parquet(drift)
    frame.assign(kl=frame["kl"] + 1).to_parquet(drift)
    cell = cell_of(sides)
    assert cell.status == "changed"
    assert cell.shifts and cell.shifts.hypervolume.difference < 0


def test_files_and_table(sides: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    before, after = write_sweep(sides[0]), write_sweep(sides[1])
    write_cell(before, "clp", moved(0), seed=7, variant="a|b", rate=3)
    assert main(["report", str(before), str(after), "--compare"]) == 0
    told = capsys.readouterr().out
    assert "+0.000 [+0.000, +0.000]" in told and "1 unchanged; 1 failed before, failed now" in told
    assert f"in no row: {before}" in told and f"in no row: {after}" in told
    assert f"report: {after / 'report' / 'compare.md'}" in told
    page = (after / "report" / "compare.md").read_text()
    assert "| **clp (a\\|b)** |  |  |  |  | only in A |" in page
    assert "| +0.000 \\[+0.000, +0.000\\] |" in page
    with (after / "report" / "compare.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert tuple(lines[0]) == COLUMNS
    soup = [line for line in lines if line["method"] == "rewarded_soup"]
    assert [(line["level"], line["seed"]) for line in soup] == [
        ("row", ""),
        ("cell", "0"),
        ("cell", "1"),
    ]
    assert {line["unchanged"] for line in soup} == {"True"}
    assert {line["hypervolume_difference"] for line in soup} == {"0"}


def test_out_is_where_it_goes(sides: tuple[Path, Path], tmp_path: Path) -> None:
    for side in sides:
        write(side, moved(0))
    out = tmp_path / "out"
    assert write_comparison(*sides, out=out).page == out / "compare.md"
    assert sorted(path.name for path in out.iterdir()) == ["compare.csv", "compare.md"]
    assert not (sides[1] / "report").exists()


@pytest.mark.parametrize("count", [1, 3])
def test_two_folders_and_no_others(count: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", *["somewhere"] * count, "--compare"]) == 2
    assert capsys.readouterr().err == (
        f"paretosteer: --compare: needs two folders, found {count}; give the earlier sweep and the "
        "later one\n"
    )


def test_what_cannot_be_read_or_written_is_named(
    sides: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for side in sides:
        write(side, moved(0))
    file = tmp_path / "file"
    file.touch()
    words = ["report", *map(str, sides), "--compare", "--out", str(file)]
    assert main(words) == 2
    assert capsys.readouterr().err == f"paretosteer: --out: {file} is a file; give a folder\n"
    assert main(["report", str(sides[0]), str(tmp_path / "none"), "--compare"]) == 2
    assert "none: is not a folder" in capsys.readouterr().err
