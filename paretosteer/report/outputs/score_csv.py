"""Leaderboard of points from a CSV file of preferences and outcomes."""

import csv
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paretosteer.errors import UsageError, did_you_mean
from paretosteer.metrics.input_checks import SIMPLEX_TOLERANCE, FloatArray
from paretosteer.metrics.measure import Frame, measure
from paretosteer.metrics.row_points import Points
from paretosteer.report.columns import row_metrics
from paretosteer.report.outputs.leaderboard import as_frame

if TYPE_CHECKING:
    import pandas as pd

_WEIGHT = "w_"


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
        If a column or line cannot be used.
    """
    rows, fields = _read(Path(path))
    names = _objectives(fields)
    signs = _signs(names, minimise)
    corner = _reference(reference, names) * signs
    groups: dict[tuple[tuple[float, ...], ...], dict[str, FloatArray]] = {}
    for method, lines in _by_method(rows, names).items():
        preferences, points = _points(method, lines)
        groups.setdefault(preferences, {})[method] = points * signs
    return as_frame(
        [
            row
            for number, (preferences, members) in enumerate(groups.items(), start=1)
            for row in _rows(number, members, Frame(np.array(preferences), corner, names, standard=False))
        ]
    )


def _read(path: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    """Numbered lines of the file by column, and its columns."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restkey="", restval="", strict=True)
            fields = [name.strip() for name in reader.fieldnames or []]
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a CSV file") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: is not a CSV file in UTF-8 ({error})") from None
    if not rows:
        raise UsageError(f"{path}: has no points; give a heading and one line per point")
    for number, row in rows:
        if "" in row:
            raise UsageError(f"{path}: line {number} has more values than the heading has columns")
    return [
        (number, {name.strip(): text.strip() for name, text in row.items()}) for number, row in rows
    ], fields


def _objectives(fields: Sequence[str]) -> list[str]:
    """Objectives in the order of their columns, each with a column for its weight."""
    if "method" not in fields:
        raise UsageError("FILE.csv: has no column 'method'; name every point's method there")
    repeated = {name for name in fields if fields.count(name) > 1}
    if repeated:
        raise UsageError(f"FILE.csv: has the column {min(repeated)!r} twice; name each once")
    weighted = [name.removeprefix(_WEIGHT) for name in fields if name.startswith(_WEIGHT)]
    names = [name for name in fields if _is_objective(name)]
    for name in weighted:
        if name not in names:
            raise UsageError(
                f"FILE.csv: has the weight {_WEIGHT}{name} but no column {name!r}; add that "
                "objective's column or remove its weight"
            )
    for name in names:
        if name not in weighted:
            raise UsageError(
                f"FILE.csv: has no column '{_WEIGHT}{name}' for the column {name!r}; add that "
                "objective's weight or remove the column"
            )
    if len(names) < 2:
        raise UsageError(
            f"FILE.csv: has {len(names)} objectives; give at least two, each a column NAME with "
            f"its weight in {_WEIGHT}NAME"
        )
    return names


def _is_objective(name: str) -> bool:
    return name not in ("method", "seed") and not name.startswith(_WEIGHT)


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
        raise UsageError(f"FILE.csv: line {number} has no method; name one in every line")
    preference = tuple(_value(number, row, f"{_WEIGHT}{name}") for name in names)
    off = abs(sum(preference) - 1)
    if min(preference) < 0 or off > SIMPLEX_TOLERANCE:
        raise UsageError(
            f"FILE.csv: line {number} has weights that are negative or sum to "
            f"{sum(preference):.9g}; give weights of at least 0 that sum to 1"
        )
    seed = row.get("seed", "0")
    if not seed.isdecimal():
        raise UsageError(f"FILE.csv: line {number} has the seed {seed!r}; give a whole number")
    point = tuple(_value(number, row, name) for name in names)
    return _Line(number, row["method"], int(seed), preference, point)


def _value(number: int, row: Mapping[str, str], name: str) -> float:
    try:
        value = float(row[name])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError(
            f"FILE.csv: line {number}, column {name!r} holds {row[name]!r}; give a finite number"
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
            raise UsageError(
                f"FILE.csv: lines {own[preference].number} and {line.number} are the same method, "
                "seed and preference; average them, or number them in a column 'seed'"
            )
        own[preference] = line
    grids = {tuple(sorted(own)) for own in seeds.values()}
    if len(grids) > 1:
        raise UsageError(
            f"FILE.csv: the seeds of method {method!r} have different preferences; give every "
            "seed a point at each of them"
        )
    grid = grids.pop()
    points = [[seeds[seed][preference].point for preference in grid] for seed in sorted(seeds)]
    return grid, np.array(points)


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
