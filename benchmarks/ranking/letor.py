"""Reader of LETOR (SVMlight) files: `label qid:Q 1:v 2:v ... # comment`, one line per document.

Lines without a qid are read as in LightGBM, with the number of documents of each query in a file
beside it (`train.txt.query`).

Every line is checked against a regular expression; NumPy then converts many lines at once. One core
reads 100 MB of dense lines in about five seconds.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from paretosteer.errors import UsageError
from paretosteer.storage.cache import cached
from paretosteer.storage.digest import input_digest

PARSER_VERSION = "1"

CHUNK = 1 << 22  # bytes of whole lines that are converted at once
MOST_LABEL = 30  # NDCG's gain is 2^label - 1, so larger labels would swamp all others
MOST_QUERY = 2**53 - 1  # numbers are parsed as float64, which is exact for integers up to here
MOST_FEATURE = 10_000  # a larger index is likely an error, and a dense matrix would not fit memory
OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}  # by suffix
SIZES_FILES = (".query", ".group")  # suffixes of LightGBM and XGBoost
UNREAD_FILES = (".weight", ".init", ".position")  # of LightGBM
MOST_VALUE = float(np.finfo(np.float32).max)

# Possessive quantifiers: a malformed line fails in linear time, without backtracking.
NUMBER = rb"[-+]?+(?:\d++(?:\.\d*+)?+|\.\d++)(?:[eE][-+]?+\d++)?+"
PAIRS = rb"(?:\s++\d++:" + NUMBER + rb")*+"
LINE = re.compile(NUMBER + rb"\s++qid:\d++" + PAIRS)
NO_QID = re.compile(NUMBER + PAIRS)
SEPARATORS = bytes.maketrans(b"qid:", b"    ")  # the only characters of LINE outside a number

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

GRADES = "use relevance grades 0, 1, 2, ... as labels"
FINITE = "use a number, or leave the pair out, which means 0"


@dataclass(frozen=True)
class Letor:
    """Documents in the order of the file; the documents of a query are adjacent."""

    features: npt.NDArray[np.float32]  # (documents, width), 0 where a line has no value
    labels: Ints  # (documents,), 0 or above
    queries: Ints  # (documents,), qid
    dense: bool  # every line names every feature
    numbered: bool = True  # the lines have qids; otherwise queries count from 0 in every file

    @property
    def width(self) -> int:
        """Number of features."""
        return self.features.shape[1]


@dataclass(frozen=True)
class Chunk:
    """Documents from consecutive lines of a file, with their line numbers."""

    features: npt.NDArray[np.float32]  # (documents, largest index of the chunk)
    labels: Ints  # (documents,)
    queries: Ints  # (documents,)
    pairs: Ints  # (documents,), number of index:value pairs
    lines: Ints  # (documents,), counted from 1


def load(paths: Sequence[Path]) -> list[Letor]:
    """Read the files of one data set; each is parsed once and then cached by its content.

    All files get the same width: that of a dense file, in which every line has every feature, or
    otherwise the largest index in any file. Missing features are 0. Raises `UsageError` as `parse`
    does, and if two files share a query or have different numbers of features.
    """
    names = [path.name for path in paths]
    parts = _distinct([_cached(path) for path in paths])
    _check_shared(names, parts)
    width = _common_width(names, parts)
    return [_widened(part, width) for part in parts]


def join(parts: Sequence[Letor]) -> Letor:
    """Concatenate parts of the same width."""
    if len(parts) == 1:
        return parts[0]  # no copy: the part may be large
    return Letor(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.queries for part in parts]),
        all(part.dense for part in parts),
        all(part.numbered for part in parts),
    )


def parse(path: Path) -> Letor:
    """Read one file, a few megabytes at a time.

    The width is the largest feature index in the file. Comments, blank lines, missing features and
    any white space between fields are allowed.

    Raises
    ------
    UsageError
        Naming file and line, if a line is malformed, a value exceeds float32, indices do not
        ascend from 1, or the documents of a query are not adjacent; or if the file has no
        document or no feature.

    """
    sizes = query_sizes(path)
    chunks = list(_chunks(path, with_qid=sizes is None or _has_qid(path)))
    width = max((chunk.features.shape[1] for chunk in chunks), default=0)
    if not chunks:
        raise UsageError(
            f"benchmark.path: {path.name} is empty: it has no line with a document; "
            "use a LETOR file (label qid:Q 1:v 2:v ...)"
        )
    if width == 0:
        raise UsageError(
            f"benchmark.path: {path.name} has no feature in any line; use a file with index:value "
            "pairs after the qid"
        )
    queries = np.concatenate([chunk.queries for chunk in chunks])
    numbered = queries[0] >= 0
    if numbered:
        _check_grouped(path, queries, np.concatenate([chunk.lines for chunk in chunks]))
    if sizes is not None:
        _check_sizes(path, sizes, queries)
        queries = queries if numbered else np.repeat(np.arange(len(sizes)), sizes)
    dense = all((chunk.pairs == width).all() for chunk in chunks)
    labels = np.concatenate([chunk.labels for chunk in chunks])
    return Letor(_stack(chunks, width), labels, queries, bool(dense), bool(numbered))


# -- one file ---------------------------------------------------------------------------------


def _chunks(path: Path, *, with_qid: bool) -> Iterator[Chunk]:
    """Chunks of a file, skipping those without a document."""
    first = 1
    with opened(path) as file:
        while lines := file.readlines(CHUNK):
            if first == 1:
                lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
            contents = [line.partition(b"#")[0].strip() for line in lines]
            numbered = {first + i: line for i, line in enumerate(contents) if line}
            if numbered:
                yield _convert(path, numbered, with_qid=with_qid)
            first += len(lines)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a plain or compressed file; UsageError if it is damaged."""
    opener: Any = OPENERS.get(path.suffix.lower(), open)
    try:
        with opener(path, "rb") as file:
            yield file
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UsageError(
            f"benchmark.path: {path.name} cannot be read ({error}); use a complete file"
        ) from None


