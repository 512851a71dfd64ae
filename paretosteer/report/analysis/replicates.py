"""Reading of a finished cell as a replicate of its row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paretosteer.cells.cell import Cell
from paretosteer.cells.changed_files import changed_files
from paretosteer.cells.collapsed import read_collapsed
from paretosteer.cells.record import ScoredRecord
from paretosteer.cells.scores import (
    Scores,
    UnreadableError,
    metric_inputs,
    read_drift,
    read_judged,
    read_scores,
    values_of,
)
from paretosteer.metrics import MetricError, as_preferences
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.metrics.optimum import Optimum
from paretosteer.policies.kl import DamagedPoints, damaged_points, is_damaging
from paretosteer.report.analysis.comparable import Setting


@dataclass(frozen=True)
class Replicate:
    """Measurements of one finished cell, in the table's coordinates."""

    cell: Cell
    seed: int
    fold: int | None
    scores: FloatArray  # (k, prompts, m), at the table's preferences
    dialled: FloatArray  # (d, m), means of the points with further dials
    drift: Mapping[str, FloatArray]  # (k,) by quantity; empty if not measured
    inputs: Mapping[str, FloatArray]  # of metrics by name, drift included; rows are points
    judged: FloatArray | None  # (k, m), means by the judges
    optimum: Optimum | None
    # Names of the files that are not those of the record, such as another cell's.
    changed: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[int, int]:
        """Fold (0 without folds) and seed, by which replicates are ordered and paired."""
        return self.cell.turn[0], self.seed


def damage_of(replicates: Iterable[Replicate]) -> DamagedPoints | None:
    """Points of all replicates at which texts are usually damaged; None if there is none."""
    drifts = [each.drift for each in replicates if each.drift]
    if not drifts:
        return None
    kl, tokens = (np.concatenate([drift[name] for drift in drifts]) for name in ("kl", "tokens"))
    return damaged_points(kl, tokens)


def damaged_places(replicates: Iterable[Replicate]) -> list[bool]:
    """Whether texts of any replicate are usually damaged, (k,); empty if nothing was measured."""
    measured = [each.drift for each in replicates if each.drift]
    points = [zip(drift["kl"], drift["tokens"], strict=True) for drift in measured]
    return [any(is_damaging(*point) for point in place) for place in zip(*points, strict=True)]


def read_replicate(cell: Cell, setting: Setting) -> Replicate:
    """Read a finished cell under its own setting.

    Raises
    ------
    UnreadableError
        If a file does not match the record, or a preference is not on the simplex.

    """
    _check(setting.preferences)
    scores = read_scores(cell)
    values = values_of(cell, scores)  # (points, prompts, m)
    ranked = cell.results.ranked_points()
    drift = _drift(cell, ranked)
    inputs = metric_inputs(cell.results, scores.means.mean(axis=1))
    return Replicate(
        cell=cell,
        seed=cell.results.seed,
        fold=cell.fold,
        scores=values[ranked],
        dialled=np.delete(values, ranked, axis=0).mean(axis=1),
        drift=drift,
        inputs={name: rows[ranked] for name, rows in inputs.items()}
        | drift
        | {"scores": values[ranked]}
        | _of_responses(cell, scores, ranked)
        | _of_dials(cell.results, values),
        judged=None if (judged := read_judged(cell)) is None else judged[ranked],
        optimum=_optimum(cell.results, ranked),
        changed=tuple(changed_files(cell)),
    )


def replicate_noun(replicates: Iterable[Replicate]) -> str:
    """Name of a table's replicates: `seed`, `fold`, or `replicate` if both vary."""
    keys = [each.key for each in replicates]
    if len({fold for fold, _ in keys}) <= 1:
        return "seed"
    return "fold" if len({seed for _, seed in keys}) == 1 else "replicate"


def _check(preferences: Sequence[Sequence[float]]) -> None:
    try:
        as_preferences(preferences)
    except MetricError as error:
        problem, _, _ = str(error).partition(";")  # the remedy is for the caller of the metric
        raise UnreadableError(f"record.json: {problem}") from None


def _drift(cell: Cell, ranked: list[int]) -> dict[str, FloatArray]:
    drift = read_drift(cell)
    return {name: means[ranked] for name, means in drift.items()} if drift else {}


def _of_responses(cell: Cell, scores: Scores, ranked: list[int]) -> dict[str, FloatArray]:
    """Inputs of metrics that are known of single responses."""
    inputs = {}
    scale = np.array(cell.results.normaliser.std)
    covariances = scores.covariances[ranked] / np.outer(scale, scale)
    if np.isfinite(covariances).all():
        inputs["response_covariances"] = covariances
    if (collapsed := read_collapsed(cell)) is not None:
        inputs["collapsed"] = collapsed[ranked]
    return inputs


def _of_dials(record: ScoredRecord, values: FloatArray) -> dict[str, FloatArray]:
    """Dials and points (d, m) of a cube that has a dial `alpha_<objective>` for every objective."""
    names = [f"alpha_{name}" for name in record.objective_names]
    places = [place for place, point in enumerate(record.points) if point.dials]
    dials = [record.points[place].dials for place in places]
    if not dials or any(set(each) != set(names) for each in dials):
        return {}
    alphas = np.array([[each[name] for name in names] for each in dials], dtype=float)
    return {"dials": alphas, "dial_points": values[places].mean(axis=1)}


def _optimum(record: ScoredRecord, ranked: list[int]) -> Optimum | None:
    if not record.oracle:
        return None
    points, start = record.oracle.points, record.oracle.start
    count, m = len(record.points), len(record.objectives)
    if len(points) != count or {len(each) for each in [*points, start]} != {m}:
        raise UnreadableError(
            f"record.json: oracle does not have {count} points and a start with {m} values each"
        )
    return Optimum(np.array(points, dtype=float)[ranked], np.array(start, dtype=float))
