"""Effects of claims, one value per seed and fold that both rows have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import combinations

import numpy as np

from paretosteer import metrics
from paretosteer.metrics.leaderboard.hypervolume import OTHER_REFERENCES
from paretosteer.report.analysis.evaluate_table import RowResult, TableResult
from paretosteer.report.analysis.replicates import Replicate

Key = tuple[int, int]
Values = Mapping[Key, float]


def _each(row: RowResult, value: Callable[[Replicate], float]) -> Values:
    return {each.key: float(value(each)) for each in row.row.replicates}


def _points(replicate: Replicate) -> np.ndarray:
    return replicate.scores.mean(axis=1)


def _hypervolume(table: TableResult, row: RowResult) -> Values:
    assert table.table.setting
    reference = table.table.setting.reference
    return _each(row, lambda each: metrics.hypervolume(_points(each), reference))


def _equal_drift(table: TableResult, row: RowResult) -> Values:
    """Hypervolume of the points below the threshold of equal drift, of seeds that have any."""
    assert table.table.setting and table.equal_drift
    reference, most = table.table.setting.reference, [table.equal_drift.middle]
    near = [each for each in row.row.replicates if (each.drift["kl"] < most).any()]
    volume = metrics.quality_at_equal_drift
    return {each.key: volume(_points(each), each.drift["kl"], most, reference)[0] for each in near}


def _controllability(table: TableResult, row: RowResult) -> Values:
    return _each(row, lambda each: metrics.controllability(_preferences(table), _points(each)))


def _middle_utility(table: TableResult, row: RowResult) -> Values:
    """Mean utility at the preferences nearest to equal weights."""
    preferences = _preferences(table)
    off = np.abs(preferences - 1 / preferences.shape[1]).max(axis=1)
    middle = off <= off.min() + 1e-9
    return _each(row, lambda each: (_points(each) * preferences).sum(axis=1)[middle].mean())


def _oracle_regret(table: TableResult, row: RowResult) -> Values:
    oracle = table.oracle
    assert oracle  # the bandit has one
    return _each(row, lambda each: oracle.regrets(_points(each), each.fold).mean())


def _steps(table: TableResult, row: RowResult) -> Values:
    return _each(row, lambda each: each.cell.results.cost.train_steps)


def _measured(name: str, value: Callable[[np.ndarray], float]) -> Callable[..., Values]:
    return lambda table, row: _each(row, lambda each: value(each.inputs[name]))


def _within(each: Replicate) -> tuple[np.ndarray, np.ndarray]:
    """Dials and points (d, m) of a cube, where all dials are in [0, 1]."""
    dials, points = each.inputs["dials"], each.inputs["dial_points"]
    inside = ((dials >= 0) & (dials <= 1)).all(axis=1)
    return dials[inside], points[inside]


def _linear_fit(each: Replicate) -> float:
    """R² of the least-squares plane, mean over objectives."""
    dials, points = _within(each)
    centred, design = points - points.mean(axis=0), dials - dials.mean(axis=0)
    rest = centred - design @ np.linalg.lstsq(design, centred, rcond=None)[0]
    return float((1 - np.square(rest).sum(axis=0) / np.square(centred).sum(axis=0)).mean())


def _cube_order(each: Replicate) -> float:
    """Somers' D of every objective on its own dial at equal other dials, mean over objectives."""
    dials, points = _within(each)
    found = []
    for own in range(dials.shape[1]):
        others = np.delete(dials, own, axis=1)
        same = (others[:, None] == others).all(axis=2)
        above = (dials[:, None, own] > dials[:, own]) & same
        gains = np.sign(points[:, None, own] - points[:, own])[above]
        found.append(gains.mean())
    return float(np.mean(found))


def _pairs_apart(each: Replicate) -> float:
    """Share of pairs in which a dial moves an objective by less than half of its own dial."""
    slopes = np.abs(metrics.entanglement(*_within(each)))  # (dial, objective)
    small = slopes < np.diag(slopes) / 2
    return float(small[~np.eye(len(slopes), dtype=bool)].mean())


def _off_the_line(each: Replicate, beyond: float) -> float:
    """Miss of the line through α = 0 and 1, as a share of the change that it predicts outside.

    At α = −`beyond` and 1 + `beyond`, with the other dials in [0, 1]; mean over ends, settings of
    the other dials, and objectives.
    """
    dials, points = each.inputs["dials"], each.inputs["dial_points"]
    keys = map(metrics.preference_key, dials.tolist())
    at = dict(zip(keys, points, strict=True))
    misses = []
    for own in range(dials.shape[1]):
        for dial in at:
            others = np.delete(dial, own)
            if dial[own] != 0 or (others < 0).any() or (others > 1).any():
                continue

            def value(alpha: float, dial: tuple[float, ...] = dial, own: int = own) -> float:
                return float(at[(*dial[:own], alpha, *dial[own + 1 :])][own])

            slope = value(1.0) - value(0.0)
            for end, near, step in ((-beyond, 0.0, -beyond), (1 + beyond, 1.0, beyond)):
                predicted = step * slope
                if predicted:
                    misses.append(abs(value(end) - value(near) - predicted) / abs(predicted))
    return float(np.mean(misses))


def _of_cube(value: Callable[[Replicate], float]) -> Callable[..., Values]:
    return lambda table, a, b: _each(a, value)