def sizes_file(path: Path) -> Path | None:
    """File beside `path` with the number of documents of each query, as LightGBM reads it.

    UsageError if there are two, or one of which LightGBM would read something else.
    """
    base = path.with_suffix("") if path.suffix.lower() in OPENERS else path
    beside = [
        place
        for stem in dict.fromkeys((base.name, base.stem))
        for end in (*SIZES_FILES, *UNREAD_FILES)
        if (place := path.with_name(f"{stem}{end}")).is_file()
    ]
    for place in beside:
        if place.suffix in UNREAD_FILES:
            raise UsageError(
                f"benchmark.path: {place.name} beside {path.name} would not be used: documents "
                "have no weights or initial scores here; remove it"
            )
    if len(beside) > 1:
        both = " and ".join(place.name for place in beside)
        raise UsageError(f"benchmark.path: {path.parent} has {both}; keep one of them")
    return beside[0] if beside else None


def query_sizes(path: Path) -> Ints | None:
    """Number of documents of each query in the file beside `path`, or None without one."""
    beside = sizes_file(path)
    if beside is None:
        return None
    with beside.open("rb") as file:
        lines = [line.strip() for line in file]
    for number, line in enumerate(lines, start=1):
        if line and not re.fullmatch(rb"0*[1-9]\d{0,8}", line):
            found = _cut(line.decode("ascii", errors="backslashreplace"))
            problem = f"{found} is not the number of documents of a query"
            _refuse(beside, number, problem, "write one whole number >= 1 per line")
    return np.array([int(line) for line in lines if line], dtype=np.int64)


def _has_qid(path: Path) -> bool:
    """True if the first document of a file has a qid."""
    with opened(path) as file:
        contents = (line.partition(b"#")[0].split() for line in file)
        fields = next((fields for fields in contents if fields), [])
    return len(fields) > 1 and fields[1].startswith(b"qid")


def _convert(path: Path, numbered: dict[int, bytes], *, with_qid: bool) -> Chunk:
    """Convert lines, by line number, that have no comment and are not blank."""
    pattern = LINE if with_qid else NO_QID
    for number, line in numbered.items():
        if not pattern.fullmatch(line):
            _explain(path, number, line, with_qid=with_qid)
    if not with_qid:
        numbered = {n: _with_qid(line) for n, line in numbered.items()}
    contents = numbered.values()
    # Every pair has one colon, and so has the qid, which is subtracted.
    pairs = np.array([line.count(b":") for line in contents], dtype=np.int64) - 1  # (documents,)
    # With the letters and colons blanked out, the text is a flat list of numbers.
    text = b" ".join(contents).translate(SEPARATORS)
    numbers = np.fromstring(text, dtype=np.float64, sep=" ")  # (2 * documents + 2 * pairs,)
    heads = np.cumsum(2 + 2 * pairs) - (2 + 2 * pairs)  # index of each document's label
    rest = np.ones(len(numbers), dtype=bool)
    rest[heads] = rest[heads + 1] = False  # label and qid
    index, value = numbers[rest].reshape(-1, 2).T  # (pairs,) each
    row = np.repeat(np.arange(len(pairs)), pairs)  # (pairs,), document of each pair
    lines = np.fromiter(numbered, dtype=np.int64)
    _check_heads(path, numbers[heads], numbers[heads + 1], lines)
    _check_pairs(path, index, value, row, lines)
    features = np.zeros((len(pairs), int(index.max(initial=0))), dtype=np.float32)
    features[row, index.astype(np.int64) - 1] = value
    labels, queries = numbers[heads].astype(np.int64), numbers[heads + 1].astype(np.int64)
    if not with_qid:
        queries -= 1  # -1, which no file can have
    return Chunk(features, labels, queries, pairs, lines)


