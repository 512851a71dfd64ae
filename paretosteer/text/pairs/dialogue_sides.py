"""Pair of two dialogues: what they share is the prompt, what differs the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from paretosteer.text.dialogue import Dialogue, Turn, parse_transcript
from paretosteer.text.pairs.messages import messages, text
from paretosteer.text.pairs.pair import LeftOut, Pair

Values = Mapping[str, Any]
MIXTURE = 0.1  # largest share of rows that may differ from the others
SIDES = ("chosen", "rejected")


def cell(row: Values, name: str) -> Any:
    """Value of a column; raise ValueError if the row does not have it."""
    if name not in row:
        raise ValueError(f"column {name} is missing; the row has {', '.join(map(str, row))}")
    return row[name]


def shared(one: Dialogue, other: Dialogue) -> Pair:
    """Pair of two dialogues: their longest common prefix is the prompt.

    The prompt consists of whole turns and ends with a user turn. Only the answer to that turn is
    used: if the dialogues diverge earlier, the turns after it answer different questions.
    """
    same = len(list(takewhile(lambda turns: turns[0] == turns[1], zip(one, other, strict=False))))
    users = [index for index in range(same) if one[index].role == "user"]
    if not users:
        raise LeftOut("unshared")
    prompt = one[: users[-1] + 1]
    one_rest, other_rest = one[len(prompt) :], other[len(prompt) :]
    continued = any(turn.role == "user" for turn in (*one_rest, *other_rest))
    return Pair(prompt, _answer(one_rest), _answer(other_rest), continued)


def compared(prompt: Dialogue, one: Any, other: Any, names: Sequence[str] = SIDES) -> Pair:
    """Pair of two sides, each an answer to the prompt or a whole dialogue that contains it."""
    values = (one, other)
    sides = [_side(prompt, v, name) for v, name in zip(values, names, strict=True)]
    pair = shared(*sides)
    asked = [turn.text for turn in pair.prompt if turn.role == "user"]
    if prompt and prompt[-1].text not in asked:
        raise LeftOut("prompt")
    if prompt and prompt[0].role == "system" and pair.prompt[0].role != "system":
        pair = replace(pair, prompt=(prompt[0], *pair.prompt))
    return pair


def is_dialogue(value: Any) -> bool:
    """True for chat messages, and for a text that begins with a speaker of HH-RLHF."""
    if isinstance(value, str) and value.strip()[:1] not in ("[", "{"):
        return value.lstrip().startswith(("Human:", "Assistant:"))
    try:
        return messages(value, "") is not None
    except (ValueError, LeftOut):
        return True


def without_prompts(rows: Sequence[Values], prompt: str) -> Callable[[Values], Values]:
    """Function that removes the prompt from the sides of a row, if the rows repeat it there.

    Raises
    ------
    ValueError
        If some rows, or only one of the sides, repeat it.

    """
    texts = [row for row in rows if _is_plain(row, prompt)]
    for side in SIDES:
        alone = sum(_only(row, prompt, side) for row in texts)
        if alone > MIXTURE * len(texts):
            raise ValueError(
                f"{side} begins with the prompt in {alone} of {len(texts)} rows where the other "
                "side does not; remove the prompt from it"
            )
    repeats = sum(_repeats(row, prompt) for row in texts)
    if repeats <= MIXTURE * len(texts):
        return lambda row: row
    if repeats < (1 - MIXTURE) * len(texts):
        raise ValueError(
            f"both sides begin with the prompt in {repeats} of {len(texts)} rows, but not in the "
            "others; remove the prompt from the sides, or split the file"
        )
    return lambda row: _cut(row, prompt) if _is_plain(row, prompt) else row


def common_beginning(rows: Sequence[Values]) -> Callable[[Values], Pair]:
    """Parser of two plain texts whose common beginning is the prompt (TRL).

    Raises
    ------
    ValueError
        If some rows have a common beginning and others do not.

    """
    texts = [_beginning(row) for row in rows if all(text(row.get(s), s).strip() for s in SIDES)]
    share = sum(len(start.split()) > 1 for start in texts)
    if 0 < share < (1 - MIXTURE) * len(texts):
        raise ValueError(
            f"chosen and rejected begin alike in {share} of {len(texts)} rows only, so they hold "
            "no prompt; name its column with the setting columns: {prompt: COLUMN}"
        )

    def read(row: Values) -> Pair:
        one, other = (text(cell(row, side), side) for side in SIDES)
        start = _beginning(row)
        if not (one.strip() and other.strip()):
            raise LeftOut("empty")
        if not start.strip():
            raise LeftOut("unshared")
        if one.strip() == other.strip():
            raise LeftOut("equal")
        prompt = (Turn("user", start.strip()),)
        return Pair(prompt, one[len(start) :].strip(), other[len(start) :].strip())

    return read


def _beginning(row: Values) -> str:
    """Common beginning of both sides, up to the end of a word."""
    sides = [text(row.get(side), side) for side in SIDES]
    same = takewhile(lambda marks: marks[0] == marks[1], zip(*sides, strict=False))
    start = "".join(mark for mark, _ in same)
    if all(not side[len(start) :][:1].strip() for side in sides):
        return start  # both go on with a space
    return start[: max((i for i, mark in enumerate(start) if mark.isspace()), default=-1) + 1]


def _is_plain(row: Values, prompt: str) -> bool:
    values = [row.get(name) for name in (prompt, *SIDES)]
    return all(isinstance(v, str) and v.strip() for v in values) and not any(
        map(is_dialogue, values[1:])
    )


def _repeats(row: Values, prompt: str) -> bool:
    start = row[prompt].strip()
    rests = [row[s].strip().removeprefix(start) for s in SIDES if row[s].strip().startswith(start)]
    whole = len(rests) == len(SIDES) and any(rest.strip() for rest in rests)
    return whole and not any(rest[:1].isalnum() and start[-1].isalnum() for rest in rests)


def _only(row: Values, prompt: str, side: str) -> bool:
    """True if this side alone begins with a prompt of several words."""
    start = row[prompt].strip()
    found = [name for name in SIDES if row[name].strip().startswith(start)]
    return found == [side] and len(start.split()) > 2


def _cut(row: Values, prompt: str) -> Values:
    if not _repeats(row, prompt):
        raise LeftOut("prompt")
    start = len(row[prompt].strip())
    return {**row, **{side: row[side].strip()[start:] for side in SIDES}}


def _answer(rest: Dialogue) -> str:
    """Text of the leading assistant turns."""
    turns = takewhile(lambda turn: turn.role == "assistant", rest)
    # Not a blank line: the word after it could be parsed as a speaker's name.
    return "\n".join(turn.text for turn in turns)


def _side(prompt: Dialogue, value: Any, name: str) -> Dialogue:
    """Whole dialogue of one side, which may hold the answer alone."""
    turns = messages(value, name)
    if turns is None:
        plain = text(value, name)
        if not is_dialogue(plain):
            return (*prompt, Turn("assistant", plain.strip()))
        turns = parse_transcript(plain.strip())
    return prompt + turns if all(turn.role == "assistant" for turn in turns) else turns
