"""A task's data in splits: its own where it has them, else by a hash of the prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from paretosteer.benchmarks.papers.items import Item, Row
from paretosteer.errors import UsageError
from paretosteer.storage.digest import digest
from paretosteer.text.pairs import SPLITS, Source, split_of
from paretosteer.text.pairs.source_rows import read_rows

DATA_VERSION = "1"  # raised when the same data gives other prompts
OPTION = "benchmark.data"

Parse = Callable[[Row], "Item | str"]  # an item, or the reason why there is none
Limits = tuple[tuple[str, int | None], ...]  # most prompts of each split

REASONS = {
    "again": "of a prompt that there was before",
    "empty": "with an empty prompt",
    "length": "of a length that the published task leaves out",
    "absent": "without a text to summarise",
}


@dataclass(frozen=True)
class Part:
    """A source of rows, and the splits that its prompts are divided among.

    A prompt goes where its hash says (`split_of`), or into the first of `splits` where the hash
    names one that another part has.
    """

    source: Source
    splits: tuple[str, ...]

    def split(self, item: Item) -> str:
        """The split of an item."""
        found: str = split_of(item.id)
        return found if found in self.splits else self.splits[0]


@dataclass(frozen=True)
class Found:
    """Items of every split in the order of their ids, and how many rows were left out and why."""

    items: Mapping[str, tuple[Item, ...]]
    counts: Mapping[str, int]

    def __str__(self) -> str:
        """How many rows there are and what became of them, in one sentence."""
        left = [f"{n} {REASONS[name]}" for name, n in self.counts.items() if name in REASONS and n]
        kept = ", ".join(f"{len(items)} {split}" for split, items in self.items.items())
        end = f"; rows left out: {', '.join(left)}" if left else ""
        return f"Prompts from {self.counts['read']} rows: {kept}{end}."


def parts_of(data: Any, own: Mapping[str, tuple[str, ...]]) -> tuple[Part, ...]:
    """Where a task's prompts come from.

    `own` says which splits of ours each split of the published data serves, the first read first. A
    single file has none, and neither has a `{path, split}`: its prompts go into all of ours.
    """
    if not data:
        raise UsageError(
            f"{OPTION}: needed, this task's data are on no hub; give a file or folder in their form"
        )
    source = Source.at(OPTION, data)
    if source.is_file or source.split is not None:
        return (Part(source, SPLITS),)
    return tuple(Part(replace(source, split=name), splits) for name, splits in own.items())


def data_digest(parts: Sequence[Part]) -> str:
    """Digest of all that the prompts depend on."""
    return digest([DATA_VERSION, [[part.source.digest(), list(part.splits)] for part in parts]])


@lru_cache(maxsize=4)
def read_items(parts: tuple[Part, ...], parse: Parse, limits: Limits, content: str) -> Found:
    """The items of every split, once while the `content` stays the same: a sweep asks per cell.

    A prompt that an earlier part has is in no later one, so splits are disjoint. Of more prompts
    than `limits` allow, those with the smallest ids are kept: a draw that does not depend on order.

    Raises
    ------
    UsageError
        If a row cannot be read (with file and number), or a split is left without prompts.

    """
    most = dict(limits)
    counts = Counter(dict.fromkeys(("read", *REASONS), 0))
    chosen: dict[str, _Smallest] = {split: _Smallest(most.get(split)) for split in SPLITS}
    seen: set[str] = set()
    for part in parts:
        for item in _items(part, parse, counts):
            if item.id in seen:
                counts["again"] += 1
                continue
            seen.add(item.id)
            chosen[part.split(item)].add(item)
    for split, found in chosen.items():
        if not found.kept:
            raise UsageError(f"{OPTION}: no prompt is left for {split}; give more rows")
    return Found({split: found.sorted() for split, found in chosen.items()}, dict(counts))


def _items(part: Part, parse: Parse, counts: Counter[str]) -> Iterator[Item]:
    for place, row in read_rows(part.source):
        counts["read"] += 1
        try:
            item = parse(row)
        except ValueError as error:
            raise UsageError(f"{OPTION}: {place}: {error}") from None
        if isinstance(item, str):
            counts[item] += 1
        elif not item.dialogue or not item.dialogue[-1].text:
            counts["empty"] += 1
        else:
            yield item


class _Smallest:
    """The items with the smallest ids among all that are added, `most` at most."""

    def __init__(self, most: int | None):
        self.most, self.kept = most, list[Item]()

    def add(self, item: Item) -> None:
        self.kept.append(item)
        if self.most is not None and len(self.kept) >= 2 * self.most + 1000:
            self.kept = list(self.sorted())  # no data set has to fit into memory

    def sorted(self) -> tuple[Item, ...]:
        return tuple(sorted(self.kept, key=lambda item: item.id)[: self.most])
