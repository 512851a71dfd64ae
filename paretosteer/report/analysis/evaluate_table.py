"""Evaluation of a table: metrics, intervals and costs of every row, best first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from paretosteer.cells.record import Cost
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.metrics.measure import Figures, Frame, Map, exactly, measure, shown_front
from paretosteer.metrics.row_metric import Column
from paretosteer.metrics.row_points import Points
from paretosteer.policies.kl import DamagedPoints
from paretosteer.report.analysis import bootstrap
from paretosteer.report.analysis.equal_drift import (
    DriftLead,
    EqualDrift,
    equal_drift,
    near_volumes,
)
from paretosteer.report.analysis.oracle import Oracle, common_oracle
from paretosteer.report.analysis.ranks import COMPARED, Pair, compare, standings
from paretosteer.report.analysis.replicates import Replicate, damage_of, replicate_noun
from paretosteer.report.analysis.steering_intervals import steering_intervals
from paretosteer.report.analysis.tables import Row, Table
from paretosteer.report.analysis.win_rates import WinRate, against, win_rates
from paretosteer.report.columns import KL, row_metrics

# Costs of training, unknown where parts of the policy were trained elsewhere.
TRAINING_COSTS = frozenset({"train_steps", "train_tokens", "flops", "seconds_train"})
UNKNOWN = "unknown"

DAMAGE_MARK = "⚠"  # before the KL of a row whose texts are usually damaged


@dataclass(frozen=True)
class Regret:
    """Oracle regret of a row."""

    band: bootstrap.Band  # (n,), at the oracle's `places`
    mean: bootstrap.Band
    levels: Sequence[Sequence[bootstrap.Level]]  # by objective, then by its weight


@dataclass(frozen=True)
class Curves:
    """Data of a row for figures."""

    replicates: FloatArray  # (r, k, m), points
    band: bootstrap.Band  # (k, m), means over replicates
    responses: Sequence[Sequence[bootstrap.Level]]  # each objective by its own weight
    utility: bootstrap.Band  # (k,), utility of the point at each preference
    dialled: FloatArray  # (d, m), points with further dials, of all replicates
    volumes: bootstrap.Volumes
    regret: Regret | None  # None without an oracle
    judged: FloatArray | None  # (k, m), as `band`, by the judges; None unless all were judged


@dataclass(frozen=True)
class RowResult:
    """A row with its figures."""

    row: Row
    figures: Figures  # by column of the leaderboard
    curves: Curves | None  # None if no cell was scored

    @cached_property
    def damage(self) -> DamagedPoints | None:
        """Points at which texts are usually damaged; None if there is none."""
        return damage_of(self.row.replicates)

    def text(self, column: Column) -> str:
        """Value of a column as tables show it."""
        if self.row.cost_unknown and column.name in TRAINING_COSTS:
            return UNKNOWN
        text = column.text(self.figures)
        return f"{DAMAGE_MARK} {text}" if column.name == KL.name and self.damage else text


@dataclass(frozen=True)
class TableResult:
    """A table with its rows in descending order of hypervolume."""

    table: Table
    rows: tuple[RowResult, ...]
    pairs: tuple[Pair, ...]  # of scored rows, the one with more hypervolume first
    win_rates: tuple[WinRate, ...]  # of these pairs, both ways
    union: FloatArray  # (n, m), union front of all rows, those on other grids included
    oracle: Oracle | None  # None unless all cells have the same one
    doubt: str  # reason why the oracle is not used, if any
    outer: bool  # whether intervals cover replicates
    noun: str  # name of a replicate: seed, fold or replicate
    equal_drift: EqualDrift | None  # None if no KL was measured
    drift_lead: DriftLead | None = None  # None unless another row is best at equal drift
    raw_reference: Sequence[float] | None = None  # the user's, in raw units
    raw_bounds: Sequence[Sequence[float]] | None = None  # lowest and highest values, the user's

    @property
    def unit(self) -> str:
        """Unit that is resampled besides prompts: whole folds if there are any, else seeds."""
        return "seed" if self.noun == "seed" else "fold"

    @property
    def scored(self) -> tuple[RowResult, ...]:
        """Rows with figures."""
        return tuple(result for result in self.rows if result.curves)

    @property
    def competing(self) -> tuple[RowResult, ...]:
        """Scored rows under the budget."""
        return tuple(result for result in self.scored if not result.row.exempt)

    @property
    def tied(self) -> set[str]:
        """Labels of competing rows that are not significantly worse than the best one."""
        competing = [each.row.label for each in self.competing]
        first = next(iter(competing), None)
        apart = {pair.b for pair in self.pairs if pair.separated and pair.a == first}
        return set(competing) - apart - {first}

    def present(self, columns: Iterable[Column]) -> list[Column]:
        """Columns in which some row has a value."""
        return [each for each in columns if any(each.name in row.figures for row in self.scored)]

    def best(self, column: Column) -> set[str]:
        """Labels of the best competing rows in a column, including ties.

        Empty if the column has no direction, fewer than two rows compete, or most of them tie.
        Never the start model: not to move is no merit, though it may be best in a column.
        """
        rows = [each for each in self.competing if column.name in each.figures]
        if not column.better or len(rows) < 2:
            return set()
        top = max((each.figures[column.name] for each in rows), key=lambda it: column.better * it)
        first = [each for each in rows if each.figures[column.name] == top]
        if len(first) > len(rows) / 2:
            return set()
        return {each.row.label for each in first if not each.row.is_start}

    @property
    def ratio_to(self) -> str:
        """Name of the front to which ratio and losses refer."""
        return "oracle" if self.oracle else "union"

    @property
    def judged(self) -> bool:
        """True if any row was scored by judges."""
        return any(each.curves and each.curves.judged is not None for each in self.rows)

    @property
    def regretted(self) -> bool:
        """True if the table has oracle regret."""
        return self.oracle is not None and len(self.oracle.places) > 0


def evaluate(
    table: Table,
    spread: Map = map,
    raw_reference: Sequence[float] | None = None,
    raw_bounds: Sequence[Sequence[float]] | None = None,
) -> TableResult:
    """Measure every row of a table.

    `spread` is a `map` that may run in several processes. `raw_reference` (m,) is the user's
    reference point in raw units, and `raw_bounds` (2, m) are the lowest and highest raw values; a
    table with another number of objectives does not use them.
    """
    scored = [row for row in table.rows if row.replicates]
    rest = [RowResult(row, {}, None) for row in table.rows if not row.replicates]
    setting = table.setting
    if not setting or not scored:
        empty = np.empty((0, 0))
        return TableResult(table, tuple(rest), (), (), empty, None, "", False, "seed", None)
    preferences = np.array(setting.preferences)
    replicates = [replicate for row in scored for replicate in row.replicates]
    oracle, doubt = common_oracle(replicates, preferences)
    outer = all(bootstrap.enough([each.key for each in row.replicates]) for row in scored)
    reference = np.array(setting.reference, dtype=float)
    optima = oracle.by_fold if oracle else None
    if raw_reference is not None and len(raw_reference) != len(setting.names):
        raw_reference = None
    if raw_bounds is not None and len(raw_bounds[0]) != len(setting.names):
        raw_bounds = None
    bounds = None if raw_bounds is None else np.array(raw_bounds, dtype=float)
    raw = None if raw_reference is None else np.array(raw_reference, dtype=float)
    points = [_points(row) for row in scored]
    exact = exactly(points)
    frame = Frame(
        preferences,
        reference,
        setting.names,
        optima,
        raw_reference=raw,
        raw_bounds=bounds,
        exact=exact,
    )
    drift = equal_drift(scored, setting.reference, exact)
    elsewhere = [
        _points(row) for other in table.other_grids for row in other.rows if row.replicates
    ]
    measured = measure(points, frame, row_metrics, spread, elsewhere)
    work = (
        (row, own, {**figures, **_at_equal_drift(row, drift)})
        for row, own, figures in zip(scored, points, measured, strict=True)
    )
    results = list(spread(partial(_result, frame, oracle, outer), work))
    ranked = sorted(results, key=_rank)
    # Rows that are exempt from the budget do not compete.
    best = next((each for each in ranked if not each.row.exempt), ranked[0])
    pairs = compare(_volumes(ranked), best.row.label, outer)
    both_ways = [way for each in pairs for way in ((each.a, each.b), (each.b, each.a))]
    by_label = {row.label: row.replicates for row in scored}
    rates = win_rates(both_ways, by_label, preferences, outer)
    ranked = [
        replace(each, figures=each.figures | against(each.row.label, best.row.label, rates))
        for each in ranked
    ]
    best = next(each for each in ranked if each.row.label == best.row.label)
    return TableResult(
        table=table,
        rows=(*_placed(_distances(ranked, best, outer), pairs, outer), *rest),
        pairs=pairs,
        win_rates=rates,
        union=shown_front([*points, *elsewhere]),
        oracle=oracle,
        doubt=doubt,
        outer=outer,
        noun=replicate_noun(replicates),
        equal_drift=drift,
        drift_lead=_drift_lead(ranked, drift, frame, outer),
        raw_reference=raw_reference,
        raw_bounds=raw_bounds,
    )


def _drift_lead(
    ranked: Sequence[RowResult], drift: EqualDrift | None, frame: Frame, outer: bool
) -> DriftLead | None:
    """The best competing row at equal drift and the best of all; None if they are the same."""
    competing = [each for each in ranked if not each.row.exempt]
    near = [each for each in competing if drift and each.row.label in drift.at_middle]
    if not drift or not near:
        return None
    first, leader = competing[0], max(near, key=lambda each: drift.at_middle[each.row.label])
    if leader is first:
        return None
    gap = None
    if first in near:
        ahead, behind = (_near_volumes(each, drift, frame, outer) for each in (leader, first))
        gap = bootstrap.gap(ahead, behind, outer)
    return DriftLead(leader.row, first.row, gap)


def _near_volumes(
    result: RowResult, drift: EqualDrift, frame: Frame, outer: bool
) -> bootstrap.Volumes:
    assert result.curves  # ranked rows have them
    row, points = result.row, result.curves.replicates
    draws = bootstrap.resample(row.replicates, outer)
    return near_volumes(row, points, draws, frame.reference, frame.exact, drift.middle)


def _at_equal_drift(row: Row, drift: EqualDrift | None) -> Figures:
    if not drift or row.label not in drift.at_middle:
        return {}
    return {
        "hypervolume_equal_drift": drift.at_middle[row.label],
        "equal_drift_kl": drift.middle,
    }


def _points(row: Row) -> Points:
    return Points(
        np.stack([replicate.scores.mean(axis=1) for replicate in row.replicates]),
        [replicate.fold for replicate in row.replicates],
        [replicate.inputs for replicate in row.replicates],
    )


def _result(
    frame: Frame, oracle: Oracle | None, outer: bool, of: tuple[Row, Points, Figures]
) -> RowResult:
    row, points, figures = of
    draws = bootstrap.resample(row.replicates, outer)
    curves = _curves(row, points, draws, frame, oracle)
    everything = {
        **figures,
        **bootstrap.intervals(row_metrics(), draws, curves.volumes, points.values, frame),
        **steering_intervals(row.replicates, points.values, draws, frame.preferences),
        **(_regret_interval(curves.regret) if curves.regret and outer else {}),
        **_costs(row),
        **({"budget_steps": row.cap} if row.cap is not None else {}),
    }
    return RowResult(row, everything, curves)


def _curves(
    row: Row, points: Points, draws: bootstrap.Draws, frame: Frame, oracle: Oracle | None
) -> Curves:
    resampled = draws.mean_points
    return Curves(
        replicates=points.values,
        band=bootstrap.band(points.mean, resampled),
        responses=[
            bootstrap.levels(points.mean[:, i], resampled[..., i], weights)
            for i, weights in enumerate(frame.preferences.T)
        ],
        utility=bootstrap.band(
            (points.mean * frame.preferences).sum(axis=1),
            (resampled * frame.preferences).sum(axis=2),
        ),
        dialled=np.concatenate([replicate.dialled for replicate in row.replicates]),
        volumes=bootstrap.volumes(points.values, draws, frame.reference, frame.exact),
        regret=_regret(points, draws, oracle) if oracle else None,
        judged=_judged(row.replicates),
    )


def _judged(replicates: Sequence[Replicate]) -> FloatArray | None:
    judged = [each.judged for each in replicates if each.judged is not None]
    if len(judged) < len(replicates):
        return None
    means: FloatArray = np.mean(judged, axis=0)
    return means


def _regret(points: Points, draws: bootstrap.Draws, oracle: Oracle) -> Regret | None:
    if not len(oracle.places):
        return None
    regrets = [oracle.regrets(*one) for one in zip(points.values, points.folds, strict=True)]
    means, resampled = np.mean(regrets, axis=0), draws.outer_mean(np.array(regrets))
    return Regret(
        bootstrap.band(means, resampled),
        bootstrap.band(means.mean(), None if resampled is None else resampled.mean(axis=1)),
        [
            bootstrap.levels(means, resampled, weights)
            for weights in oracle.preferences[oracle.places].T
        ],
    )


def _regret_interval(regret: Regret) -> Figures:
    """Over replicates alone, see `bootstrap`."""
    low, high = regret.mean.low, regret.mean.high
    return {"oracle_regret_low": float(low), "oracle_regret_high": float(high)}


def _rank(result: RowResult) -> tuple[float, float, str]:
    figures = result.figures
    return -figures["hypervolume"], -figures.get("controllability", 0.0), result.row.label


def _distances(ranked: Sequence[RowResult], best: RowResult, outer: bool) -> list[RowResult]:
    """Add to each row its distance behind the best competing one."""
    return [each if each is best else _behind(each, best, outer) for each in ranked]


def _behind(result: RowResult, best: RowResult, outer: bool) -> RowResult:
    assert result.curves and best.curves  # both scored
    lacking = bootstrap.gap(best.curves.volumes, result.curves.volumes, outer)
    if not lacking:
        return result
    figures = {
        "hypervolume_behind": lacking.estimate,
        "hypervolume_behind_low": lacking.interval.low,
        "hypervolume_behind_high": lacking.interval.high,
    }
    return replace(result, figures=result.figures | figures)


def _placed(ranked: Sequence[RowResult], pairs: Sequence[Pair], outer: bool) -> list[RowResult]:
    """Add to each competing row its rank and tie group."""
    competing = [each for each in ranked if not each.row.exempt]
    compared = sum(not each.row.exempt for each in ranked[:COMPARED])
    placed = standings(_volumes(competing), pairs, outer, compared)
    return [replace(each, figures=each.figures | placed.get(each.row.label, {})) for each in ranked]


def _volumes(results: Sequence[RowResult]) -> dict[str, bootstrap.Volumes]:
    return {each.row.label: each.curves.volumes for each in results if each.curves}


def _costs(row: Row) -> Figures:
    """Mean cost per cell, as far as it is known, and total counts of failed and scored samples."""
    replicates = row.replicates
    costs = [_flat_cost(replicate.cell.results.cost) for replicate in replicates]
    unknown = TRAINING_COSTS if row.cost_unknown else frozenset()
    names = sorted({name for cost in costs for name in cost} - unknown)
    means = {name: float(np.mean([cost.get(name, 0.0) for cost in costs])) for name in names}
    means["n_failed"] = sum(replicate.cell.results.n_failed for replicate in replicates)
    means["n_total"] = sum(replicate.cell.results.n_total for replicate in replicates)
    return means


def _flat_cost(cost: Cost) -> dict[str, float]:
    flat = {name: float(value) for name, value in cost if name != "seconds" and value is not None}
    return flat | {f"seconds_{phase}": value for phase, value in cost.seconds.items()}
