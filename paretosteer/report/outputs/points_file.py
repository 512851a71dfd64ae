"""Leaderboard of points from a CSV file of preferences and outcomes."""

import csv
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paretosteer.cells.scores import MOST
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.metrics.input_checks import SIMPLEX_TOLERANCE, FloatArray
from paretosteer.metrics.measure import Frame, measure
from paretosteer.metrics.row_points import Points
from paretosteer.report.columns import row_metrics
from paretosteer.report.outputs.leaderboard import as_frame
from paretosteer.runtime.progress import say

if TYPE_CHECKING:
    import pandas as pd

_WEIGHT = "w_"
_KEYS = ("method", "seed")
_SEED = re.compile(r"(\d+)(\.0*)?")  # pandas writes whole numbers beside gaps as 0.0, 1.0, …
_DELIMITERS = (",", ";", "\t")


class _FileError(Exception):
    """A fault of the file, without its name."""


@dataclass(frozen=True)
class _Line:
    """One point of the file; `seed` is 0 in a file without seeds."""

    number: int
    method: str
    seed: int
    preference: tuple[float, ...]
    point: tuple[float, ...]


def score_csv(
    path: str | os.PathLike[str], reference: Sequence[float], minimise: Sequence[str] = ()
) -> "pd.DataFrame":
    """Leaderboard of points that are not normalised; higher is better.

    Parameters
    ----------
    path
        CSV with columns `method`, optionally `seed`, `w_<objective>` for every objective's
        weight, and one column per objective.
    reference
        One value per objective, in the order of the objective columns.
    minimise
        Objectives of which less is better: their column and reference entry change sign.

    Returns
    -------
    Columns as in `leaderboard.csv`. Methods with different preferences are in different tables.

    Raises
    ------
    UsageError
        If a column or line cannot be used, or a number is so large that volumes would overflow.
    """
    groups: dict[tuple[tuple[float, ...], ...], dict[str, FloatArray]] = {}
    try:
        rows, fields = _read(Path(path))
        names = _objectives(fields)
        signs = _signs(names, minimise)
        corner = _reference(reference, names) * signs
        for method, lines in _by_method(rows, names).items():
            preferences, points = _points(method, lines)
            groups.setdefault(preferences, {})[method] = points * signs
            _say_if_outside(os.fspath(path), method, points * signs, corner)
    except _FileError as fault:
        raise UsageError(f"{os.fspath(path)}: {fault}") from None
    return as_frame(
        [
            row
            for number, (preferences, members) in enumerate(groups.items(), start=1)
            for row in _rows(
                number, members, Frame(np.array(preferences), corner, names, standard=False)
            )
        ]
    )


