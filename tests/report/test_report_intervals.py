"""Intervals with replicates as the outer level: from five on, paired, seeds and folds alike."""

from pathlib import Path

import pytest
from report_cells import GRID, moved, only, width, write_bandit, write_cell, write_folds

from paretosteer import leaderboard
from paretosteer.report.figures.all_figures import REGRET, render
from paretosteer.report.outputs.notes import notes


def write_seeds(sweep: Path, method: str, count: int, step: float, noise: float = 0.0) -> None:
    """Seeds each `step` further than the one before."""
    for seed in range(count):
        by = seed * (step - 0.05)  # the builder adds 0.05
        write_cell(sweep, method, moved(by), grid=GRID, noise=noise, seed=seed)


@pytest.mark.parametrize(
    ("count", "step", "wide"), [(4, 0.5, False), (5, 0.5, True), (5, 0.0, False)]
)
def test_enough_seeds_are_resampled_too(
    tmp_path: Path, count: int, step: float, wide: bool
) -> None:
    write_seeds(tmp_path, "clp", count, step)
    result = only(tmp_path)
    figures = result.rows[0].figures
    assert (width(figures) > 1) == wide
    assert result.outer == (count == 5)
    assert ("prompts and seeds" in notes(result)[0]) == result.outer
    assert ("With fewer than five" in notes(result)[0]) != result.outer
    bands = result.rows[0].curves
    assert bands
    assert ((bands.band.high - bands.band.low).min() > 0.1) == wide


def test_seeds_that_differ_widen_the_interval_and_others_do_not(tmp_path: Path) -> None:
    for name, count, step in (("four", 4, 1.0), ("alike", 5, 0.0), ("unlike", 5, 1.0)):
        write_seeds(tmp_path / name, "clp", count, step, noise=0.4)
    four, alike, unlike = (
        only(tmp_path / name).rows[0].figures for name in ("four", "alike", "unlike")
    )
    assert width(unlike) > 3 * width(four)
    assert width(alike) < 2 * width(four)


def test_one_row_with_few_seeds_keeps_all_to_prompts(tmp_path: Path) -> None:
    write_seeds(tmp_path, "clp", 5, 0.5)
    write_seeds(tmp_path, "morl", 4, 0.5)
    result = only(tmp_path)
    assert not result.outer
    assert width(result.rows[0].figures) == 0


def test_the_outer_level_is_paired(tmp_path: Path) -> None:
    write_seeds(tmp_path, "clp", 5, 0.5)
    for seed in range(5):  # always 0.1 behind
        by = seed * 0.45 - 0.1
        write_cell(tmp_path, "morl", moved(by), grid=GRID, noise=0, seed=seed)
    row = only(tmp_path).rows[1].figures
    assert width(row) > 5
    assert row["hypervolume_behind_low"] > 0
    assert width(row, "hypervolume_behind") < 1


def test_seeds_go_with_their_fold(tmp_path: Path) -> None:
    """Seeds of a fold share its data: three of each do not make 15 independent replicates."""
    shifts = {fold: fold / 2 for fold in range(1, 6)}
    for seed in range(3):
        write_folds(tmp_path / "many", "clp", shifts, seed=seed)
    write_folds(tmp_path / "one", "clp", shifts, seed=0)
    many, one = only(tmp_path / "many"), only(tmp_path / "one")
    assert many.outer and one.outer
    assert "over prompts and folds" in notes(many)[0]
    wide, narrow = (width(result.rows[0].figures) for result in (one, many))
    assert narrow == pytest.approx(wide, rel=0.15)


def test_few_folds_of_many_seeds_are_too_few(tmp_path: Path) -> None:
    for seed in range(3):
        write_folds(tmp_path, "clp", {1: 0, 2: 1}, seed=seed)
    result = only(tmp_path)
    assert not result.outer
    assert "With fewer than five folds" in notes(result)[0]


@pytest.mark.figures
def test_regret_has_intervals_over_replicates(tmp_path: Path) -> None:
    for seed in range(5):
        write_bandit(tmp_path, "clp", 0.5 + 0.1 * seed, grid=GRID, noise=0, seed=seed)
        write_bandit(tmp_path, "morl", 0.9 - 0.05 * seed, grid=GRID, seed=seed)
    board = leaderboard(tmp_path)
    for _, row in board.iterrows():
        assert row["oracle_regret_low"] < row["oracle_regret"] < row["oracle_regret_high"]
    result = only(tmp_path)
    assert "regret has intervals over seeds only" in " ".join(notes(result))
    assert "Bands are 95 % intervals over seeds." in REGRET.caption(result)
    assert render(result, REGRET, "png")
