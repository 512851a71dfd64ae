"""What distinguishes a table's prompts, without the frame that a chat template puts around all."""

import re
from collections.abc import Sequence
from itertools import takewhile

# A frame ends and begins at such a place, not inside words that prompts share by chance.
_OPENING = re.compile(r".*(?:\n|[>\]]|: )", re.DOTALL)
_CLOSING = re.compile(r"[\n<\[].*", re.DOTALL)


def prompt_turns(prompts: Sequence[str]) -> list[str]:
    """The last turn of each prompt: what follows the common start, without the common end.

    In a transcript of several turns, the last line of the common start introduces each turn of
    the user. Prompts without a common start or end remain whole, as does one with nothing else.
    """
    if len(set(prompts)) < 2:
        return list(prompts)
    start = _match(_OPENING, _common_start(prompts))
    bodies = [prompt.removeprefix(start) for prompt in prompts]
    end = _match(_CLOSING, _common_start([body[::-1] for body in bodies])[::-1])
    opener = start.strip("\n").rpartition("\n")[2]
    turns = [body.removesuffix(end) for body in bodies]
    if re.search(r"\w", opener):
        turns = [turn.rpartition(opener)[2] for turn in turns]
    return [turn.strip() or prompt for turn, prompt in zip(turns, prompts, strict=True)]


def _common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)  # if these two agree, so do all between them
    same = (a == b for a, b in zip(first, last, strict=False))
    return first[: sum(takewhile(bool, same))]


def _match(place: re.Pattern[str], text: str) -> str:
    found = place.search(text)
    return found[0] if found else ""