def _read(path: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    """Numbered lines of the file by column, and its columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            delimiter = _delimiter(file.readline())
            file.seek(0)
            reader = csv.DictReader(file, restkey="", restval="", strict=True, delimiter=delimiter)
            fields = [name.strip() for name in reader.fieldnames or []]
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise _FileError(f"cannot be read ({error.strerror}); give a CSV file") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise _FileError(f"is not a CSV file in UTF-8 ({error}); save it as one") from None
    if not rows:
        raise _FileError("has no points; give a heading and one line per point")
    for number, row in rows:
        if "" in row:
            raise _FileError(
                f"line {number} has more values than the heading has columns; separate values by "
                f"{delimiter!r} only, with a point in decimals"
            )
    return [
        (number, {name.strip(): text.strip() for name, text in row.items()}) for number, row in rows
    ], fields


def _delimiter(heading: str) -> str:
    """The separator that the heading has most of: spreadsheets also write semicolons or tabs."""
    return max(_DELIMITERS, key=heading.count)


def _objectives(fields: Sequence[str]) -> list[str]:
    """Objectives in the order of their columns, each with a column for its weight."""
    if "method" not in fields:
        raise _FileError(
            "has no column 'method'; name every point's method there (found "
            f"{', '.join(map(repr, fields))})"
        )
    repeated = {name for name in fields if fields.count(name) > 1}
    if repeated:
        raise _FileError(f"has the column {min(repeated)!r} twice; name each once")
    # The objective w_a has the weight w_w_a, so a weight may be named as an objective is.
    names = [name for name in fields if f"{_WEIGHT}{name}" in fields and name not in _KEYS]
    for name in fields:
        if name in (*_KEYS, *names) or name.removeprefix(_WEIGHT) in names:
            continue
        if name.startswith(_WEIGHT):
            raise _FileError(
                f"has the weight {name} but no column {name.removeprefix(_WEIGHT)!r}; add that "
                "objective's column or remove its weight"
            )
        raise _FileError(
            f"has no column '{_WEIGHT}{name}' for the column {name!r}; add that objective's weight "
            "or remove the column"
        )
    if len(names) < 2:
        raise _FileError(
            f"has {len(names)} objectives; give at least two, each a column NAME with its weight "
            f"in {_WEIGHT}NAME"
        )
    return names


def _signs(names: Sequence[str], minimise: Sequence[str]) -> FloatArray:
    for name in minimise:
        if name not in names:
            raise UsageError(f"--minimise: no objective {name!r}; {did_you_mean(name, names)}")
    return np.array([-1.0 if name in minimise else 1.0 for name in names])


def _reference(reference: Sequence[float], names: Sequence[str]) -> FloatArray:
    if len(reference) != len(names):
        raise UsageError(
            f"--reference: has {len(reference)} values for {len(names)} objectives; give one for "
            f"each of {', '.join(names)}, in that order"
        )
    if not all(map(math.isfinite, reference)):
        raise UsageError("--reference: holds NaN or infinity; give finite numbers")
    if max(map(abs, reference)) > MOST:
        raise UsageError(f"--reference: holds a number beyond {MOST:g}; use a larger unit")
    return np.array(reference, dtype=float)


def _by_method(
    rows: Sequence[tuple[int, Mapping[str, str]]], names: Sequence[str]
) -> dict[str, list[_Line]]:
    methods: dict[str, list[_Line]] = {}
    for line in (_line(number, row, names) for number, row in rows):
        methods.setdefault(line.method, []).append(line)
    return methods


def _line(number: int, row: Mapping[str, str], names: Sequence[str]) -> _Line:
    if not row["method"]:
        raise _FileError(f"line {number} has no method; name one in every line")
    preference = tuple(_value(number, row, f"{_WEIGHT}{name}") for name in names)
    off = abs(sum(preference) - 1)
    if min(preference) < -SIMPLEX_TOLERANCE or off > SIMPLEX_TOLERANCE:
        raise _FileError(
            f"line {number} has weights that are negative or sum to "
            f"{sum(preference):.9g}; give weights of at least 0 that sum to 1"
        )
    seed = row.get("seed", "0")
    whole = _SEED.fullmatch(seed)
    if not whole:
        raise _FileError(f"line {number} has the seed {seed!r}; give a whole number from 0")
    point = tuple(_value(number, row, name) for name in names)
    return _Line(number, row["method"], int(whole[1]), preference, point)


def _value(number: int, row: Mapping[str, str], name: str) -> float:
    try:
        value = math.nan if "_" in row[name] else float(row[name])  # Python reads 1_0 as 10
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        comma = " with a decimal point" if "," in row[name] else ""
        raise _FileError(
            f"line {number}, column {name!r} holds {row[name]!r}; give a finite number{comma}"
        )
    if abs(value) > MOST:
        raise _FileError(
            f"line {number}, column {name!r} holds {row[name]}, beyond {MOST:g}, where volumes "
            "overflow; use a larger unit"
        )
    return value


def _points(
    method: str, lines: Sequence[_Line]
) -> tuple[tuple[tuple[float, ...], ...], FloatArray]:
    """A method's preferences, ascending, and its points (seeds, k, m) at them."""
    seeds: dict[int, dict[tuple[float, ...], _Line]] = {}
    for line in lines:
        # Rounded, so that weights that differ by rounding errors are equal.
        preference = tuple(round(weight, 9) for weight in line.preference)
        own = seeds.setdefault(line.seed, {})
        if preference in own:
            raise _FileError(
                f"lines {own[preference].number} and {line.number} are the same method, "
                "seed and preference; average them, or number them in a column 'seed'"
            )
        own[preference] = line
    grids = {tuple(sorted(own)) for own in seeds.values()}
    if len(grids) > 1:
        raise _FileError(
            f"the seeds of method {method!r} have different preferences; give every "
            "seed a point at each of them"
        )
    grid = grids.pop()
    points = [[seeds[seed][preference].point for preference in grid] for seed in sorted(seeds)]
    return grid, np.array(points)


def _say_if_outside(path: str, method: str, points: FloatArray, corner: FloatArray) -> None:
    """Say that a method's points (seeds, k, m) have no hypervolume because of the reference."""
    if not (points > corner).all(axis=-1).any():
        say(
            f"{path}: every point of {method!r} lies below the reference in some objective, so its "
            "hypervolume is 0; lower --reference (of a minimised objective, raise it)"
        )


def _rows(
    number: int,
    members: Mapping[str, FloatArray],
    frame: Frame,
) -> Iterator[dict[str, object]]:
    """Leaderboard rows of one table, best first."""
    points = [Points(values, [None] * len(values)) for values in members.values()]
    measured = measure(points, frame, row_metrics)
    rows = [
        {
            "table": number,
            "method": method,
            "variant": "",
            "label": method,
            "seeds": len(values),
            "status": "ok",
            "points": values.shape[1],
            "ratio_to": "union" if "hypervolume_ratio" in figures else None,
            **figures,
        }
        for (method, values), figures in zip(members.items(), measured, strict=True)
    ]
    yield from sorted(
        rows, key=lambda row: (-row["hypervolume"], -row.get("controllability", 0), row["method"])
    )
