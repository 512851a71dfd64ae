"""A table with its figures: metrics, intervals and costs of every row, best first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paretosteer.metrics.checks import FloatArray
from paretosteer.report import bootstrap
from paretosteer.report.measure import Figures, hypervolumes, measure, union_front
from paretosteer.report.tables import Replicate, Row, Table

# The reference point is a choice; these say whether the ranking hangs on it.
OTHER_REFERENCES = {"hypervolume_ref_1": -1.0, "hypervolume_ref_3": -3.0}


@dataclass(frozen=True)
class Curves:
    """What is drawn of a row.

    `seeds` (s, k, m) its points, `band` their means over seeds, `responses` each objective
    against its own weight, `dialled` (d, m) the points with further dials, all seeds'.
    """

    seeds: FloatArray
    band: bootstrap.Band
    responses: Sequence[Sequence[bootstrap.Level]]
    dialled: FloatArray


@dataclass(frozen=True)
class RowResult:
    """A row, its figures by leaderboard column, and its curves; none where nothing was scored."""

    row: Row
    figures: Figures
    curves: Curves | None


@dataclass(frozen=True)
class TableResult:
    """A table with rows by descending hypervolume; `union` (n, m) is their common front."""

    table: Table
    rows: tuple[RowResult, ...]
    union: FloatArray

    @property
    def scored(self) -> tuple[RowResult, ...]:
        """The rows that have figures."""
        return tuple(result for result in self.rows if result.curves)


def evaluate(table: Table) -> TableResult:
    """Measure every row of a table."""
    scored = [row for row in table.rows if row.replicates]
    rest = [RowResult(row, {}, None) for row in table.rows if not row.replicates]
    setting = table.setting
    if not setting or not scored:
        return TableResult(table, tuple(rest), np.empty((0, 0)))
    preferences = np.array(setting.preferences)
    points = [_points(row) for row in scored]
    figures = measure(points, preferences, setting.reference, setting.names)
    results = [
        _result(row, seeds, own, preferences, setting.reference)
        for row, seeds, own in zip(scored, points, figures, strict=True)
    ]
    return TableResult(table, tuple(sorted(results, key=_rank) + rest), union_front(points))


def _points(row: Row) -> FloatArray:
    return np.stack([replicate.scores.mean(axis=1) for replicate in row.replicates])


def _result(
    row: Row,
    seeds: FloatArray,
    figures: Figures,
    preferences: FloatArray,
    reference: Sequence[float],
) -> RowResult:
    draws = bootstrap.resample([replicate.scores for replicate in row.replicates])
    everything = {
        **figures,
        **bootstrap.intervals(figures, draws, preferences, reference),
        **{
            name: hypervolumes(seeds, [value] * len(reference))
            for name, value in OTHER_REFERENCES.items()
        },
        **_drift(row.replicates),
        **_costs(row.replicates),
        **({"budget_steps": row.cap} if row.cap is not None else {}),
    }
    curves = Curves(
        seeds,
        bootstrap.point_band(seeds, draws),
        bootstrap.responses(seeds, draws, preferences),
        np.concatenate([replicate.dialled for replicate in row.replicates]),
    )
    return RowResult(row, everything, curves)


def _rank(result: RowResult) -> tuple[float, float, str]:
    figures = result.figures
    return -figures["hypervolume"], -figures.get("controllability", 0.0), result.row.label


def _drift(replicates: Sequence[Replicate]) -> Figures:
    """Mean over points, then seeds, of what was measured in every seed."""
    names = set.intersection(*(set(replicate.drift) for replicate in replicates))
    return {
        name: float(np.mean([replicate.drift[name].mean() for replicate in replicates]))
        for name in sorted(names)
    }


def _costs(replicates: Sequence[Replicate]) -> Figures:
    """Mean cost of a seed; what is counted stays a whole number."""
    costs = [_flat_cost(replicate.cell.record["cost"]) for replicate in replicates]
    names = sorted({name for cost in costs for name in cost})
    means = {name: float(np.mean([cost.get(name, 0.0) for cost in costs])) for name in names}
    means["n_failed"] = sum(replicate.cell.record["n_failed"] for replicate in replicates)
    means["n_total"] = sum(replicate.cell.record["n_total"] for replicate in replicates)
    return means


def _flat_cost(cost: Mapping[str, object]) -> dict[str, float]:
    flat = {name: float(value) for name, value in cost.items() if isinstance(value, int | float)}
    seconds = cost["seconds"]
    assert isinstance(seconds, Mapping)  # the record's schema
    return flat | {f"seconds_{phase}": float(value) for phase, value in seconds.items()}
