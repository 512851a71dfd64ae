"""Points on a cube of dials: one dial α from 0 to 1 per objective."""

from dataclasses import dataclass

import numpy as np

from paretosteer.metrics.input_checks import FloatArray
from paretosteer.report.analysis.comparable import Setting
from paretosteer.report.analysis.evaluate_table import RowResult


@dataclass(frozen=True)
class Cube:
    """Dials α and the points at these dials."""

    dials: FloatArray  # (d, m)
    points: FloatArray  # (d, m), means over replicates


def cube(result: RowResult, setting: Setting) -> Cube | None:
    """Cube of a row that has a dial `alpha_<objective>` for every objective, all of them varying.

    A cube shows entanglement between objectives, since its dials vary independently. Preferences
    cannot show it, since their weights sum to 1.
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
