"""Points of methods from a CSV file: objectives, and preferences and seeds if it has them."""

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paretosteer.cells.scores import MOST
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.metrics.input_checks import SIMPLEX_TOLERANCE, FloatArray
from paretosteer.metrics.weight_rounding import preference_key
from paretosteer.runtime.terminal import plural

_WEIGHT = "w_"
_KEYS = ("method", "seed")
_SEED = re.compile(r"(\d+)(\.0*)?")  # pandas writes whole numbers beside gaps as 0.0, 1.0, …
_DELIMITERS = (",", ";", "\t")

Preferences = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class MethodPoints:
    """Points of a method by seed, each (k, m); seed 0 in a file without seeds.

    With preferences, row l of every seed's points is the outcome at `preferences[l]`. Without them
    the points are sets, and seeds may have different numbers of points.
    """

    method: str
    preferences: Preferences  # ascending; empty in a file without weights
    by_seed: Mapping[int, FloatArray]

    @property
    def pooled(self) -> FloatArray:
        """Points of all seeds, (n, m)."""
        return np.concatenate(list(self.by_seed.values()))


@dataclass(frozen=True)
class PointsFile:
    """Points of a CSV file, in which higher is better in every objective."""

    objectives: list[str]
    reference: FloatArray  # (m,)
    methods: list[MethodPoints]
    ignored: list[str]  # columns that were not used


class FileError(Exception):
    """An error in the file, without the file's name."""


@dataclass(frozen=True)
class _Line:
    """One point of the file; `seed` is 0 in a file without seeds."""

    number: int
    method: str
    seed: int
    preference: tuple[float, ...]
    point: tuple[float, ...]


def read_points(
    path: Path,
    reference: Sequence[float],
    minimise: Sequence[str] = (),
    objectives: Sequence[str] = (),
) -> PointsFile:
    """Read the points of a CSV file, with the sign changed in objectives to be minimised.

    Raises
    ------
    FileError
        If a column or line cannot be used, or a number is so large that volumes would overflow.
    UsageError
        If the reference or an objective does not fit the columns.
    """
    rows, fields = _read(path)
    columns = _objectives(rows, fields, objectives)
    names = columns.objectives
    signs = _signs(names, minimise)
    used = {*_KEYS, *names, *columns.weights}
    ignored = [name for name in fields if name not in used]
    corner = _reference(reference, names, ignored) * signs
    methods: dict[str, list[_Line]] = {}
    for line in (_line(number, row, columns) for number, row in rows):
        methods.setdefault(line.method, []).append(line)
    gather = _at_preferences if columns.weights else _as_sets
    return PointsFile(
        objectives=names,
        reference=corner,
        methods=[gather(method, lines, signs) for method, lines in methods.items()],
        ignored=ignored,
    )


@dataclass(frozen=True)
class _Columns:
    objectives: list[str]
    weights: list[str]  # one for each objective, or none


