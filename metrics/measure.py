"""Metrics of points, computed here for report, `score`, `validate` and trackers alike.

Replicates are seeds, cross-validation folds, or both, and a row's figure is the mean over them. The
union front covers all points of all rows and seeds, so that no ratio exceeds 1 and no loss is below
0; each fold has its own, because its prompts and units differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from paretosteer.metrics.fronts import nondominated
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.metrics.leaderboard import row_metrics
from paretosteer.metrics.optimum import Optimum, learnable
from paretosteer.metrics.row_metric import OTHER_GRIDS, ROWS, RowMetric, column_of
from paretosteer.metrics.row_points import Points
from paretosteer.metrics.volume import affordable

Figures: TypeAlias = dict[str, Any]
Fronts: TypeAlias = Mapping[int | None, FloatArray]


class Map(Protocol):
    """Like `map`: apply a function to many items, in order."""

    def __call__(self, function: Callable[[Any], Any], things: Iterable[Any], /) -> Iterable[Any]:
        """Apply the function."""
        ...


@dataclass(frozen=True)
class Frame:
    """Setting that the rows of a table share.

    Attributes
    ----------
    preferences, reference
        (k, m) and (m,).
    names
        m names of objectives.
    optima
        The best possible by fold, if it is known; else the front is the union front.
    standard
        Whether the points are in standard units of the start model; otherwise they are raw.
    raw_reference
        (m,), the user's reference point in raw units, if any.
    raw_bounds
        (2, m), the user's lowest and highest raw values, if any.
    exact
        Whether hypervolumes are exact; `measure` decides it for all rows of a table.
    """

    preferences: FloatArray
    reference: FloatArray
    names: Sequence[str]
    optima: Mapping[int | None, Optimum] | None = None
    standard: bool = True
    raw_reference: FloatArray | None = None
    raw_bounds: FloatArray | None = None
    exact: bool = True

    @cached_property
    def learnable(self) -> npt.NDArray[np.intp]:
        """Places (n,) of the preferences at which there is something to learn, in every fold."""
        return learnable(self.preferences, (self.optima or {}).values())

    def fronts(self, rows: Sequence[Points]) -> Fronts:
        """By fold, the front (n, m) that ratio and losses refer to."""
        if self.optima:
            return {fold: optimum.points for fold, optimum in self.optima.items()}
        return union_fronts(rows)

    def inputs(self, points: FloatArray, fold: int | None) -> dict[str, Any]:
        """Inputs of metrics by name, except the front, for one replicate's points (k, m)."""
        return {
            "points": points,
            "preferences": self.preferences,
            "reference": self.reference,
            "exact": self.exact,
            "standard_points" if self.standard else "raw_points": points,
            **({} if self.raw_reference is None else {"raw_reference": self.raw_reference}),
            **({} if self.raw_bounds is None else {"raw_bounds": self.raw_bounds}),
            **({"optimum": self.optima[fold], "learnable": self.learnable} if self.optima else {}),
        }


def measure(
    rows: Sequence[Points],
    frame: Frame,
    metrics: Callable[[], Iterable[RowMetric]] = row_metrics,
    spread: Map = map,
    other_grids: Sequence[Points] = (),
) -> list[Figures]:
    """Measure every row of a table.

    Parameters
    ----------
    rows
        Points of each row; replicates may differ in number.
    frame
        What the rows share.
    metrics
        Gives the metrics; a function, since other processes cannot be sent a plug-in's metric.
    spread
        The `map` that goes over rows.
    other_grids
        Rows at other preferences, in the same units and on the same prompts. They count as sets of
        points: in the union front, contribution and dominance.

    Returns
    -------
    list[Figures]
        For each row its figures by column of the leaderboard, without those that are not defined.
    """
    frame = replace(frame, exact=exactly(rows))
    alone = spread(partial(_alone, metrics, frame, frame.fronts([*rows, *other_grids])), rows)
    together = _together(metrics(), rows, other_grids, frame)
    return [own | compared for own, compared in zip(alone, together, strict=True)]


def exactly(rows: Sequence[Points]) -> bool:
    """True if exact hypervolumes of all rows are affordable, so that none has to be estimated."""
    return affordable(points for row in rows for points in row.values)


def figures(
    metrics: Iterable[RowMetric], inputs: Mapping[str, Any], names: Sequence[str]
) -> dict[str, float]:
    """Finite values of the metrics whose needs are among the inputs.

    `names` are those of the objectives. Without "exact" each hypervolume is exact if affordable.
    """
    inputs = {"exact": None, **inputs}
    results: dict[Any, Any] = {}  # one function may compute several metrics
    found: dict[str, float] = {}
    for metric in metrics:
        if metric.function is None or not set(metric.needs) <= inputs.keys():
            continue
        key = metric.function, metric.needs
        if key not in results:
            results[key] = metric.function(*(inputs[need] for need in metric.needs))
        value = _part(results[key], metric)
        if value is None:
            continue
        if metric.per_objective:
            own = [column_of(metric.name, name) for name in names]
            found |= dict(zip(own, np.asarray(value, dtype=float).tolist(), strict=True))
        else:
            found[metric.name] = float(value)
    return {name: value for name, value in found.items() if np.isfinite(value)}


def union_fronts(rows: Sequence[Points]) -> dict[int | None, FloatArray]:
    """By fold, the nondominated points (n, m) among those of all rows."""
    folds = dict.fromkeys(fold for row in rows for fold in row.folds)
    return {fold: _front(np.concatenate([row.of(fold) for row in rows])) for fold in folds}


def shown_front(rows: Sequence[Points]) -> FloatArray:
    """Union front (n, m) to draw: of all points, or of the means where there are folds."""
    fronts = union_fronts(rows)
    if len(fronts) == 1:
        return next(iter(fronts.values()))
    return _front(np.concatenate([row.mean for row in rows]))


def _alone(
    metrics: Callable[[], Iterable[RowMetric]], frame: Frame, fronts: Fronts, row: Points
) -> Figures:
    """Figures of a row that depend on other rows only through the front."""
    chosen = list(metrics())
    further = row.measured or [{}] * len(row.folds)
    each = [
        figures(
            chosen,
            {
                "scores": points[:, None],
                **measured,
                **frame.inputs(points, fold),
                "front": fronts[fold],
            },
            frame.names,
        )
        for points, fold, measured in zip(row.values, row.folds, further, strict=True)
    ]
    names = [name for name in each[0] if all(name in one for one in each)]
    return {name: float(np.mean([one[name] for one in each])) for name in names}


def _together(
    metrics: Iterable[RowMetric],
    rows: Sequence[Points],
    other_grids: Sequence[Points],
    frame: Frame,
) -> list[Figures]:
    """Figures of every row that compare it with the others."""
    inputs = {ROWS: rows, OTHER_GRIDS: other_grids, "reference": frame.reference}
    results: dict[Any, Sequence[Any]] = {}
    found: list[Figures] = [{} for _ in rows]
    for metric in metrics:
        if metric.function is None or ROWS not in metric.needs:
            continue
        if metric.function not in results:
            results[metric.function] = metric.function(*(inputs[need] for need in metric.needs))
        for own, result in zip(found, results[metric.function], strict=True):
            own[metric.name] = _part(result, metric)
    return found


def _part(result: Any, metric: RowMetric) -> Any:
    return getattr(result, metric.part) if metric.part and result is not None else result


def _front(points: FloatArray) -> FloatArray:
    return points[nondominated(points)]
