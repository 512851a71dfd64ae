"""Leaderboard of points from a CSV file, which no benchmark of ours produced."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from paretosteer import metrics
from paretosteer.errors import UsageError
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.metrics.measure import Figures, Frame, figures, measure
from paretosteer.metrics.row_metric import RowMetric
from paretosteer.metrics.row_points import Points
from paretosteer.report.analysis.bootstrap import RESAMPLES, Volumes
from paretosteer.report.analysis.ranks import compare, standings
from paretosteer.report.columns import CONTRACT, fixed_names, row_metrics, whole_names
from paretosteer.report.outputs.leaderboard import as_frame
from paretosteer.report.outputs.points_file import (
    FileError,
    MethodPoints,
    PointsFile,
    Preferences,
    read_points,
)
from paretosteer.runtime.progress import say

if TYPE_CHECKING:
    import pandas as pd

# Metrics of a seed that are counts; their means over seeds need not be whole.
COUNTS = ("points_outside", "front_size", "violations")

# A metric that needs others has no interval.
_INPUTS = {"points", "scores", "preferences", "reference", "exact"}


def score_csv(
    path: str | os.PathLike[str],
    reference: Sequence[float],
    minimise: Sequence[str] = (),
    objectives: Sequence[str] = (),
) -> "pd.DataFrame":
    """Leaderboard of points that are not normalised; higher is better.

    With two or more seeds, intervals, rank intervals and tie groups are over seeds. The bootstrap
    of seeds is scaled to Student's t, see `metrics.resampled_shares`.

    Parameters
    ----------
    path
        CSV with columns `method`, optionally `seed`, one per objective, and `w_<objective>` for
        every objective's weight. Without weights, each method's points are a set, and metrics that
        need preferences are missing.
    reference
        One value per objective, in the order of `objectives`, or else of the columns.
    minimise
        Objectives of which less is better: their column and reference entry change sign.
    objectives
        Columns of the objectives; by default those with a weight, or all columns of numbers.

    Returns
    -------
    Columns as in `leaderboard.csv`, and `coverage`, the share of other methods' points that a
    method's points weakly dominate. Methods with different preferences are in different tables,
    and count as sets of points in each other's coverage, union front, contribution and dominance.

    Raises
    ------
    UsageError
        If a column or line cannot be used, or a number is so large that volumes would overflow.
    """
    name = os.fspath(path)
    try:
        file = read_points(Path(path), reference, minimise, objectives)
    except FileError as error:
        raise UsageError(f"{name}: {error}") from None
    if file.ignored:
        say(f"{name}: columns that are not objectives are ignored: {', '.join(file.ignored)}")
    tables: dict[Preferences, list[MethodPoints]] = {}
    for method in file.methods:
        _say_if_outside(name, method, file.reference)
        tables.setdefault(method.preferences, []).append(method)
    rows = [
        row
        for number, members in enumerate(tables.values(), start=1)
        for row in _rows(number, members, file)
    ]
    # Columns of single objectives stay in the order of the objectives.
    fixed = fixed_names()
    varying = dict.fromkeys(column for row in rows for column in row if column not in fixed)
    return as_frame(rows)[[*fixed, *varying]]


def score_json(frame: "pd.DataFrame") -> str:
    """Rows as JSON: all digits, counts as integers, null where a value does not apply.

    Columns that no row has are omitted, unless they are in the leaderboard's contract.
    """
    names = [name for name in frame if name in CONTRACT or frame[name].notna().any()]
    whole = {*whole_names(), *COUNTS}
    rows = [
        {name: _plain(value, name in whole) for name, value in row.items()}
        for row in frame[names].astype(object).to_dict("records")
    ]
    return json.dumps(rows, indent=1, ensure_ascii=False)


def _plain(value: Any, whole: bool) -> str | int | float | bool | None:
    if isinstance(value, str | bool | np.bool_):
        return value if isinstance(value, str) else bool(value)
    # pandas' missing value is no number.
    if value is None or not isinstance(value, int | float | np.number) or not np.isfinite(value):
        return None
    return int(value) if whole and value == int(value) else float(value)


def _say_if_outside(path: str, method: MethodPoints, corner: FloatArray) -> None:
    """Say that a method's points have no hypervolume because of the reference."""
    if not (method.pooled > corner).all(axis=-1).any():
        say(
            f"{path}: every point of {method.method!r} lies below the reference in some objective, "
            "so its hypervolume is 0; lower --reference (of a minimised objective, raise it)"
        )


def _rows(
    number: int, members: Sequence[MethodPoints], file: PointsFile
) -> Iterator[dict[str, object]]:
    """Leaderboard rows of one table, best first."""
    measured = _at_preferences(members, file) if members[0].preferences else _of_sets(members, file)
    for own, found in zip(members, measured, strict=True):
        found |= _seed_intervals(own, file)
        if others := [each.pooled for each in file.methods if each is not own]:
            found["coverage"] = metrics.coverage(own.pooled, np.concatenate(others))
    placed = _placed(members, file.reference)
    rows = [
        {
            "table": number,
            "method": own.method,
            "variant": "",
            "label": own.method,
            "seeds": len(own.by_seed),
            "seed_list": " ".join(map(str, own.by_seed)),
            "status": "ok",
            "points": len(own.pooled) // len(own.by_seed),
            "ratio_to": "union" if "hypervolume_ratio" in found else None,
            **found,
            **placed[own.method],
        }
        for own, found in zip(members, measured, strict=True)
    ]
    yield from sorted(
        rows, key=lambda row: (-row["hypervolume"], -row.get("controllability", 0), row["method"])
    )