def _read(path: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    """Numbered lines of the file by column, and its columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter(file.readline())
            file.seek(0)
            reader = csv.DictReader(file, restval="", strict=True, delimiter=delimiter)
            fields = [name.strip() for name in reader.fieldnames or []]
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise FileError(f"cannot be read ({error.strerror}); give a CSV file") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise FileError(f"is not a CSV file in UTF-8 ({error}); save it as one") from None
    if not rows:
        raise FileError("has no points; give a heading and one line per point")
    if "" in fields[1:]:
        raise FileError(f"column {fields.index('', 1) + 1} of the heading has no name; give it one")
    for number, row in rows:
        row.pop("", None)  # the index that pandas writes in front, without a name
        if None in row:
            raise FileError(
                f"line {number} has more values than the heading has columns; separate values by "
                f"{delimiter!r} only, with a point in decimals"
            )
    return [
        (number, {name.strip(): text.strip() for name, text in row.items()}) for number, row in rows
    ], [name for name in fields if name]


def _delimiter(heading: str) -> str:
    """The separator that the heading has most of: spreadsheets also write semicolons or tabs."""
    return max(_DELIMITERS, key=heading.count)


def _objectives(
    rows: Sequence[tuple[int, Mapping[str, str]]], fields: Sequence[str], given: Sequence[str]
) -> _Columns:
    """Columns of the objectives and of their weights.

    Objectives are those that the user names, in this order, else those with a weight, else, in a
    file without weights, all columns of numbers, in the order of the file.
    """
    if "method" not in fields:
        raise FileError(
            "has no column 'method'; name every point's method there (found "
            f"{', '.join(map(repr, fields))})"
        )
    repeated = {name for name in fields if fields.count(name) > 1}
    if repeated:
        raise FileError(f"has the column {min(repeated)!r} twice; name each once")
    for name in given:
        if name not in fields or name in _KEYS:
            raise UsageError(
                f"--objectives: no column {name!r}; {did_you_mean(name, _values(fields))}"
            )
    # The objective w_a has the weight w_w_a, so a weight may be named as an objective is.
    weighted = [name for name in _values(fields) if f"{_WEIGHT}{name}" in fields]
    if given:
        names = list(dict.fromkeys(given))
    elif weighted:
        names = weighted
        _refuse_halves(fields, weighted)
    else:
        names = [name for name in _values(fields) if _of_numbers(name, rows)]
    if len(names) < 2:
        raise FileError(
            f"has {len(names)} objectives; give at least two, each a column of numbers, with its "
            f"weight in {_WEIGHT}NAME if the points have preferences"
        )
    missing = [name for name in names if name not in weighted]
    if missing and len(missing) < len(names):
        raise FileError(
            f"has no column '{_WEIGHT}{missing[0]}' for the objective {missing[0]!r}; give every "
            "objective a weight, or none"
        )
    return _Columns(names, [] if missing else [f"{_WEIGHT}{name}" for name in names])


def _of_numbers(name: str, rows: Sequence[tuple[int, Mapping[str, str]]]) -> bool:
    """True for a column of numbers; FileError for one of numbers and, in a minority, of others."""
    others = [(number, row) for number, row in rows if not _number(row[name])]
    if others and 2 * len(others) < len(rows):
        number, row = others[0]
        raise FileError(
            f"line {number}, column {name!r} holds {row[name]!r}, unlike other lines; give a "
            "finite number, or choose the columns with --objectives"
        )
    return not others


def _values(fields: Sequence[str]) -> list[str]:
    return [name for name in fields if name not in _KEYS]


def _refuse_halves(fields: Sequence[str], weighted: Sequence[str]) -> None:
    """Refuse a weight without its objective, and a file in which one objective alone has a weight.

    Other columns without a weight are not objectives.
    """
    rest = [
        name
        for name in _values(fields)
        if name not in weighted and name.removeprefix(_WEIGHT) not in weighted
    ]
    for name in rest:
        if name.startswith(_WEIGHT):
            raise FileError(
                f"has the weight {name} but no column {name.removeprefix(_WEIGHT)!r}; add that "
                "objective's column or remove its weight"
            )
    if rest and len(weighted) < 2:
        raise FileError(
            f"has no column '{_WEIGHT}{rest[0]}' for the column {rest[0]!r}; add that objective's "
            "weight or remove the column"
        )


def _number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _signs(names: Sequence[str], minimise: Sequence[str]) -> FloatArray:
    for name in minimise:
        if name not in names:
            raise UsageError(f"--minimise: no objective {name!r}; {did_you_mean(name, names)}")
    return np.array([-1.0 if name in minimise else 1.0 for name in names])


def _reference(
    reference: Sequence[float], names: Sequence[str], ignored: Sequence[str]
) -> FloatArray:
    if len(reference) != len(names):
        unused = f" (--objectives can add {', '.join(ignored)})" if ignored else ""
        raise UsageError(
            f"--reference: has {plural(len(reference), 'value')} for "
            f"{plural(len(names), 'objective')}; give one for "
            f"each of {', '.join(names)}, in that order, or choose with --objectives{unused}"
        )
    if not all(map(math.isfinite, reference)):
        raise UsageError("--reference: holds NaN or infinity; give finite numbers")
    if max(map(abs, reference)) > MOST:
        raise UsageError(f"--reference: holds a number beyond {MOST:g}; use a larger unit")
    return np.array(reference, dtype=float)


def _line(number: int, row: Mapping[str, str], columns: _Columns) -> _Line:
    if not row["method"]:
        raise FileError(f"line {number} has no method; name one in every line")
    preference = tuple(_value(number, row, name) for name in columns.weights)
    if preference and (
        min(preference) < -SIMPLEX_TOLERANCE or abs(sum(preference) - 1) > SIMPLEX_TOLERANCE
    ):
        raise FileError(
            f"line {number} has weights that are negative or sum to "
            f"{sum(preference):.9g}; give weights of at least 0 that sum to 1"
        )
    seed = row.get("seed", "0")
    whole = _SEED.fullmatch(seed)
    if not whole:
        raise FileError(f"line {number} has the seed {seed!r}; give a whole number from 0")
    point = tuple(_value(number, row, name) for name in columns.objectives)
    return _Line(number, row["method"], int(whole[1]), preference, point)


def _value(number: int, row: Mapping[str, str], name: str) -> float:
    try:
        value = math.nan if "_" in row[name] else float(row[name])  # Python reads 1_0 as 10
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        comma = " with a decimal point" if "," in row[name] else ""
        raise FileError(
            f"line {number}, column {name!r} holds {row[name]!r}; give a finite number{comma}"
        )
    if abs(value) > MOST:
        raise FileError(
            f"line {number}, column {name!r} holds {row[name]}, beyond {MOST:g}, where volumes "
            "overflow; use a larger unit"
        )
    return value


def _at_preferences(method: str, lines: Sequence[_Line], signs: FloatArray) -> MethodPoints:
    seeds: dict[int, dict[tuple[float, ...], _Line]] = {}
    for line in lines:
        preference = preference_key(line.preference)
        own = seeds.setdefault(line.seed, {})
        if preference in own:
            raise FileError(
                f"lines {own[preference].number} and {line.number} are the same method, "
                "seed and preference; average them, or number them in a column 'seed'"
            )
        own[preference] = line
    grids = {tuple(sorted(own)) for own in seeds.values()}
    if len(grids) > 1:
        raise FileError(
            f"the seeds of method {method!r} have different preferences; give every "
            "seed a point at each of them"
        )
    grid = grids.pop()
    by_seed = {
        seed: np.array([seeds[seed][preference].point for preference in grid]) * signs
        for seed in sorted(seeds)
    }
    return MethodPoints(method, grid, by_seed)


def _as_sets(method: str, lines: Sequence[_Line], signs: FloatArray) -> MethodPoints:
    seeds: dict[int, list[tuple[float, ...]]] = {}
    for line in lines:
        seeds.setdefault(line.seed, []).append(line.point)
    return MethodPoints(method, (), {seed: np.array(seeds[seed]) * signs for seed in sorted(seeds)})
