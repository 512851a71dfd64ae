"""The coverage study in small, and what the committed one must show for the notes to be true."""

from pathlib import Path

import coverage_study
import numpy as np
import pytest
from coverage_study import THESE, TRAINING, World

from paretosteer.report.outputs.notes import EQUAL_APART

STUDY = Path(__file__).parents[2] / "results" / "reference" / "coverage.md"
LINEAR = ("mean", "utility", "utility difference")


def test_the_truth_is_known() -> None:
    exact = World("exact", 1, luck=0, wobble=0)
    truth = coverage_study.long_run(exact, seeds=2)
    assert truth["mean"] == pytest.approx(2 * np.sqrt(0.5))
    assert truth["utility"] == pytest.approx(20 * truth["utility difference"])
    assert truth["controllability"] == pytest.approx(1)


def test_in_small() -> None:
    small = World("small", 6, prompts=30)
    found = coverage_study.coverage(small, repeats=25)
    assert all(found[name, of] >= 0.8 for name in LINEAR for of in (TRAINING, THESE))
    alone = World("alone", 1, prompts=30, luck=1.0)
    found = coverage_study.coverage(alone, repeats=25)
    assert found["utility", TRAINING] < 0.6 < found["utility", THESE]
    assert coverage_study.false_alarms(small, 5) < 0.5 < coverage_study.false_alarms(alone, 5)


def test_as_markdown() -> None:
    text = coverage_study.report([World("alone", 1, prompts=10)], repeats=2)
    assert "| Interval of | with | alone |" in text
    assert f"| utility difference | {TRAINING} | " in text


def committed() -> dict[tuple[str, str], dict[str, float]]:
    """Percent covered by world, of each quantity and what is claimed about it."""
    head, _, *rows = table_of(STUDY.read_text(encoding="utf-8").partition("##")[0])
    return {
        (name, of): {
            world: float(value) for world, value in zip(head[2:], values, strict=True) if value
        }
        for name, of, *values in rows
    }


def table_of(text: str) -> list[list[str]]:
    """Rows of the Markdown table in a text."""
    lines = [each for each in text.splitlines() if "|" in each]
    return [[cell.strip() for cell in line.removesuffix("|")[1:].split("|")] for line in lines]


def test_what_the_committed_study_says() -> None:
    found = committed()
    assert set(found["mean", TRAINING]) == {world.name for world in coverage_study.WORLDS}
    many = [world.name for world in coverage_study.WORLDS if world.seeds >= 10]
    for name in LINEAR:
        assert all(92 <= found[name, TRAINING][world] <= 98 for world in many)
    for name in ("controllability", "steering regret"):
        assert all(share >= 90 for share in found[name, TRAINING].values())
    assert found["pairs undecided", "percent"]["easy"] <= 5
    for name in ("hypervolume", "hypervolume difference"):
        assert all(found[name, TRAINING][world] >= 90 for world in many)
    apart = found["equal methods apart", TRAINING]
    assert all(apart[world] <= 8 for world in many if world in apart)
    # What the notes say of few seeds.
    assert {1: apart["1 seed"], 3: apart["3 seeds"]} == EQUAL_APART
    assert found["utility difference", TRAINING]["3 seeds"] < 90
    assert found["hypervolume", TRAINING]["1 seed"] < 90


def test_thin_fronts_of_the_committed_study() -> None:
    head, _, *rows = table_of(STUDY.read_text(encoding="utf-8").partition("##")[2])
    assert head[:3] == ["Objectives", "Points", "Within 2 errors"]
    assert [int(row[0]) for row in rows] == list(coverage_study.THIN)
    for _, _, within, error, *covered in rows:
        assert float(within) >= 90 and float(error) <= 3
        assert all(float(each) >= 90 for each in covered if each)
