"""Pairs of two answers, one of which is named, labelled or scored as the better one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paretosteer.text.dialogue import Dialogue, Turn
from paretosteer.text.pairs.dialogue_sides import Values, cell, compared
from paretosteer.text.pairs.messages import decoded, text
from paretosteer.text.pairs.pair import LeftOut, Pair
from paretosteer.text.pairs.prompt_columns import check_asked, prompt_column, prompt_of, with_system
from paretosteer.text.pairs.rated_answers import any_number, items, number

WINNERS = ("winner", "better_response_id", "safer_response_id", "preference", "choice", "preferred")
STRENGTHS = ("overall_preference", "preference_strength")  # HelpSteer3, HelpSteer2
_STRONGEST = 3
FEWEST = 8  # rows that show how a column is meant, such as by both signs of a strength
_STEM = "(response|answer|completion|output|conversation)"
_ENDS = (("0", "1"), ("1", "2"), ("a", "b"))
# Names such as `winner_model_a` or `is_response_0_safe`, whose 1 speaks for that answer.
_ONE_SIDE = re.compile(
    rf"(^|_)(model|{_STEM})_?[012ab](_|$)|(^|_)([ab]|first|second|left|right)(_|$)", re.IGNORECASE
)
# Names of columns that number the answers, while a label or a preference may speak for the first.
_NUMBERING = re.compile(
    r"(^|_)(winner|choice|chosen|better|best|preferred|index|idx|id)(_|\Z)", re.I
)
_WHOLE = re.compile(r"\A(-?\d+)\.0*\Z")
_TIES = (
    "-1",
    "tie",
    "tie (bothbad)",
    "both",
    "neither",
    "both_bad",
    "equal",
    "same",
    "none",
    "nan",
)


def two_answers(row: Values) -> tuple[str, str] | None:
    """Names of two columns such as `response_0` and `response_1`, `response1` or `answer_a`."""
    for ends in _ENDS:
        for name in row:
            match = re.fullmatch(f"{_STEM}(_?){ends[0]}", str(name), re.IGNORECASE)
            for end in (ends[1], ends[1].upper()) if match else ():
                other = f"{str(name)[:-1]}{end}"
                if other in row:
                    return str(name), other
    return None


def winner_columns(row: Values) -> list[str]:
    """Columns that may name the winner."""
    return [name for name in WINNERS if name in row]


def winner_parser(rows: Sequence[Values], column: str) -> Callable[[Values], Pair]:
    """Parser of two answers whose winner is a number or the name of a column.

    Numbers are those in the names of the columns; for letters, they begin at the smallest number
    of the file, as long as both occur.

    Raises
    ------
    ValueError
        If the numbers do not determine the winner.

    """
    names = next(filter(None, map(two_answers, rows)))
    ends = [name[-1].casefold() for name in names]
    given = {_key(row.get(column)) for row in rows}
    if _ONE_SIDE.search(column) and {"0", "1"} & given:
        raise ValueError(
            f"{column} is about one of the answers and does not name the better one; use a column "
            f"with {names[0]} or {names[1]} in each row"
        )
    if {"-1", "0", "1"} <= given and "2" not in given:
        raise ValueError(
            f"{column} is -1, 0 or 1, which does not say whether 0 or -1 is a tie; write the name "
            "of the better answer, and tie"
        )
    if ends == ["a", "b"]:
        numbers = given & {"0", "1", "2"}
        if "0" in numbers and not _NUMBERING.search(column):
            raise ValueError(
                f"{column} is {' or '.join(sorted(numbers))}, which does not say whether 1 speaks "
                f"for {names[0]} or for {names[1]}; write the name of the better one, or if 0 is "
                f"{names[0]}, set columns: {{winner: {column}}}"
            )
        if (numbers and not {"0", "2"} & numbers) or {"0", "2"} <= numbers:
            raise ValueError(
                f"{column} is {' or '.join(sorted(numbers))} in all rows, which does not say "
                f"whether {names[0]} is 0 or 1; write the name of the better one"
            )
        ends = ["1", "2"] if "2" in numbers else ["0", "1"]
    keys = {end: side for side, end in enumerate(ends)}
    for side, name in enumerate(names):
        letter = name[-1].casefold()
        keys |= {name.casefold(): side, f"model_{letter}": side}
        if letter.isalpha():
            keys[letter] = side

    wins = given & keys.keys()
    if "-1" in given and len({keys[key] for key in wins}) == 1 and len(rows) >= FEWEST:
        raise ValueError(
            f"{column} is -1 or {min(wins)} in all rows, which does not say whether -1 is a tie or "
            "the other answer; write the name of the better one"
        )

    def read(row: Values) -> Pair:
        value = cell(row, column)
        if _key(value) in _TIES or _key(value) == "":
            raise LeftOut("tie")
        if isinstance(value, bool) or _key(value) not in keys:
            first, second = ends
            raise ValueError(
                f"{column} is {value!r}, expected {first}, {second}, or -1 or null for a tie, "
                f"or {' or '.join(names)}"
            )
        return _pair(_prompt(row), row, names, keys[_key(value)])

    return read


def check_signs(rows: Sequence[Values], column: str) -> None:
    """Raise ValueError if a strength is never negative, as the number of an answer would be."""
    values = [_key(row.get(column)) for row in rows]
    if len(rows) >= FEWEST and not any(value.startswith("-") for value in values):
        raise ValueError(
            f"{column} is never negative, so it does not say how much better the second answer is; "
            f"set `winner` to {column} if it names the better answer"
        )


def by_strength(row: Values, column: str) -> Pair:
    """Strength of the preference: negative for the first answer (HelpSteer 2 and 3)."""
    value = number(cell(row, column), column)
    names = two_answers(row)
    if names is None:
        raise ValueError("the row has no two answers, such as response1 and response2")
    if not value:
        raise LeftOut("tie")
    if abs(value) > _STRONGEST:
        raise ValueError(f"{column} is {row[column]!r}, expected -{_STRONGEST} to {_STRONGEST}")
    return _pair(_prompt(row), row, names, int(value > 0))


def by_score(row: Values) -> Pair:
    """Scores of both answers; the higher one wins (WebGPT)."""
    scores = [number(cell(row, name), name) for name in ("score_0", "score_1")]
    if None in scores:
        raise LeftOut("unrated")
    if scores[0] == scores[1]:
        raise LeftOut("tie")
    winner = int(scores[1] > scores[0])  # type: ignore[operator]
    return _pair(_prompt(row), row, ("answer_0", "answer_1"), winner)


def check_scores(rows: Sequence[Values]) -> None:
    """Raise ValueError if `score_A` and `score_B` contradict most labels (SHP)."""
    signs = []
    for row in rows:
        one, other = (any_number(row.get(name)) for name in ("score_A", "score_B"))
        label = _key(row.get("labels"))
        if one is not None and other is not None and one != other and label in ("0", "1"):
            signs.append((one > other) == (label == "1"))
    wrong = signs.count(False)
    if len(signs) >= FEWEST and wrong > len(signs) / 2:
        raise ValueError(
            f"labels contradict score_A and score_B in {wrong} of {len(signs)} rows; use 1 where "
            "human_ref_A is the better answer and 0 where human_ref_B is, or set columns: "
            "{unused: score_A} if the scores measure something else"
        )


def by_label(row: Values) -> Pair:
    """Label 1 if the first answer is the better one, 0 for the second (SHP)."""
    value = _key(cell(row, "labels"))
    if value not in ("0", "1"):
        raise ValueError(f"labels is {row['labels']!r}, expected 0 or 1")
    prompt = (Turn("user", text(cell(row, "history"), "history").strip()),)
    return _pair(prompt, row, ("human_ref_A", "human_ref_B"), int(value == "0"))


def by_choice(row: Values) -> Pair:
    """Two summaries of a post or an article, and the number of the better one, from 0."""
    info = decoded(cell(row, "info"))
    if not isinstance(info, Mapping):
        raise ValueError(f"info is {type(info).__name__}, expected an object")
    post = text(info.get("post") or info.get("article"), "info.post")
    summaries, value = items(row, "summaries"), _key(cell(row, "choice"))
    if value not in ("0", "1") or len(summaries) != 2:
        raise ValueError(f"choice is {row['choice']!r} of {len(summaries)}, expected 0 or 1 of 2")
    sides = {str(i): text(cell(item, "text"), "text") for i, item in enumerate(summaries)}
    return _pair((Turn("user", post.strip()),), sides, ("0", "1"), int(value))


def _prompt(row: Values) -> Dialogue:
    """Prompt of a row; two whole conversations need none."""
    names = two_answers(row)
    if prompt_column(row) is None and names and names[0].casefold().startswith("conversation"):
        return with_system(row, ())
    return prompt_of(row)


def _pair(prompt: Dialogue, row: Values, names: tuple[str, str], winner: int) -> Pair:
    better, worse = names[winner], names[1 - winner]
    pair = compared(prompt, cell(row, better), cell(row, worse), (better, worse))
    check_asked(row, pair.prompt)
    return pair


def _key(value: Any) -> str:
    """Value in lower case; whole numbers without the `.0` that tables with gaps add."""
    written = "" if value is None else str(value).strip().casefold()
    return _WHOLE.sub(r"\1", written)