def _temperature_miss(table: TableResult, a: RowResult, b: RowResult, dial: float) -> Values:
    """Distance of a dial's points from those of the same training at its temperature.

    As a share of the distance that the dial is to bridge, from the points at temperature 1.
    """
    trained = {each.key: _points(each) for each in b.row.replicates}  # (k, m)
    found = {}
    for each in a.row.replicates:
        dialled = {
            metrics.preference_key(point.preference): values
            for point, values in zip(
                (p for p in each.cell.results.points if p.dials), each.dialled, strict=True
            )
            if point.dials["temperature"] == dial
        }
        reached = np.array([dialled[metrics.preference_key(mu)] for mu in _preferences(table)])
        aim = trained[each.key]
        misses, moves = reached - aim, _points(each) - aim
        found[each.key] = float(np.linalg.norm(misses) / np.linalg.norm(moves))
    return found


def _noise_in_utility(usual: TableResult, own: TableResult) -> Values:
    """Ratio of standard errors over prompts, mean over pairs of rows and preferences."""
    preferences = _preferences(usual)

    def errors(table: TableResult, key: Key) -> np.ndarray:
        utilities = [
            np.einsum("km,kpm->kp", preferences, each.scores)
            for row in sorted(table.scored, key=lambda each: each.row.label)
            for each in row.row.replicates
            if each.key == key
        ]
        pairs = combinations(utilities, 2)
        return np.array([(one - other).std(axis=1, ddof=1) for one, other in pairs])

    return _ratios(usual, own, errors)


def _noise_in_hypervolume(usual: TableResult, own: TableResult) -> Values:
    """Ratio of bootstrap standard errors over prompts, mean over pairs of rows."""

    def errors(table: TableResult, key: Key) -> np.ndarray:
        draws = [
            each.curves.volumes.draws[each.curves.volumes.keys.index(key)]
            for each in sorted(table.scored, key=lambda each: each.row.label)
            if each.curves
        ]
        return np.array([(one - other).std() for one, other in combinations(draws, 2)])

    return _ratios(usual, own, errors)


def _ratios(
    usual: TableResult, own: TableResult, errors: Callable[[TableResult, Key], np.ndarray]
) -> Values:
    keys = [each.key for each in usual.scored[0].row.replicates]
    found = {}
    for key in keys:
        one, other = errors(own, key), errors(usual, key)
        found[key] = float((one / other)[other > 0].mean())
    return found


def _difference(of: Callable[..., Values]) -> Callable[..., Values]:
    def between(table: TableResult, a: RowResult, b: RowResult) -> Values:
        one, other = of(table, a), of(table, b)
        return {key: one[key] - other[key] for key in one if key in other}

    return between


def _share(of: Callable[..., Values]) -> Callable[..., Values]:
    def of_other(table: TableResult, a: RowResult, b: RowResult) -> Values:
        one, other = of(table, a), of(table, b)
        return {key: one[key] / other[key] for key in one if key in other}

    return of_other


def _reference_tau(table: TableResult, a: RowResult, b: RowResult | None) -> Values:
    """Kendall's τ of the ranking at the usual reference with those at the others, the smaller."""
    assert table.table.setting
    found = {}
    for key in _hypervolume(table, a):
        points = {
            row.row.label: _points(each)
            for row in table.scored
            for each in row.row.replicates
            if each.key == key
        }
        usual = [metrics.hypervolume(own, table.table.setting.reference) for own in points.values()]
        taus = []
        for value in OTHER_REFERENCES.values():
            other = [metrics.hypervolume(own, [value] * own.shape[1]) for own in points.values()]
            signs = np.sign(np.subtract.outer(usual, usual)) * np.sign(
                np.subtract.outer(other, other)
            )
            taus.append(signs.sum() / (len(usual) * (len(usual) - 1)))
        found[key] = float(min(taus))
    return found


def _preferences(table: TableResult) -> np.ndarray:
    assert table.table.setting
    return np.array(table.table.setting.preferences)


def _area(points: np.ndarray) -> float:
    if points.shape[1] == 1:
        return max(0.0, float(points.max()))
    return metrics.hypervolume(points, [0.0] * points.shape[1])


EFFECTS: Mapping[str, Callable[..., Values]] = {
    "hypervolume": _difference(_hypervolume),
    "hypervolume at equal drift": _difference(_equal_drift),
    "hypervolume share": _share(_hypervolume),
    "controllability": _difference(_controllability),
    "middle utility": _difference(_middle_utility),
    "oracle regret": _difference(_oracle_regret),
    "steps share": _share(_steps),
    "auxiliary_hypervolume": _difference(_measured("auxiliary_points", _area)),
    "main_objective": _difference(_measured("main_scores", np.mean)),
    "reference tau": _reference_tau,
    "temperature 0.5: miss": partial(_temperature_miss, dial=0.5),
    "temperature 2: miss": partial(_temperature_miss, dial=2.0),
    "cube: linear fit": _of_cube(_linear_fit),
    "cube: order": _of_cube(_cube_order),
    "cube: pairs apart": _of_cube(_pairs_apart),
    "cube: off the line at 1": _of_cube(partial(_off_the_line, beyond=1.0)),
    "cube: off the line at 2": _of_cube(partial(_off_the_line, beyond=2.0)),
}

# Values that an effect can have, where its interval could leave them.
BOUNDS: Mapping[str, tuple[float, float]] = {
    "reference tau": (-1.0, 1.0),
    "cube: linear fit": (-np.inf, 1.0),
    "cube: order": (-1.0, 1.0),
    "cube: pairs apart": (0.0, 1.0),
    "cube: off the line at 1": (0.0, np.inf),
    "cube: off the line at 2": (0.0, np.inf),
}

# Of a table and the same rows sampled without common random numbers.
NOISE_EFFECTS: Mapping[str, Callable[[TableResult, TableResult], Values]] = {
    "noise: utility": _noise_in_utility,
    "noise: hypervolume": _noise_in_hypervolume,
}
