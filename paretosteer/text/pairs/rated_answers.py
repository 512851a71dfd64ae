"""Pairs of answers to one prompt that were rated, ranked or labelled one by one."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from paretosteer.text.dialogue import Dialogue
from paretosteer.text.pairs.dialogue_sides import Values, cell
from paretosteer.text.pairs.messages import decoded, messages, text
from paretosteer.text.pairs.pair import LeftOut, Pair
from paretosteer.text.pairs.prompt_columns import PROMPTS, prompt_of

MOST = 16  # answers to a prompt: their number of pairs grows with its square
ANSWERS = ("response", "completion", "answer", "output")
CONVERSATIONS = ("messages", "conversations")  # with the answer at their end
LABELS = ("label", "kto_tag")
_TRUTHS = {"true": 1.0, "false": 0.0}
_GOOD = (
    r"score|rating|reward|grade|quality|prefer|vote|stars|helpful|correct|coheren|harmless|honest"
)
_BAD = r"toxic|harmful|unsafe|unhelpful|incorrect|dishonest|bias|error|loss|perplex|severity|risk"


@dataclass(frozen=True)
class Rated:
    """An answer with its score; `group` limits comparisons, such as to the row of a ranking."""

    prompt: Dialogue
    answer: str
    score: float | None
    group: Hashable = None


def pairs_of(answers: Iterable[Rated], counts: Counter[str]) -> Iterator[Pair]:
    """Every pair of answers to a prompt with different scores, the better one chosen."""
    groups: dict[Hashable, list[Rated]] = {}
    for rated in answers:
        group = groups.setdefault((rated.prompt, rated.group), [])
        if rated.score is None:
            counts["unrated"] += 1
        elif not (rated.answer.strip() and rated.prompt and rated.prompt[-1].text):
            counts["empty"] += 1
        elif len(group) == MOST:
            counts["excess"] += 1
        else:
            group.append(rated)
    for group in groups.values():
        counts["single"] += len(group) == 1
        for one, other in combinations(group, 2):
            one_score, other_score = one.score or 0.0, other.score or 0.0
            if one_score == other_score:
                counts["tie"] += 1
            else:
                better, worse = (one, other) if one_score > other_score else (other, one)
                yield Pair(one.prompt, better.answer.strip(), worse.answer.strip())


def rated_row(row: Values, answer: str, rating: str) -> list[Rated]:
    """One answer with a number in a column (HelpSteer)."""
    score = number(cell(row, rating), rating)
    return [Rated(prompt_of(row), text(cell(row, answer), answer), score)]


def labelled_row(row: Values, label: str) -> list[Rated]:
    """One answer with a label, true or false (KTO), beside its prompt or at the end of messages."""
    value = str(cell(row, label)).casefold()
    if value in _TRUTHS:
        score: float | None = _TRUTHS[value]
    else:
        score = number(row[label], label) if value else None
    if score not in (0.0, 1.0, None):
        raise ValueError(f"{label} is {row[label]!r}, expected true or false")
    if "completion" not in row:
        name = next((name for name in CONVERSATIONS if name in row), CONVERSATIONS[0])
        turns = messages(cell(row, name), name) or ()
        if not turns or turns[-1].role != "assistant":
            raise ValueError(f"{name} does not end with an answer of the assistant")
        return [Rated(turns[:-1], turns[-1].text, score)]
    answer = messages(row["completion"], "completion")
    if answer is None:
        return [Rated(prompt_of(row), text(row["completion"], "completion"), score)]
    if [turn.role for turn in answer] != ["assistant"]:
        raise ValueError("completion is not a single message of the assistant")
    return [Rated(prompt_of(row), answer[0].text, score)]


def ranked_row(row: Values) -> list[Rated]:
    """Several answers with their ranks, 1 for the best (Nectar)."""
    prompt = prompt_of(row)
    ranks = [(item, number(cell(item, "rank"), "rank")) for item in items(row, "answers")]
    return [
        Rated(prompt, text(cell(item, "answer"), "answer"), None if rank is None else -rank)
        for item, rank in ranks
    ]


def completions_row(row: Values, rating: str) -> list[Rated]:
    """Several answers with ratings by attribute (UltraFeedback)."""
    prompt = prompt_of(row)
    return [
        Rated(prompt, text(cell(item, "response"), "response"), _attribute(item, rating))
        for item in items(row, "completions")
    ]


def attributes(row: Values) -> list[str]:
    """Names of the ratings of a row of UltraFeedback."""
    names = dict.fromkeys(
        name
        for item in items(row, "completions")
        for name in (*(decoded(item.get("annotations")) or {}), "overall_score")
        if name != "overall_score" or name in item
    )
    return list(names)


def items(row: Values, name: str) -> list[Mapping[str, Any]]:
    """Objects in a column."""
    value = decoded(cell(row, name))
    if not isinstance(value, list):
        raise ValueError(f"{name} is {type(value).__name__}, expected a list of objects")
    if others := [item for item in value if not isinstance(item, Mapping)]:
        raise ValueError(
            f"{name} is a list of {type(others[0]).__name__}, expected a list of objects that hold "
            "an answer and its rating"
        )
    if not value:
        raise LeftOut("empty")
    return value


def number(value: Any, name: str) -> float | None:
    """Number of a cell, None where it is missing."""
    if value is None or str(value).strip().casefold() in ("", "n/a", "none", "null"):
        return None
    try:
        score = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {value!r}, expected a number") from None
    return None if math.isnan(score) else score


def any_number(value: Any) -> float | None:
    """Number of a cell, None where it is missing or something else."""
    with suppress(ValueError):
        return None if isinstance(value, bool) else number(value, "")
    return None


def is_rating(row: Values, name: str) -> bool:
    """True for a column that may rate an answer."""
    if name in PROMPTS or isinstance(row[name], bool):
        return False
    try:
        return number(row[name], name) is not None  # cells of CSV files are text
    except ValueError:
        return False


def says_more(name: str) -> bool:
    """True for a name of ratings of which more is better, unlike an index, a length or a rank."""
    good, bad = (re.search(words, name, re.IGNORECASE) for words in (_GOOD, _BAD))
    return good is not None and bad is None


def _attribute(item: Mapping[str, Any], rating: str) -> float | None:
    value = decoded((decoded(item.get("annotations")) or {}).get(rating, item.get(rating)))
    if isinstance(value, Mapping):
        value = value.get("Rating", value.get("rating"))
    return number(value, rating)
