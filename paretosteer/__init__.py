"""paretosteer: benchmark and evaluation harness for controllable multi-objective generation.

The flat API loads on first use, so that importing the package costs nothing:

    from paretosteer import load_cells, leaderboard
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paretosteer.cells.frames import load_cells, load_points, load_scores
    from paretosteer.notebook import make_benchmark, make_method, make_trainer
    from paretosteer.report.outputs.leaderboard import leaderboard
    from paretosteer.serving.restore import restore_cell

__version__ = "0.1.0"

_HOMES = {
    "leaderboard": "report.outputs.leaderboard",
    "load_cells": "cells.frames",
    "load_points": "cells.frames",
    "load_scores": "cells.frames",
    "make_benchmark": "notebook",
    "make_method": "notebook",
    "make_trainer": "notebook",
    "restore_cell": "serving.restore",
}
__all__ = [
    "__version__",
    "leaderboard",
    "load_cells",
    "load_points",
    "load_scores",
    "make_benchmark",
    "make_method",
    "make_trainer",
    "restore_cell",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'paretosteer' has no attribute {name!r}")
    return getattr(import_module(f"paretosteer.{_HOMES[name]}"), name)
