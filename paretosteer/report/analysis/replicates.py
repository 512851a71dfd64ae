"""What one finished cell says: a replicate of its row, by seed and by cross-validation fold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paretosteer.cells.cell import Cell
from paretosteer.cells.record import ScoredRecord
from paretosteer.cells.scores import UnreadableError, read_drift, read_judged, read_values
from paretosteer.metrics import MetricError, as_preferences
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.metrics.optimum import Optimum
from paretosteer.report.analysis.comparable import Setting


@dataclass(frozen=True)
class Replicate:
    """One finished cell of a row: what it measured, in the table's coordinates.

    `scores` is (k, prompts, m) at the table's preferences, `dialled` (d, m) the means of the
    points with further dials, `drift` the means by quantity (k,), empty where not measured,
    `judged` (k, m) the points by reward models that nothing was trained on, where there are any.
    """

    cell: Cell
    seed: int
    fold: int | None
    scores: FloatArray
    dialled: FloatArray
    drift: Mapping[str, FloatArray]
    judged: FloatArray | None
    optimum: Optimum | None

    @property
    def key(self) -> tuple[int, int]:
        """Fold (0 without) and seed, which order replicates and tell which are paired."""
        return self.cell.turn[0], self.seed


def read_replicate(cell: Cell, setting: Setting) -> Replicate:
    """Read a finished cell under its own setting.

    Raises
    ------
    UnreadableError
        If a file is not what the record says, or a preference is off the simplex.
    """
    _check(setting.preferences)
    values = read_values(cell)  # (points, prompts, m)
    ranked = cell.results.ranked_points()
    return Replicate(
        cell=cell,
        seed=cell.results.seed,
        fold=cell.fold,
        scores=values[ranked],
        dialled=np.delete(values, ranked, axis=0).mean(axis=1),
        drift=_drift(cell, ranked),
        judged=None if (judged := read_judged(cell)) is None else judged[ranked],
        optimum=_optimum(cell.results, ranked),
    )


def replicate_noun(replicates: Iterable[Replicate]) -> str:
    """What the replicates of a table are called: `seed`, `fold`, or `replicate` where both vary."""
    keys = [each.key for each in replicates]
    if len({fold for fold, _ in keys}) <= 1:
        return "seed"
    return "fold" if len({seed for _, seed in keys}) == 1 else "replicate"


def _check(preferences: Sequence[Sequence[float]]) -> None:
    try:
        as_preferences(preferences)
    except MetricError as error:
        told, _, _ = str(error).partition(";")  # the remedy is not for who only reads them
        raise UnreadableError(f"record.json: {told}") from None


def _drift(cell: Cell, ranked: list[int]) -> dict[str, FloatArray]:
    drift = read_drift(cell)
    return {name: means[ranked] for name, means in drift.items()} if drift else {}


def _optimum(record: ScoredRecord, ranked: list[int]) -> Optimum | None:
    if not record.oracle:
        return None
    points, start = record.oracle.points, record.oracle.start
    count, m = len(record.points), len(record.objectives)
    if len(points) != count or {len(each) for each in [*points, start]} != {m}:
        raise UnreadableError(
            f"record.json: oracle is not {count} points and a start of {m} values each"
        )
    return Optimum(np.array(points, dtype=float)[ranked], np.array(start, dtype=float))
