"""Effects of claims, one value per seed and fold that both rows have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

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
    "hypervolume share": _share(_hypervolume),
    "controllability": _difference(_controllability),
    "middle utility": _difference(_middle_utility),
    "oracle regret": _difference(_oracle_regret),
    "steps share": _share(_steps),
    "auxiliary_hypervolume": _difference(_measured("auxiliary_points", _area)),
    "main_objective": _difference(_measured("main_scores", np.mean)),
    "reference tau": _reference_tau,
}