def _with_qid(line: bytes) -> bytes:
    label, *pairs = line.split(maxsplit=1)
    return b" qid:0 ".join([label, *pairs]) if pairs else label + b" qid:0"


def _stack(chunks: list[Chunk], width: int) -> npt.NDArray[np.float32]:
    """Features (documents, width); consumes `chunks`, so that little is held in memory twice."""
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
        letor = parse(path)
        save_file(
            {
                "features": letor.features,
                "labels": letor.labels,
                "queries": letor.queries,
                "dense": np.array([letor.dense]),
            },
            folder / "letor.safetensors",
        )

    def key() -> dict[str, Any]:
        own: dict[str, Any] = {"parser": PARSER_VERSION, "file": input_digest(path)}
        own |= {"compression": path.suffix.lower()} if path.suffix.lower() in OPENERS else {}
        return own | ({"sizes": input_digest(beside)} if beside else {})

    beside = sizes_file(path)
    folder = cached("letor", key, make, exact=True)
    arrays = load_file(folder / "letor.safetensors")
    return Letor(
        arrays["features"],
        arrays["labels"],
        arrays["queries"],
        bool(arrays["dense"].all()),
        numbered=beside is None or _has_qid(path),
    )


def _distinct(parts: Sequence[Letor]) -> list[Letor]:
    """Parts in which queries without qids have numbers that no other part has."""
    free = 1 + max((int(p.queries.max()) for p in parts if p.numbered), default=-1)
    distinct = []
    for part in parts:
        shift = 0 if part.numbered else free
        distinct.append(replace(part, queries=part.queries + shift) if shift else part)
        free += 0 if part.numbered else 1 + int(part.queries.max())
    return distinct


def _check_shared(names: Sequence[str], parts: Sequence[Letor]) -> None:
    """Raise UsageError if two files share a query, since test queries could then be trained on."""
    owner: dict[int, str] = {}
    for name, part in zip(names, parts, strict=True):
        queries = np.unique(part.queries).tolist()
        shared = [query for query in queries if query in owner]
        if shared:
            raise UsageError(
                f"benchmark.path: qid {shared[0]} is in {owner[shared[0]]} and in {name} "
                f"({len(shared)} queries of {name} are in another file); use files in which each "
                "query belongs to one split"
            )
        owner.update(dict.fromkeys(queries, name))


def _common_width(names: Sequence[str], parts: Sequence[Letor]) -> int:
    """Width of the data set: that of its dense files, or else the largest index in any file."""
    stated = next((i for i, part in enumerate(parts) if part.dense), None)
    if stated is None:
        return max(part.width for part in parts)
    width = parts[stated].width
    for name, part in zip(names, parts, strict=True):
        if part.width > width or (part.dense and part.width < width):
            raise UsageError(
                f"benchmark.path: {name} has {part.width} features, but {names[stated]} has "
                f"{width}; use files of one data set"
            )
    return width


def _widened(part: Letor, width: int) -> Letor:
    if part.width == width:
        return part
    features = np.pad(part.features, ((0, 0), (0, width - part.width)))
    return replace(part, features=features)


# -- errors -----------------------------------------------------------------------------------


def _check_heads(path: Path, labels: Floats, queries: Floats, lines: Ints) -> None:
    """Check labels and qids; all arrays are (documents,)."""
    if (i := _first((labels < 0) | (labels != np.floor(labels)))) is not None:
        _refuse(path, lines[i], f"label '{labels[i]:g}' is not an integer >= 0", GRADES)
    if (i := _first(labels > MOST_LABEL)) is not None:
        problem = f"label {labels[i]:.0f} is above {MOST_LABEL}"
        _refuse(path, lines[i], problem, f"{GRADES}: the gain is 2^label - 1")
    if (i := _first(queries > MOST_QUERY)) is not None:
        problem = f"qid {queries[i]:.0f} is above 2^53 - 1"
        _refuse(path, lines[i], problem, "renumber the queries")


