"""Learning curves of a table's rows, from their `training.csv`, averaged to a few points."""

from typing import Any

from paretosteer.cells.cell import Cell
from paretosteer.report.analysis.evaluate_table import TableResult

_POINTS = 30  # of a curve, at most
_STEPS = 4  # of a point, at least: single steps are mostly noise
_SPENT = ("tokens", "seconds")


def learning_curves(result: TableResult) -> dict[str, Any] | None:
    """Curves of each scored row's first replicate; None if nothing was trained.

    `quantities` are those that any row recorded. A curve has the last step of every bin, its phase
    and, by quantity, the means over its bins, None where a row does not have it.
    """
    curves = [_curve(each.row.replicates[0].cell) for each in result.scored]
    names = dict.fromkeys(name for each in curves if each for name in each["means"])
    ordered = sorted(names, key="loss".__eq__)  # last: losses of different methods do not compare
    return {"quantities": ordered, "rows": curves} if names else None


def _curve(cell: Cell) -> dict[str, Any] | None:
    """A cell's curve; None where nothing was trained, or the log cannot be read."""
    import pandas as pd

    try:
        log = pd.read_csv(cell.path / "training.csv")
        log = log.assign(step=log["step"].astype(int), phase=log["phase"].astype(str))
    except (OSError, ValueError, KeyError):
        return None
    names = [name for name in log.select_dtypes("number") if name not in ("step", *_SPENT)]
    names = [name for name in names if log[name].notna().any()]
    if not names:
        return None
    width = max(_STEPS, -(-len(log) // _POINTS))
    phase = (log["phase"] != log["phase"].shift()).cumsum()  # a bin does not span two phases
    bins = log.groupby([phase, log.groupby(phase).cumcount() // width], sort=False)
    means = bins[names].mean()
    return {
        "seed": cell.seed,
        "steps": bins["step"].last().tolist(),
        "phases": bins["phase"].first().tolist(),
        "means": {name: means[name].tolist() for name in names},
    }
