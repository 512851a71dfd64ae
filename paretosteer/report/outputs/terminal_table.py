"""Fit a table to the width of a terminal: its first column stays whole, the others give way."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_LONG = 11  # characters of a word that is hyphenated where headings are stacked
_ENOUGH = 5  # columns, if the caller does not name how many


@dataclass(frozen=True)
class TextColumn:
    """A column of text, with shorter values for a narrow terminal."""

    heading: str
    values: Sequence[str]
    short: Sequence[str] = field(default=())
    left: bool = False

    @property
    def stacked_heading(self) -> str:
        """Heading with one word, or half a long one, per line."""
        return "\n".join(map(_hyphenated, self.heading.split()))


def fitted(
    console: "Console",
    title: str,
    labels: Sequence[str],
    columns: Sequence[TextColumn],
    kept: Collection[str] = (),
    enough: int = _ENOUGH,
) -> "tuple[Table, list[str]]":
    """Table that fits the console, and what it lacks: headings of columns, and intervals.

    Rows begin with their label, on one line, never omitted. If the table is too wide, headings are
    stacked, columns go, the last one first, and values become short if fewer than `enough` columns
    fit with whole values. Columns whose heading is in `kept` go at the very end.
    """
    order = sorted(columns, key=lambda each: each.heading not in kept)
    every, enough = len(order), min(len(order), enough)
    attempts = [
        (every, False, False),
        *((count, True, False) for count in range(every, enough - 1, -1)),
        *((count, True, True) for count in range(every, 0, -1)),
    ]
    for count, stacked, short in attempts:
        shown = [each for each in columns if each in order[:count]]
        table = _table(title, labels, shown, stacked, short)
        if (excess := _width(console, table) - console.width) <= 0:
            break
    else:  # even one column is too wide beside the labels
        room = max(8, max(map(len, labels)) - excess)
        cut = [each if len(each) <= room else f"{each[: room - 1]}…" for each in labels]
        table = _table(title, cut, shown, stacked, short)
    cut_short = [each for each in shown if short and each.short and each.short != each.values]
    return table, [
        *(f"interval of {each.heading}" for each in cut_short),
        *(each.heading for each in columns if each not in shown),
    ]


def _table(
    title: str, labels: Sequence[str], columns: Sequence[TextColumn], stacked: bool, short: bool
) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title), box=SIMPLE_HEAD, title_justify="left", show_edge=False, pad_edge=False
    )
    table.add_column("method", no_wrap=True, overflow="ellipsis")
    values = [each.short if short and each.short else each.values for each in columns]
    for each, texts in zip(columns, values, strict=True):
        heading = each.stacked_heading if stacked else each.heading
        width = max(map(len, [*texts, *heading.split("\n")]))
        table.add_column(
            Text(heading),
            justify="left" if each.left else "right",
            no_wrap=True,
            min_width=width,
        )
    for row in zip(labels, *values, strict=True):
        table.add_row(*map(Text, row))
    return table


def _width(console: "Console", table: "Table") -> int:
    from rich.measure import Measurement

    return Measurement.get(console, console.options.update(width=10_000), table).maximum


def _hyphenated(word: str) -> str:
    """Word on two lines if it is long; it is split before a consonant that a vowel follows."""
    if len(word) < _LONG:
        return word
    places = [found.start() for found in re.finditer("[^aeiou][aeiouy]", word)]
    middle = min(places, key=lambda place: abs(2 * place - len(word)), default=len(word) // 2)
    return f"{word[:middle]}-\n{word[middle:]}"
