"""Checks of the columns `chosen` and `rejected` against the other columns of a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from paretosteer.text.pairs.column_names import UNUSED
from paretosteer.text.pairs.compared_answers import FEWEST, two_answers
from paretosteer.text.pairs.dialogue_sides import SIDES, Values
from paretosteer.text.pairs.rated_answers import any_number

_SCORE = re.compile("score|rating|reward", re.IGNORECASE)
_MODEL = re.compile("model|generator|policy|engine|source", re.IGNORECASE)
_TIE = re.compile(r"(a )?(tie|draw)( \(.*\))?|tied|both.?bad|equal", re.IGNORECASE)
_IS_TIE = re.compile(r"(is_)?tied?|draw", re.IGNORECASE)


def check_sides(rows: Sequence[Values]) -> None:
    """Refuse sides that only say where the answers are, and sides that scores contradict.

    Raises
    ------
    ValueError
        If `chosen` and `rejected` hold numbers of answers, or names of columns or of the models
        that other columns name, if another column
        says that some rejected answers are the better ones, or if most rows have a higher score for
        the rejected answer.

    """
    given = _with_both(rows)
    if given and all(_refers(row) for row in given):
        found = " and ".join(repr(given[0][side]) for side in SIDES)
        remedy = (
            "set `winner` to chosen"
            if two_answers(given[0]) and given[0][SIDES[0]] not in _models(given[0])
            else "write the answers themselves into these columns"
        )
        raise ValueError(
            f"chosen and rejected, such as {found}, only say which of the row's other values is "
            f"the better answer; {remedy}"
        )
    for name in [name for name in given[0] if name not in (*SIDES, UNUSED)] if given else ():
        values = [row[name] for row in given if row.get(name) is not None]
        if all(_side(value) for value in values) and any(_side(v) == SIDES[1] for v in values):
            wrong = sum(_side(value) == SIDES[1] for value in values)
            raise ValueError(
                f"{name} is {SIDES[1]!r} in {wrong} of {len(values)} rows; swap the sides of these "
                f"rows, or if it means something else, set columns: {{{UNUSED}: {name}}}"
            )
    for name, other, wrong, of in _contradictions(given):
        if of >= FEWEST and wrong > of / 2:
            raise ValueError(
                f"{other} is above {name} in {wrong} of {of} rows, so the sides seem to be "
                "swapped; set columns: {chosen: rejected, rejected: chosen}, or if the scores "
                f"measure something else, columns: {{unused: {name}}}"
            )


def contradictions(rows: Sequence[Values]) -> list[str]:
    """Sentences on rows that are ties, or whose rejected answer has a higher score."""
    given = _with_both(rows)
    found = [
        f"{other} is above {name} in {wrong} of {of} rows"
        for name, other, wrong, of in _contradictions(given)
        if wrong
    ]
    for name in given[0] if given else ():
        if ties := sum(_is_tie(str(name), row.get(name)) for row in given):
            found.append(f"{name} says that {ties} of {len(given)} rows are ties")
    return [f"{each}; chosen and rejected decide." for each in found]


def _is_tie(name: str, value: Any) -> bool:
    if isinstance(value, str) and name not in SIDES and _TIE.fullmatch(value.strip()):
        return True
    return _IS_TIE.fullmatch(name) is not None and value in (True, 1, "true", "True", "1")


def _with_both(rows: Sequence[Values]) -> list[Values]:
    return [row for row in rows if all(row.get(side) is not None for side in SIDES)]


def _contradictions(given: Sequence[Values]) -> Iterator[tuple[str, str, int, int]]:
    """Two columns of scores, the rows in which they contradict the sides, and those compared."""
    for name in [name for name in given[0] if _SCORE.search(str(name))] if given else ():
        other = str(name).replace("chosen", "rejected")
        scores = [(any_number(row.get(name)), any_number(row.get(other))) for row in given]
        signs = [a > b for a, b in scores if a is not None and b is not None and a != b]
        if other != name and signs:
            yield str(name), other, signs.count(False), len(signs)


def _side(value: Any) -> str | None:
    """Side that a value names, in any case."""
    named = value.strip().lower() if isinstance(value, str) else None
    return named if named in SIDES else None


def _refers(row: Values) -> bool:
    """True if both sides are numbers of the row's answers, or names of its columns or models."""
    sides = [str(row[side]) for side in SIDES]
    if sides[0] != sides[1] and all(side and _names(side, row) for side in sides):
        return True
    numbers = sorted(sides) in (["0", "1"], ["1", "2"])
    return numbers and (two_answers(row) is not None or any(map(_is_choice, row.values())))


def _names(side: str, row: Values) -> bool:
    """True if a side names a column, such as `model_a` for `model_a_answer`, or a model."""
    columns = [f"_{name}_".casefold() for name in row if name not in SIDES]
    return any(f"_{side}_".casefold() in name for name in columns) or side in _models(row)


def _models(row: Values) -> list[Any]:
    """Names of the models that wrote the answers."""
    return [value for name, value in row.items() if _MODEL.search(str(name))]


def _is_choice(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2
