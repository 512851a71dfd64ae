"""Parsers for the formats in which preference pairs are published.

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
Form = Callable[[Values], "Pair | str"]  # returns a pair, or a key of `REASONS`

ANSWERS = ("response_0", "response_1")
TIES = (-1, None)


def form_of(row: Values, winner: str | None) -> Form:
    """Parser for rows with these columns.

    Raises
    ------
    ValueError
        If the columns match no format.

    """
    columns = row.keys()
    if winner is not None:
        return lambda row: _by_winner(row, winner)
    if columns >= {"prompt", "chosen", "rejected"}:
        return _with_prompt
    if columns >= {"chosen", "rejected"}:
        return _dialogues
    raise ValueError(
        f"the columns are {', '.join(columns)}; use chosen and rejected, with or without prompt, "
        f"or prompt, {' and '.join(ANSWERS)} with the setting `winner`"
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
    value = _cell(row, winner)
    if value in TIES or value != value:  # a missing number is NaN in some files
        return "tie"
    if isinstance(value, bool) or value not in (0, 1):
        raise ValueError(f"{winner} is {value!r}, expected 0, 1, or -1 or null for a tie")
    return _shared(answers[int(value)], answers[1 - int(value)])


def _shared(one: Dialogue, other: Dialogue) -> Pair | str:
    """Pair of two dialogues: their longest common prefix is the prompt.

    The prompt consists of whole turns and ends with a user turn. Only the answer to that turn is
    used: if the dialogues diverge earlier, the turns after it answer different questions.
    """
    same = len(list(takewhile(lambda turns: turns[0] == turns[1], zip(one, other, strict=False))))
    users = [index for index in range(same) if one[index].role == "user"]
    if not users:
        return "unshared"
    prompt = one[: users[-1] + 1]
    return Pair(prompt, _answer(one[len(prompt) :]), _answer(other[len(prompt) :]))


def _answer(rest: Dialogue) -> str:
    """Text of the leading assistant turns."""
    turns = takewhile(lambda turn: turn.role == "assistant", rest)
    # Not a blank line: the word after it could be parsed as a speaker's name.
    return "\n".join(turn.text for turn in turns)


def _side(row: Values, name: str, prompt: Dialogue) -> Dialogue:
    """Whole dialogue of one side; the column may hold the answer alone."""
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
        raise ValueError(f"column {name} is missing; the row has {', '.join(row)}")
    return row[name]