def _check_pairs(path: Path, index: Floats, value: Floats, row: Ints, lines: Ints) -> None:
    """Check index:value pairs; `lines` is (documents,), the other arrays are (pairs,)."""
    if (i := _first((index < 1) | (index > MOST_FEATURE))) is not None:
        problem = f"feature index {index[i]:.0f} is not from 1 to {MOST_FEATURE}"
        _refuse(path, lines[row[i]], problem, "number the features from 1")
    if (i := _first(np.abs(value) > MOST_VALUE)) is not None:
        problem = f"value of feature {index[i]:.0f} is too large for a float32"
        _refuse(path, lines[row[i]], problem, FINITE)
    if (i := _first((np.diff(index) <= 0) & (np.diff(row) == 0))) is not None:
        problem = f"feature index {index[i + 1]:.0f} follows {index[i]:.0f}"
        _refuse(path, lines[row[i]], problem, "list each index once, in ascending order")


def _check_grouped(path: Path, queries: Ints, lines: Ints) -> None:
    """Check that the documents of a query are adjacent; both arrays are (documents,)."""
    starts = np.flatnonzero(np.diff(queries, prepend=-1))  # first document of each run of one qid
    repeated = np.ones(len(starts), dtype=bool)
    repeated[np.unique(queries[starts], return_index=True)[1]] = False  # the first run of each qid
    if (run := _first(repeated)) is not None:
        problem = f"qid {queries[starts[run]]} reappears after other queries"
        _refuse(path, lines[starts[run]], problem, "put the documents of a query together")


def _check_sizes(path: Path, sizes: Ints, queries: Ints) -> None:
    """Check the sizes of queries in the file beside against the documents (documents,)."""
    beside = sizes_file(path)
    assert beside is not None
    if sizes.sum() != len(queries):
        raise UsageError(
            f"benchmark.path: {beside.name} adds up to {sizes.sum()} documents, but {path.name} "
            f"has {len(queries)}; use the files of one data set"
        )
    if queries[0] >= 0:
        starts = np.flatnonzero(np.diff(queries, prepend=-1))
        if not np.array_equal(starts, np.cumsum(sizes) - sizes):
            raise UsageError(
                f"benchmark.path: {beside.name} and the qids of {path.name} group the documents "
                f"differently; remove {beside.name} if the qids are right"
            )


def _first(bad: npt.NDArray[np.bool_]) -> int | None:
    """Index of the first True, if any."""
    return int(bad.argmax()) if bad.any() else None


def _explain(path: Path, number: int, line: bytes, *, with_qid: bool) -> NoReturn:
    """Raise UsageError for a line that does not match `LINE`, naming its first malformed field."""
    # Split the bytes, since `str.split` knows more white space than `LINE`.
    label, *rest = [field.decode("ascii", errors="backslashreplace") for field in line.split()]
    if not re.fullmatch(NUMBER, label.encode()):
        _refuse(path, number, f"label {_cut(label)} is not an integer >= 0", GRADES)
    if with_qid:
        if not rest or not rest[0].startswith("qid:"):
            remedy = (
                "use label qid:Q 1:v 2:v ..., or write the number of documents of each query into "
                f"{path.name}.query"
            )
            _refuse(path, number, "no qid after the label", remedy)
        if not re.fullmatch(r"qid:[0-9]+", rest[0]):
            problem = f"{_cut(rest[0])} is not qid: followed by an integer >= 0"
            _refuse(path, number, problem, "number the queries")
        rest = rest[1:]
    for pair in rest:
        index, colon, value = pair.partition(":")
        if not (colon and re.fullmatch(r"[0-9]+", index)):
            problem = f"{_cut(pair)} is not an index:value pair"
            _refuse(path, number, problem, "use label qid:Q 1:v 2:v ...")
        if not re.fullmatch(NUMBER, value.encode()):
            problem = f"value {_cut(value)} of feature {index} is not a finite number"
            _refuse(path, number, problem, FINITE)
    raise AssertionError(f"{path.name}:{number}: refused without a reason")


def _cut(field: str) -> str:
    """Quote a field for an error, shortened to 40 characters."""
    return repr(field if len(field) <= 40 else f"{field[:40]}...")


def _refuse(path: Path, line: int, problem: str, remedy: str) -> NoReturn:
    raise UsageError(f"benchmark.path: {path.name}:{line}: {problem}; {remedy}")
