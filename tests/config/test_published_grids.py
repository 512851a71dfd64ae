"""Grids of preferences that papers published, by name."""

import itertools

import numpy as np
import pytest

from paretosteer.cells.plan import plan_cell
from paretosteer.cells.record import read_record
from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.findings import faults
from paretosteer.simplex import read_file
from paretosteer.sweeps.compose import compose_cell
from paretosteer.validation.cell_verdict import check_cell

BANDIT = ["benchmark=bandit", "method=start", "budget=smoke"]


def grid(name, *further):
    plan = plan_cell(
        compose_cell([*BANDIT, "benchmark.objectives=3", f"preferences={name}", *further])
    )
    return plan.grid()


def test_parm36_is_the_edges_in_tenths_and_the_interior_in_fifths():
    tenths = {each for each in itertools.product(range(11), repeat=3) if sum(each) == 10}
    edges = {each for each in tenths if 0 in each}
    interior = {each for each in tenths - edges if all(x % 2 == 0 for x in each)}
    assert (len(edges), len(interior)) == (30, 6)
    found = grid("parm36")
    assert {tuple(row) for row in np.rint(10 * found).astype(int).tolist()} == edges | interior
    assert len(found) == 36 and np.array_equal(found.sum(axis=1).round(12), np.ones(36))


def test_ric13_has_the_same_points_in_any_order_of_the_objectives():
    found = grid("ric13")
    assert found.shape == (13, 3)
    for order in itertools.permutations(range(3)):
        assert sorted(found[:, order].tolist()) == sorted(found.tolist())
    assert [1 / 3] * 3 in found.tolist()  # exactly
    assert sorted(found.max(axis=1).round(2)) == [
        0.33,
        *[0.4] * 3,
        *[0.6] * 3,
        *[0.8] * 3,
        *[1] * 3,
    ]


def test_the_released_centre_of_ric13_is_divided_by_its_sum_and_the_record_says_so(tmp_path):
    released = grid("ric13", "preferences.published=true")
    np.testing.assert_allclose(released, grid("ric13"), rtol=0, atol=1e-15)
    command = [*BANDIT, "benchmark.objectives=3", "preferences=ric13", f"sweep_dir={tmp_path}"]
    assert main(["run", *command, "preferences.published=true"]) == 0
    (path,) = tmp_path.rglob("record.json")
    assert any("sums to 0.99" in note for note in read_record(path.parent).notes)
    assert not faults(check_cell(path.parent).verdict.findings)


@pytest.mark.parametrize("name", ["parm36", "ric13"])
def test_another_number_of_objectives_is_one_line_before_anything_runs(name):
    with pytest.raises(UsageError, match=f"{name} is a grid for 3 objectives, found 2") as refused:
        plan_cell(compose_cell([*BANDIT, f"preferences={name}"]))
    assert "\n" not in str(refused.value)


def test_a_preference_that_a_file_repeats_is_refused(tmp_path):
    path = tmp_path / "grid.txt"
    path.write_text("1 0\n0.2 0.8\n0.20000000001,0.79999999999\n")
    with pytest.raises(UsageError, match=r"preferences.path: \[0.20.* is in .* more than once"):
        read_file(path, 2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_file_of_preferences_may_begin_with_a_byte_order_mark(tmp_path, encoding):
    path = tmp_path / "grid.csv"
    path.write_text("0.2,0.8\n1 0\n", encoding=encoding)
    assert read_file(path, 2).tolist() == [[0.2, 0.8], [1, 0]]
