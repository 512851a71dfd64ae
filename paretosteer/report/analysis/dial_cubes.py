"""Points that a method dialled on a cube of its own: one dial α per objective, from 0 to 1."""

from dataclasses import dataclass

import numpy as np

from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.evaluate import RowResult


@dataclass(frozen=True)
class Cube:
    """Dials α (d, m) and the points (d, m) they led to, means over replicates."""

    dials: FloatArray
    points: FloatArray


def cube(result: RowResult, setting: Setting) -> Cube | None:
    """A row's cube, where it dialled `alpha_<objective>` for every objective and all of them vary.

    Entanglement can be read off a cube as it cannot off preferences, whose weights sum to 1.
    """
    if not result.curves:
        return None
    recorded = result.row.replicates[0].cell.results.points
    dials = [point.dials for point in recorded if point.dials]
    names = [f"alpha_{name}" for name in setting.names]
    if not dials or any(set(dial) != set(names) for dial in dials):
        return None
    alpha = np.array([[dial[name] for name in names] for dial in dials], dtype=float)
    m = len(names)
    points = result.curves.dialled.reshape(-1, len(dials), m).mean(axis=0)
    return Cube(alpha, points) if (np.ptp(alpha, axis=0) > 0).all() else None
