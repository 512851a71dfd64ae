"""Text of any kind survives the way from the command line to a cell and its recorded command."""

import shlex

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paretosteer.config.schema import CellConfig, quoted
from paretosteer.errors import UsageError
from paretosteer.sweeps.compose import compose_cell, compose_sweep

# Every text that an argument of a command can be.
TEXT = st.text().filter(lambda text: "\0" not in text)
NAME = st.text("aZ_9 .-/:=,(}[\\", min_size=1, max_size=5).filter(lambda name: {*name} & {*"aZ"})
TRICKY = ["", "a\\", "\\'", "é & # ~ ; ! ' \" \\\\", "1", " null ", "null", "-inf", "/", "~", "a,b"]
TRICKY += [".", "a\n\tb\r\x1b"]
KEY = "benchmark.pairs"


def nested(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(values, max_size=3) | st.dictionaries(NAME, values, max_size=3)


@settings(max_examples=3, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=9))
@example(TRICKY)
def test_text_survives(texts: list[str]) -> None:
    texts = [text for text in texts if "${" not in text]  # a resolver is refused
    given = ["benchmark=preferences", f"{KEY}.helpful={quoted(texts)}"]
    (cell,) = compose_sweep(given)
    assert cell.benchmark.values["pairs"]["helpful"] == texts
    assert compose_cell(given) == cell
    assert compose_cell(shlex.split(cell.command)[2:]) == cell


@pytest.mark.parametrize("swept", ["{}", "choice({})"])
def test_text_survives_in_a_grid(swept: str) -> None:
    values = ",".join(map(quoted, TRICKY))
    cells = compose_sweep(["benchmark=preferences", f"{KEY}.helpful={swept.format(values)}"])
    assert [cell.benchmark.values["pairs"]["helpful"] for cell in cells] == TRICKY


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


@settings(max_examples=3, deadline=None)
@given(st.recursive(TEXT | st.none() | st.integers() | st.booleans(), nested, max_leaves=8))
def test_any_value_is_recorded(value: object) -> None:
    """A recorded command has the value that a configuration had, wherever that came from."""
    values = compose_cell(["benchmark=preferences"]).model_dump()
    values["benchmark"] |= {"pairs": {"helpful": value}, "start": {"x": value}, "template": value}
    cell = CellConfig.parse(values)
    assert compose_cell(shlex.split(cell.command)[2:]) == cell