def _at_preferences(members: Sequence[MethodPoints], file: PointsFile) -> list[Figures]:
    grid = members[0].preferences
    preferences = np.array(grid)
    others = [each for each in file.methods if each.preferences != grid]
    frame = Frame(preferences, file.reference, file.objectives, standard=False)
    return measure(_points(members), frame, row_metrics, other_grids=_points(others))


def _points(methods: Sequence[MethodPoints]) -> list[Points]:
    return [
        Points(np.stack(list(own.by_seed.values())), [None] * len(own.by_seed)) for own in methods
    ]


def _of_sets(members: Sequence[MethodPoints], file: PointsFile) -> list[Figures]:
    """Figures that need no preferences. A set dominates what it covers, unless it is covered too.

    A method's sets of all seeds are one where it is compared with other methods.
    """
    everything = np.concatenate([own.pooled for own in members])
    front = everything[metrics.nondominated(everything)]
    return [
        _set_figures(own, [each for each in members if each is not own], front, file)
        for own in members
    ]


def _set_figures(
    own: MethodPoints, others: Sequence[MethodPoints], front: FloatArray, file: PointsFile
) -> Figures:
    shared = {"reference": file.reference, "front": front}
    each = [
        figures(row_metrics(), {**shared, "points": points}, file.objectives)
        for points in own.by_seed.values()
    ]
    found: Figures = {
        name: float(np.mean([one[name] for one in each]))
        for name in each[0]
        if all(name in one for one in each)
    }
    found["dominated_by"] = sum(metrics.set_dominates(other.pooled, own.pooled) for other in others)
    rest = [point for other in others for point in other.pooled]
    lost = metrics.contribution(own.pooled, rest, file.reference)
    return found | {"contribution": lost.volume, "contribution_points": lost.points}


def _seed_intervals(own: MethodPoints, file: PointsFile) -> Figures:
    """Intervals over seeds of the metrics that need nothing but points, preferences, reference."""
    if len(own.by_seed) < 2:
        return {}
    exact = metrics.affordable(own.by_seed.values())
    shared: dict[str, Any] = {"reference": file.reference, "exact": exact}
    if own.preferences:
        shared["preferences"] = np.array(own.preferences)
    with_interval = [each for each in row_metrics() if each.interval and set(each.needs) <= _INPUTS]
    each = [
        figures(
            with_interval,
            {**shared, "points": points, "scores": points[:, None]},
            file.objectives,
        )
        for points in own.by_seed.values()
    ]
    ends: Figures = {}
    for metric in with_interval:
        if all(metric.name in one for one in each):
            values = np.array([one[metric.name] for one in each])
            low, high = _interval(metric, values, tuple(own.by_seed))
            least, most = metric.bounds
            ends |= {
                f"{metric.name}_low": max(low, least),
                f"{metric.name}_high": min(high, most),
            }
    return ends


def _interval(metric: RowMetric, values: FloatArray, seeds: Sequence[int]) -> metrics.Interval:
    mean, draws = float(values.mean()), _resampled(values, seeds)
    if metric.interval == "percentile":
        return metrics.percentile_interval(draws)
    if metric.interval == "reflected":
        return metrics.reflected_interval(mean, draws)
    return metrics.symmetric_interval(mean, draws)


def _resampled(values: FloatArray, seeds: Sequence[int]) -> FloatArray:
    """Mean of values (n,) under each resample of the seeds, which methods with the same share."""
    shares = metrics.resampled_shares(len(seeds), RESAMPLES, crc32(repr(list(seeds)).encode()))
    return np.asarray(shares @ values)


def _placed(members: Sequence[MethodPoints], reference: FloatArray) -> dict[str, Figures]:
    """Ranks by hypervolume; their intervals and ties need two seeds that all methods have."""
    seeds = [seed for seed in members[0].by_seed if all(seed in own.by_seed for own in members)]
    volumes = {
        own.method: np.array(
            [metrics.hypervolume(own.by_seed[seed], reference) for seed in seeds or own.by_seed]
        )
        for own in members
    }
    if len(seeds) < 2:
        places = metrics.ranks([values.mean() for values in volumes.values()]).tolist()
        return {method: {"rank": rank} for method, rank in zip(volumes, places, strict=True)}
    # The seeds are resampled here, so their mean counts as the only replicate.
    means = {
        method: Volumes(
            np.array([values.mean()]), np.array([_resampled(values, seeds)]), keys=((0, 0),)
        )
        for method, values in sorted(volumes.items(), key=lambda pair: -pair[1].mean())
    }
    pairs = compare(means, next(iter(means)), outer=False)
    return standings(means, pairs, outer=False, compared=len(means))
