"""The forms in which pairs are published: from one row of any of them to a pair.

* `prompt, chosen, rejected`: strings, or chat messages as in TRL;
* `chosen, rejected`: whole dialogues, as transcripts (HH-RLHF) or as chat messages;
* `prompt, response_0, response_1` and a column that names the winner (PKU-SafeRLHF).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

from paretosteer.text.dialogue import Dialogue, of_messages, parse_transcript
from paretosteer.text.pairs.pair import Pair

Values = Mapping[str, Any]
Form = Callable[[Values], "Pair | str"]  # a pair, or the reason why there is none

ANSWERS = ("response_0", "response_1")
TIES = (-1, None)


def form_of(row: Values, winner: str | None) -> Form:
    """The form of a row with these columns.

    Raises
    ------
    ValueError
        If the columns make none of the forms.

    """
    columns = row.keys()
    if winner is not None:
        return lambda row: _by_winner(row, winner)
    if columns >= {"prompt", "chosen", "rejected"}:
        return _with_prompt
    if columns >= {"chosen", "rejected"}:
        return _dialogues
    raise ValueError(
        f"the columns are {', '.join(columns)}; expected chosen and rejected, with or without "
        f"prompt, or prompt, {' and '.join(ANSWERS)} with a setting `winner`"
    )


def _with_prompt(row: Values) -> Pair | str:
    prompt = _dialogue(row, "prompt")
    sides = [_side(row, name, prompt) for name in ("chosen", "rejected")]
    return _shared(*sides)


def _dialogues(row: Values) -> Pair | str:
    return _shared(_dialogue(row, "chosen"), _dialogue(row, "rejected"))


def _by_winner(row: Values, winner: str) -> Pair | str:
    prompt = _dialogue(row, "prompt")
    answers = [_side(row, name, prompt) for name in ANSWERS]
    won = _cell(row, winner)
    if won in TIES or won != won:  # an absent number is NaN in some files
        return "tie"
    if isinstance(won, bool) or won not in (0, 1):
        raise ValueError(f"{winner} is {won!r}, expected 0, 1, or -1 or null for a tie")
    return _shared(answers[int(won)], answers[1 - int(won)])


def _shared(one: Dialogue, other: Dialogue) -> Pair | str:
    """The pair that two dialogues make: the longest beginning they share, and what follows it.

    The prompt is whole turns and ends with one of the user. Where the dialogues part before their
    last answer, so does the pair: what was said after is an answer to something else.
    """
    same = len(list(takewhile(lambda turns: turns[0] == turns[1], zip(one, other, strict=False))))
    users = [place for place in range(same) if one[place].role == "user"]
    if not users:
        return "unshared"
    prompt = one[: users[-1] + 1]
    return Pair(prompt, _answer(one[len(prompt) :]), _answer(other[len(prompt) :]))


def _answer(rest: Dialogue) -> str:
    """What the assistant says before anybody else does; it may take several turns.

    One line feed between them, since after a blank line a word could be read as a speaker's name.
    """
    said = takewhile(lambda turn: turn.role == "assistant", rest)
    return "\n".join(turn.text for turn in said)


def _side(row: Values, name: str, prompt: Dialogue) -> Dialogue:
    """A whole dialogue, of which the column may hold the answer alone."""
    value = _cell(row, name)
    if isinstance(value, str):
        return prompt + of_messages([{"role": "assistant", "content": value}])
    turns = _dialogue(row, name)
    return prompt + turns if all(turn.role == "assistant" for turn in turns) else turns


def _dialogue(row: Values, name: str) -> Dialogue:
    value = _cell(row, name)
    if isinstance(value, str):
        return parse_transcript(value)
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise ValueError(f"{name} is {type(value).__name__}, expected text or chat messages")
    try:
        return of_messages(value)
    except ValueError as error:
        raise ValueError(f"{name} has {error}") from None


def _cell(row: Values, name: str) -> Any:
    if name not in row:
        raise ValueError(f"there is no column {name}; it has {', '.join(row)}")
    return row[name]
