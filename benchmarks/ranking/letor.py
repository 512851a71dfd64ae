"""LETOR (SVMlight) files: `label qid:Q 1:v 2:v ... # comment`, one line per document.

Each line is matched against the grammar below, and what matches is converted a chunk at a time: one
core reads 100 MB of dense lines in some five seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from paretosteer.errors import UsageError
from paretosteer.storage.cache import cached
from paretosteer.storage.digest import file_digest

PARSER_VERSION = "1"

CHUNK = 1 << 22  # bytes of whole lines that are converted at once
MOST_LABEL = 30  # a gain is 2^label - 1
MOST_QUERY = 2**53 - 1  # the largest integer that float64 holds beside all smaller ones
MOST_FEATURE = 10_000  # more is a mistake, and would not fit into a dense matrix
MOST_VALUE = float(np.finfo(np.float32).max)

# Possessive, so that no number is tried twice.
NUMBER = rb"[-+]?+(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][-+]?+\d++)?+"
LINE = re.compile(rb"\d++\s++qid:\d++(?:\s++\d++:" + NUMBER + rb")*+")
SEPARATORS = bytes.maketrans(b"qid:", b"    ")  # the only characters of LINE outside a number

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

GRADES = "labels are relevance grades 0, 1, 2, ..."
FINITE = "put a number, or leave the pair out, which means 0"


@dataclass(frozen=True)
class Letor:
    """Documents with their features, in the order of the file: those of a query together."""

    features: npt.NDArray[np.float32]  # (documents, width), 0 where a line names no value
    labels: Ints  # (documents,), 0 and above
    queries: Ints  # (documents,), qid
    dense: bool  # every line names every feature

    @property
    def width(self) -> int:
        """Features per document."""
        return self.features.shape[1]


@dataclass(frozen=True)
class Chunk:
    """A part of a file, and in which of its lines each document stands."""

    features: npt.NDArray[np.float32]  # (documents, largest index here)
    labels: Ints  # (documents,)
    queries: Ints  # (documents,)
    pairs: Ints  # (documents,), how many pairs a line has
    lines: Ints  # (documents,), from 1


def load(paths: Sequence[Path]) -> list[Letor]:
    """The files of one data set, each parsed once and then cached by its content.

    All get the same width: that of a file in which every line names every feature, or else the
    largest index anywhere, with 0 for what a file never names. Raises `UsageError` as `parse` does,
    and where two files share a query or disagree about the number of features.
    """
    names = [path.name for path in paths]
    parts = [_cached(path) for path in paths]
    _check_shared(names, parts)
    width = _common_width(names, parts)
    return [_widened(part, width) for part in parts]


def join(parts: Sequence[Letor]) -> Letor:
    """Parts of the same width, one after the other."""
    if len(parts) == 1:
        return parts[0]  # which may be most of the memory
    return Letor(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.queries for part in parts]),
        all(part.dense for part in parts),
    )


def parse(path: Path) -> Letor:
    """Read one file, a few megabytes of lines at a time.

    The width is the largest feature index in the file. Comments, blank lines, absent features and
    any white space between fields are fine. Raises `UsageError` with file and line where a line is
    not of the grammar, a value does not fit into float32, indices do not ascend from 1, or a query
    returns after another one; and where the file has no document or no feature.
    """
    chunks = list(_chunks(path))
    width = max((chunk.features.shape[1] for chunk in chunks), default=0)
    if not chunks:
        raise UsageError(
            f"benchmark.path: {path.name} is empty: it has no line with a document; "
            "give a LETOR file (label qid:Q 1:v 2:v ...)"
        )
    if width == 0:
        raise UsageError(
            f"benchmark.path: {path.name} has no feature in any line; give a file with index:value "
            "pairs after the qid"
        )
    queries = np.concatenate([chunk.queries for chunk in chunks])
    _check_grouped(path, queries, np.concatenate([chunk.lines for chunk in chunks]))
    dense = all((chunk.pairs == width).all() for chunk in chunks)
    labels = np.concatenate([chunk.labels for chunk in chunks])
    return Letor(_stacked(chunks, width), labels, queries, bool(dense))


# -- a file -----------------------------------------------------------------------------------


def _chunks(path: Path) -> Iterator[Chunk]:
    """Parts of a file that have a document each."""
    first = 1
    with path.open("rb") as file:
        while lines := file.readlines(CHUNK):
            contents = [line.partition(b"#")[0].strip() for line in lines]
            numbered = {first + i: line for i, line in enumerate(contents) if line}
            if numbered:
                yield _converted(path, numbered)
            first += len(lines)


def _converted(path: Path, numbered: dict[int, bytes]) -> Chunk:
    """Numbers of lines that have no comment and are not blank."""
    for number, line in numbered.items():
        if not LINE.fullmatch(line):
            _explain(path, number, line)
    contents = numbered.values()
    pairs = np.array([line.count(b":") for line in contents], dtype=np.int64) - 1  # without qid's
    text = b" ".join(contents).translate(SEPARATORS)
    numbers = np.fromstring(text, dtype=np.float64, sep=" ")  # (2 * documents + 2 * pairs,)
    heads = np.cumsum(2 + 2 * pairs) - (2 + 2 * pairs)  # where each document's numbers begin
    rest = np.ones(len(numbers), dtype=bool)
    rest[heads] = rest[heads + 1] = False
    index, value = numbers[rest].reshape(-1, 2).T  # (pairs,) each
    row = np.repeat(np.arange(len(pairs)), pairs)  # (pairs,)
    lines = np.fromiter(numbered, dtype=np.int64)
    _check_heads(path, numbers[heads], numbers[heads + 1], lines)
    _check_pairs(path, index, value, row, lines)
    features = np.zeros((len(pairs), int(index.max(initial=0))), dtype=np.float32)
    features[row, index.astype(np.int64) - 1] = value
    labels, queries = numbers[heads].astype(np.int64), numbers[heads + 1].astype(np.int64)
    return Chunk(features, labels, queries, pairs, lines)


def _stacked(chunks: list[Chunk], width: int) -> npt.NDArray[np.float32]:
    """Features (documents, width); chunks are dropped on the way, so few are held twice."""
    features = np.zeros((sum(len(chunk.labels) for chunk in chunks), width), dtype=np.float32)
    end = len(features)
    while chunks:
        part = chunks.pop().features
        features[end - len(part) : end, : part.shape[1]] = part
        end -= len(part)
    return features


# -- several files ----------------------------------------------------------------------------


def _cached(path: Path) -> Letor:
    def make(folder: Path) -> None:
        made = parse(path)
        save_file(
            {
                "features": made.features,
                "labels": made.labels,
                "queries": made.queries,
                "dense": np.array([made.dense]),
            },
            folder / "letor.safetensors",
        )

    folder = cached("letor", {"parser": PARSER_VERSION, "file": file_digest(path)}, make)
    arrays = load_file(folder / "letor.safetensors")
    return Letor(
        arrays["features"], arrays["labels"], arrays["queries"], bool(arrays["dense"].all())
    )


def _check_shared(names: Sequence[str], parts: Sequence[Letor]) -> None:
    """Refuse parts that share a query: a part of it would be unseen, or a test query learnt."""
    owner: dict[int, str] = {}
    for name, part in zip(names, parts, strict=True):
        found = np.unique(part.queries).tolist()
        shared = [query for query in found if query in owner]
        if shared:
            raise UsageError(
                f"benchmark.path: qid {shared[0]} stands in {owner[shared[0]]} and in {name} "
                f"({len(shared)} queries of {name} stand in another file); give files in which "
                "each query belongs to one split"
            )
        owner.update(dict.fromkeys(found, name))


def _common_width(names: Sequence[str], parts: Sequence[Letor]) -> int:
    """Width of the data set: a dense part says it, and nothing else can differ."""
    stated = next((i for i, part in enumerate(parts) if part.dense), None)
    if stated is None:
        return max(part.width for part in parts)
    width = parts[stated].width
    for name, part in zip(names, parts, strict=True):
        if part.width > width or (part.dense and part.width < width):
            raise UsageError(
                f"benchmark.path: {name}: feature count {part.width}, but {names[stated]} has "
                f"{width}; give files of one data set"
            )
    return width


def _widened(part: Letor, width: int) -> Letor:
    if part.width == width:
        return part
    features = np.pad(part.features, ((0, 0), (0, width - part.width)))
    return Letor(features, part.labels, part.queries, part.dense)


# -- what is wrong ----------------------------------------------------------------------------


def _check_heads(path: Path, labels: Floats, queries: Floats, lines: Ints) -> None:
    """All (documents,)."""
    if (i := _first(labels > MOST_LABEL)) is not None:
        found = f"label {labels[i]:.0f} is above {MOST_LABEL}"
        _refuse(path, lines[i], found, f"a gain is 2^label - 1, so {GRADES}")
    if (i := _first(queries > MOST_QUERY)) is not None:
        found = f"qid {queries[i]:.0f} is above 2^53 - 1"
        _refuse(path, lines[i], found, "number the queries anew")


def _check_pairs(path: Path, index: Floats, value: Floats, row: Ints, lines: Ints) -> None:
    """`lines` is (documents,), the others (pairs,); `row` is the document of each pair."""
    if (i := _first((index < 1) | (index > MOST_FEATURE))) is not None:
        found = f"feature index {index[i]:.0f} is not from 1 to {MOST_FEATURE}"
        _refuse(path, lines[row[i]], found, "number the features from 1")
    if (i := _first(np.abs(value) > MOST_VALUE)) is not None:
        found = f"value of feature {index[i]:.0f} is too large for a float32"
        _refuse(path, lines[row[i]], found, FINITE)
    if (i := _first((np.diff(index) <= 0) & (np.diff(row) == 0))) is not None:
        found = f"feature index {index[i + 1]:.0f} follows {index[i]:.0f}"
        _refuse(path, lines[row[i]], found, "indices ascend and stand once in a line")


def _check_grouped(path: Path, queries: Ints, lines: Ints) -> None:
    """All (documents,)."""
    starts = np.flatnonzero(np.diff(queries, prepend=-1))  # of each run of one qid
    again = np.ones(len(starts), dtype=bool)
    again[np.unique(queries[starts], return_index=True)[1]] = False
    if (run := _first(again)) is not None:
        found = f"qid {queries[starts[run]]} returns after other queries"
        _refuse(path, lines[starts[run]], found, "put the documents of a query together")


def _first(bad: npt.NDArray[np.bool_]) -> int | None:
    """Place of the first True, if any."""
    return int(bad.argmax()) if bad.any() else None


def _explain(path: Path, number: int, line: bytes) -> NoReturn:
    """Say what in a line is not of the grammar."""
    # Bytes are split, since text has more white space than the grammar.
    label, *rest = [field.decode("ascii", errors="backslashreplace") for field in line.split()]
    if not re.fullmatch(r"[0-9]+", label):
        _refuse(path, number, f"label {_cut(label)} is not an integer >= 0", GRADES)
    if not rest or not rest[0].startswith("qid:"):
        _refuse(path, number, "no qid after the label", "give label qid:Q 1:v 2:v ...")
    if not re.fullmatch(r"qid:[0-9]+", rest[0]):
        found = f"{_cut(rest[0])} is not qid: and an integer >= 0"
        _refuse(path, number, found, "number the queries")
    for pair in rest[1:]:
        index, colon, value = pair.partition(":")
        if not (colon and re.fullmatch(r"[0-9]+", index)):
            found = f"{_cut(pair)} is not a pair index:value"
            _refuse(path, number, found, "give label qid:Q 1:v 2:v ...")
        if not re.fullmatch(NUMBER, value.encode()):
            found = f"value {_cut(value)} of feature {index} is not a finite number"
            _refuse(path, number, found, FINITE)
    raise AssertionError(f"{path.name}:{number}: refused without a reason")


def _cut(field: str) -> str:
    """A field as it may stand in an error line."""
    return repr(field if len(field) <= 40 else f"{field[:40]}...")


def _refuse(path: Path, line: int, found: str, remedy: str) -> NoReturn:
    raise UsageError(f"benchmark.path: {path.name}:{line}: {found}; {remedy}")
