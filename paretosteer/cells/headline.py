"""What a tracker shows of a finished cell: its points and a few metrics of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from paretosteer import metrics
from paretosteer.load import Cell
from paretosteer.measured import read_drift, read_values
from paretosteer.tracking import Tracker


def track(tracker: Tracker, folder: Path, record: dict[str, Any]) -> None:
    """Send the front and the headline metrics of the cell in `folder` to its tracker."""
    names = [o["name"] for o in record["objectives"]]
    cell = Cell(folder, record["status"], "", record, record["config"])
    points = read_values(cell).mean(axis=1)  # (k, m)
    measured = read_drift(cell)
    assert measured is not None  # the sample stage wrote it
    drift = measured["kl"].to_numpy()  # (k,)
    preferences = np.array([p["preference"] for p in record["points"]])
    dials = sorted({name for p in record["points"] for name in p["dials"]})
    tracker.front(
        ["point", *(f"w_{name}" for name in names), *dials, *names, "kl"],
        [
            [i, *mu, *(p["dials"].get(dial) for dial in dials), *f, float(kl)]
            for i, (mu, p, f, kl) in enumerate(
                zip(preferences.tolist(), record["points"], points.tolist(), drift, strict=True)
            )
        ],
    )
    plain = np.array([not p["dials"] for p in record["points"]])
    mu, f = preferences[plain], points[plain]
    figures = {
        "hypervolume": metrics.hypervolume(f, record["reference"]),
        "expected_utility": metrics.expected_utility(mu, f),
        "steering_regret": metrics.steering_regret(mu, f),
        "kl": float(drift[plain].mean()),
    }
    if (np.ptp(mu, axis=0) > 0).all():
        figures["controllability"] = metrics.controllability(mu, f)
    tracker.summary(figures | {f"cost/{k}": v for k, v in record["cost"].items() if k != "seconds"})
