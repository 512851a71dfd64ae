"""Data of a task in splits: the published ones, otherwise split by a hash of the prompt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from paretosteer.benchmarks.papers.task_items import Item, Row
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.storage.digest import digest
from paretosteer.text.pairs import SPLITS, Source, split_key, split_of
from paretosteer.text.pairs.column_names import UNUSED
from paretosteer.text.pairs.containers import read_rows
from paretosteer.text.pairs.dataset_rows import unread_splits
from paretosteer.text.pairs.json_rows import splits_of
from paretosteer.text.pairs.prompt_columns import check_unread
from paretosteer.text.pairs.rendered_text import rendered_prompt

DATA_VERSION = "2"  # raise it when the same data would give other prompts
OPTION = "benchmark.data"

Parse = Callable[[Row], "Item | str"]  # an item, or a key of `REASONS`
Limits = tuple[tuple[str, int | None], ...]  # most prompts of each split

# Reasons to leave a row out, as they complete "rows left out: N …".
REASONS = {
    "again": "with a repeated prompt",
    "empty": "with an empty prompt",
    "length": "outside the length range of the published task",
    "absent": "without a text to summarise",
    "reference": "without a reference summary",
    "invalid": "that cannot be read",
}
MOST_INVALID = 0.1  # share of the rows of a source


@dataclass(frozen=True)
class Part:
    """A source of rows, and the splits among which its prompts are divided.

    The hash of a prompt chooses its split (`split_of`). If another part serves that split, the
    prompt goes into the first of `splits`.
    """

    source: Source
    splits: tuple[str, ...]

    def split(self, item: Item) -> str:
        hashed: str = split_of(split_key(item.dialogue))
        return hashed if hashed in self.splits else self.splits[0]


@dataclass(frozen=True)
class Found:
    """Items of every split, ordered by id, and the number of rows left out by reason."""

    items: Mapping[str, tuple[Item, ...]]
    counts: Mapping[str, int]
    fault: str | None = None  # of the first row that cannot be read, with its file and number
    unread: tuple[str, ...] = ()  # splits of the data besides those that are read

    def __str__(self) -> str:
        left = [f"{n} {REASONS[name]}" for name, n in self.counts.items() if name in REASONS and n]
        kept = ", ".join(f"{len(items)} {split}" for split, items in self.items.items())
        end = f"; rows left out: {', '.join(left)}" if left else ""
        end += f" ({self.fault})" if self.fault else ""
        end += f"; splits that are not read: {', '.join(self.unread)}" if self.unread else ""
        return f"Prompts from {self.counts['read']} rows: {kept}{end}."


def parts_of(
    data: Any, own: Mapping[str, tuple[str, ...]], columns: Sequence[str]
) -> tuple[Part, ...]:
    """Sources of a task's prompts.

    `own` maps each split of the published data to the splits of ours that it serves; earlier
    entries are read first. `columns` are those that the task reads. The prompts of a single file
    without splits, or of a `{path, split}`, are divided among all of ours.

    Raises
    ------
    UsageError
        If there are no data, a setting names a column that the task does not read, or a file has
        other splits than the published ones.

    """
    if not data:
        raise UsageError(
            f"{OPTION}: missing, and the data are not on the hub; set it to a file or folder in "
            "the published format"
        )
    source = Source.at(OPTION, data)
    for name, _ in source.columns:
        if name not in (*columns, UNUSED):
            raise UsageError(
                f"{OPTION}.columns.{name}: the task reads no column of this name; "
                f"{did_you_mean(name, columns)}"
            )
    for setting in ("winner", "rating"):
        if getattr(source, setting) is not None:
            raise UsageError(f"{OPTION}.{setting}: the task reads no preferences; remove it")
    splits = splits_of(source) if source.is_file and source.split is None else []
    if (source.is_file and len(splits) < 2) or source.split is not None:
        return (Part(source, SPLITS),)
    if splits and (missing := [name for name in own if name not in splits]):
        raise UsageError(
            f"{OPTION}: the file {source.path!r} has the splits {', '.join(splits)}, but not "
            f"{', '.join(missing)}; set {OPTION} to {{path: …, split: …}} to use one of them"
        )
    return tuple(Part(replace(source, split=name), splits) for name, splits in own.items())


def data_digest(parts: Sequence[Part]) -> str:
    """Digest of everything that the prompts depend on."""
    return digest([DATA_VERSION, [[part.source.digest(), list(part.splits)] for part in parts]])


@lru_cache(maxsize=4)
def read_items(
    parts: tuple[Part, ...], parse: Parse, columns: tuple[str, ...], limits: Limits, content: str
) -> Found:
    """Items of every split.

    A prompt belongs to the first part that has it, so splits are disjoint. If there are more
    prompts than `limits` allow, those with the smallest ids are used. Ids are hashes, so this is a
    random draw that does not depend on the order of the rows.

    The result is cached by `content`, since every cell of a sweep reads the same data.

    Raises
    ------
    UsageError
        If more than a tenth of the rows of a source cannot be read (with file and number), also
        since a column besides `columns` holds a part of the prompt, or a split is left without
        prompts.

    """
    most = dict(limits)
    counts = Counter(dict.fromkeys(("read", *REASONS), 0))
    chosen: dict[str, _Smallest] = {split: _Smallest(most.get(split)) for split in SPLITS}
    seen: set[str] = set()
    faults: list[str] = []
    for part in parts:
        for item in _items(part, parse, columns, counts, faults):
            if item.id in seen:
                counts["again"] += 1
                continue
            seen.add(item.id)
            chosen[part.split(item)].add(item)
    for split, items in chosen.items():
        if not items.kept:
            left = f" ({counts['again']} repeat another one)" if counts["again"] else ""
            raise UsageError(
                f"{OPTION}: no prompts left for split {split}, of {counts['read']} rows{left}; "
                "provide more rows with prompts of their own"
            )
    sorted_items = {split: items.sorted() for split, items in chosen.items()}
    named = [part.source.split for part in parts if part.source.split]
    # A single part with a split is one that was chosen.
    unread = unread_splits(parts[0].source, named) if len(parts) > 1 else []
    return Found(sorted_items, dict(counts), next(iter(faults), None), tuple(unread))


def _items(
    part: Part, parse: Parse, columns: Sequence[str], counts: Counter[str], faults: list[str]
) -> Iterator[Item]:
    """Items of a part; rows that cannot be read are added to `faults` as long as they are few."""
    before, rows = len(faults), 0
    for location, row in read_rows(part.source, lambda at, fault: faults.append(f"{at}: {fault}")):
        rows += 1
        try:
            item = parse(row)
            if isinstance(item, Item):
                check_unread(row, columns, item.dialogue)
        except ValueError as error:
            rows -= 1
            faults.append(f"{location}: {error}")
            continue
        if isinstance(item, str):
            counts[item] += 1
        elif not item.dialogue or not item.dialogue[-1].text:
            counts["empty"] += 1
        elif mark := rendered_prompt(item.dialogue):
            rows -= 1
            faults.append(
                f"{location}: its prompt is already written in a template ({mark!r}), and would be "
                "put into that of the task"
            )
        else:
            yield item
    invalid = len(faults) - before
    counts["read"] += rows + invalid
    counts["invalid"] += invalid
    if invalid > MOST_INVALID * (rows + invalid):
        count = f" ({invalid} of {rows + invalid} rows cannot be read)" if invalid > 1 else ""
        raise UsageError(f"{OPTION}: {faults[before]}{count}")


class _Smallest:
    """Up to `most` items: those with the smallest ids among all that are added."""

    def __init__(self, most: int | None):
        self.most, self.kept = most, list[Item]()

    def add(self, item: Item) -> None:
        self.kept.append(item)
        if self.most is not None and len(self.kept) >= 2 * self.most + 1000:
            self.kept = list(self.sorted())  # bounds memory by `most`, not by the data set

    def sorted(self) -> tuple[Item, ...]:
        return tuple(sorted(self.kept, key=lambda item: item.id)[: self.most])
