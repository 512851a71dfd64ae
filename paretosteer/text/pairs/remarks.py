"""What the note on a set of pairs says of pairs that are used although they are unusual."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from paretosteer.runtime.terminal import plural
from paretosteer.text.pairs.check_sides import contradictions
from paretosteer.text.pairs.column_names import UNUSED
from paretosteer.text.pairs.dialogue_sides import Values
from paretosteer.text.pairs.pair import LeftOut, Pair
from paretosteer.text.pairs.pair_formats import Parse

# As in <think>…</think>, <thinking>, <reasoning>.
_THOUGHT = re.compile(r"</(think(ing)?|thought|reasoning|reflection|scratchpad)>", re.I)
_SHOWN = 40  # characters of an answer
_MANY = 10  # pairs in which one would expect different answers
_TRIED = 8  # rows without a column, to see whether it matters
_NAMES = 12  # columns in a sentence


def remarks(
    rating: str | None, parse: Parse, rows: Sequence[Values], pairs: Collection[Pair]
) -> tuple[str, ...]:
    """Sentences on a rating that is compared, contradictions, answers and unread columns."""
    return (
        *([f"The higher {rating} wins."] if rating else []),
        *contradictions(rows),
        *_few_texts(pairs),
        *_thoughts(pairs),
        *_unread(parse, rows),
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


def _unread(parse: Parse, rows: Sequence[Values]) -> list[str]:
    """Sentence on columns without which the pairs would be the same."""
    columns = dict.fromkeys(name for row in rows for name in row if name != UNUSED)
    names = [str(name) for name in columns if _is_unread(name, parse, rows)]
    if not names:
        return []
    more = f" and {plural(len(names) - _NAMES, 'other')}" if len(names) > _NAMES else ""
    return [f"Columns that are not read: {', '.join(names[:_NAMES])}{more}."]


def _is_unread(name: str, parse: Parse, rows: Sequence[Values]) -> bool:
    filled = [row for row in rows if row.get(name) not in (None, "", [])]
    some = filled[:: max(1, len(filled) // _TRIED)]
    return bool(some) and all(_outcome(parse, row) == _without(name, parse, row) for row in some)


def _without(name: str, parse: Parse, row: Values) -> object:
    return _outcome(parse, {other: value for other, value in row.items() if other != name})


def _outcome(parse: Parse, row: Values) -> object:
    """What a row is read as, or why it is left out."""
    try:
        return parse(row)
    except LeftOut as error:
        return error.reason
    except (ValueError, KeyError, StopIteration) as error:
        return str(error)
