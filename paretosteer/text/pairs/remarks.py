"""What the note on a set of pairs says of pairs that are used although they are unusual."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from paretosteer.runtime.terminal import plural
from paretosteer.text.pairs.check_sides import contradictions
from paretosteer.text.pairs.dialogue_sides import Values
from paretosteer.text.pairs.pair import Pair

# As in <think>…</think>, <thinking>, <reasoning>.
_THOUGHT = re.compile(r"</(think(ing)?|thought|reasoning|reflection|scratchpad)>", re.I)
_SHOWN = 40  # characters of an answer
_MANY = 10  # pairs in which one would expect different answers
_WEIGHT = re.compile(r"((sample|row|pair|example|loss|importance)_?)?weights?|margin", re.I)


def remarks(rating: str | None, rows: Sequence[Values], pairs: Collection[Pair]) -> tuple[str, ...]:
    """Sentences on a rating that is compared, contradictions, few texts, thoughts and weights."""
    return (
        *([f"The higher {rating} wins."] if rating else []),
        *contradictions(rows),
        *_few_texts(pairs),
        *_thoughts(pairs),
        *_weights(rows[0]),
    )


def _few_texts(pairs: Collection[Pair]) -> list[str]:
    """Sentence on answers that may be names, such as those of the models that wrote them."""
    texts = dict.fromkeys(text for pair in pairs for text in (pair.chosen, pair.rejected))
    if len(pairs) < _MANY or _MANY * len(texts) > 2 * len(pairs):
        return []
    one = next(iter(texts))[:_SHOWN]
    return [f"The answers are only {len(texts)} different texts, such as {one!r}."]


def _thoughts(pairs: Collection[Pair]) -> list[str]:
    """Sentence on answers with a model's thoughts, which are read as a part of the answers."""
    thought = sum(_THOUGHT.search(pair.chosen + pair.rejected) is not None for pair in pairs)
    if not thought:
        return []
    return [
        f"{thought} of {plural(len(pairs), 'pair')} have a model's thoughts between tags in their "
        "answers; they are used as a part of the answers."
    ]


def _weights(row: Mapping[str, Any]) -> list[str]:
    """Sentence on columns that would weigh the pairs, which are all used alike."""
    names = [str(name) for name in row if _WEIGHT.fullmatch(str(name))]
    if not names:
        return []
    return [f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not read: pairs count alike."]
