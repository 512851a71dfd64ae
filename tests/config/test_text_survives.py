"""Text of any kind survives the way from the command line to a cell and its recorded command."""

import shlex

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paretosteer.config.schema import CellConfig, quoted
from paretosteer.errors import UsageError
from paretosteer.sweeps.compose import compose_cell, compose_sweep

# A resolver, which `${` begins, is refused before anything is composed.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"])).filter(lambda t: "${" not in t)
KEY = "benchmark.pairs"


def same_cell(text: str) -> None:
    value = quoted(text)
    given = ["benchmark=preferences", f"++{KEY}.helpful={value}", "sweep_dir=x"]
    (cell,) = compose_sweep(given)
    assert cell.benchmark.values["pairs"]["helpful"] == text
    assert compose_cell(given) == cell
    assert compose_cell(shlex.split(cell.command)[2:]) == cell
    one, two = compose_sweep([*given[::2], f"++{KEY}.helpful={value},'other'"])
    assert (one, two.benchmark.values["pairs"]["helpful"]) == (cell, "other")
    one, two = compose_sweep([*given[::2], f"++{KEY}.helpful=choice({value},'other')"])
    assert one == cell


@settings(max_examples=5, deadline=None)
@given(TEXT)
@example("")
@example("a\\")
@example("\\'")
@example("é & # ~ ; ! ' \" \\\\")
@example("1")
@example(" null ")
@example("null")
@example("-inf")
@example(".")
@example("/")
@example("~")
@example("a,b")
def test_text_survives(text: str) -> None:
    same_cell(text)


@pytest.mark.parametrize("value", ["null", "''", "", "'null'", "[]", "{a b: 1, c: 'é'}"])
def test_a_value_is_the_same_in_a_sweep(value: str) -> None:
    given = ["benchmark=preferences", f"++{KEY}.helpful={value}"]
    (cell,) = compose_sweep(given)
    assert cell == compose_cell(given)
    assert compose_cell(shlex.split(cell.command)[2:]) == cell


def test_a_reference_in_quotes_of_a_grid_is_resolved() -> None:
    first, _ = compose_sweep(["model=hf", "model.path=choice('x/${benchmark.name}',y)"])
    assert first.model.path == "x/stories"


def test_a_literal_reference_survives() -> None:
    cell = compose_cell(["benchmark=preferences", rf"{KEY}.helpful='a\${{seed}}\\'"])
    assert compose_cell(shlex.split(cell.command)[2:]) == cell


@pytest.mark.parametrize("name", ["é", "1", "null", "it's", "a b\n"])
def test_a_name_that_no_override_can_spell_is_refused(name: str) -> None:
    values = compose_cell(["benchmark=preferences"]).model_dump()
    values["benchmark"]["pairs"][name] = "x"
    with pytest.raises(UsageError, match=r"benchmark\.pairs: the name .* cannot be written"):
        CellConfig.parse(values)


def test_the_folder_of_a_sweep_does_not_depend_on_the_cell() -> None:
    with pytest.raises(UsageError, match=r"sweep_dir: .* differs between cells"):
        compose_sweep(["seed=0,1", "sweep_dir=x/${seed}"])


def test_all_cells_of_a_sweep_have_one_time() -> None:
    cells = compose_sweep(["seed=0,1,2", "sweep_dir=x/${now:%f}"])
    assert len({cell.sweep_dir for cell in cells}) == 1
