"""Tables and numbers that a tracker shows of a cell, read from its files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paretosteer.cells.scores import KEYS, read_drift, read_samples, read_values
from paretosteer.metrics.leaderboard import ROW_METRICS
from paretosteer.metrics.measure import Frame, figures
from paretosteer.metrics.volume import affordable
from paretosteer.metrics.weight_rounding import round_weights

if TYPE_CHECKING:
    import pandas as pd

    from paretosteer.cells.cell import Cell


TRACKED = tuple(metric for metric in ROW_METRICS if metric.tracked)


@dataclass(frozen=True)
class Table:
    """Named columns and their rows."""

    columns: list[str]
    rows: list[list[Any]]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Table:
        """A frame as plain Python values, None where it has none."""
        plain = frame.astype(object).where(frame.notna(), None)
        return cls([str(column) for column in frame.columns], plain.to_numpy().tolist())


def curves(row: Mapping[str, float | str]) -> dict[str, float]:
    """A row of the training log as points of curves: loss, objectives, KL, entropy, speed."""
    drawn = {
        k: v for k, v in row.items() if not isinstance(v, str) and k not in ("step", "seconds")
    }
    # Over all of training so far: updates that reuse a batch sample no tokens of their own.
    drawn["tokens_per_second"] = float(row["tokens"]) / float(row["seconds"])
    return {f"train/{name}": value for name, value in drawn.items()}


def training(folder: Path) -> Iterator[tuple[int, dict[str, float | str]]]:
    """Steps and rows of a cell's training log; empty without one."""
    path = folder / "training.csv"
    if not path.is_file():
        return
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            figures = {k: float(v) for k, v in row.items() if v and k != "phase"}
            yield int(row["step"]), figures | {"phase": row["phase"]}


class Shown:
    """A finished cell's front, responses, headline metrics and samples.

    Raises
    ------
    UnreadableError
        If one of the cell's files is not what its record says.
    """

    def __init__(self, cell: Cell):
        record = cell.results
        self.objectives = record.objective_names
        self._record, self._folder = record, cell.path
        self._preferences = np.array(record.preferences)  # (k, m)
        self._dials = [point.dials for point in record.points]
        self._plain = record.ranked_points()  # those that every method can be compared at
        self._scores = read_values(cell)  # (k, prompts, m)
        self._values = self._scores.mean(axis=1)  # (k, m)
        drift = read_drift(cell)
        self._kl = None if drift is None else drift["kl"]  # (k,)

    def front(self) -> Table:
        """One row per point: its weights, dials, objectives in standard units and KL in nats."""
        frame = self._weights()
        for dial in sorted({name for dials in self._dials for name in dials}):
            taken = dial in (*self.objectives, "point", "kl") or dial in frame
            column = f"dial {dial}" if taken else dial
            frame[column] = [dials.get(dial) for dials in self._dials]
        frame[self.objectives] = self._values
        if self._kl is not None:
            frame["kl"] = self._kl
        return Table.of(frame)

    def responses(self) -> dict[str, tuple[list[float], list[float]]]:
        """By objective: each weight on it, and its mean over the points with that weight."""
        found = {}
        mu, points = round_weights(self._preferences[self._plain]), self._values[self._plain]
        for i, name in enumerate(self.objectives):
            weights, values = mu[:, i], points[:, i]
            levels = np.unique(weights)
            means = [float(values[weights == level].mean()) for level in levels]
            found[name] = (levels.tolist(), means)
        return found

    def headline(self) -> dict[str, float]:
        """Metrics of the points without dials, and costs of the cell."""
        plain, reference = self._plain, np.array(self._record.reference)
        points = self._values[plain]
        exact = affordable([points])
        frame = Frame(self._preferences[plain], reference, self.objectives, exact=exact)
        inputs = frame.inputs(points, None) | {"scores": self._scores[plain]}
        if self._kl is not None:
            inputs["kl"] = self._kl[plain]
        costs = {f"cost/{name}": value for name, value in self._record.cost if name != "seconds"}
        return figures(TRACKED, inputs, self.objectives) | costs

    def samples(self, limit: int) -> tuple[Table, int]:
        """First `limit` samples and how many there are; one prompt's points are neighbours.

        Columns: keys, weights of the point, what the benchmark shows of a sample, raw scores
        (`NAME score` where the benchmark shows something of an objective's name).
        """
        import pandas as pd

        texts = read_samples(self._folder)
        if texts.empty:
            return Table([], []), 0
        scores = pd.read_parquet(self._folder / "scores.parquet")
        first = texts.sort_values(["prompt_id", "sample", "point"]).head(limit)
        weighed = first[KEYS].merge(self._weights(), on="point", how="left")
        shown = weighed.merge(first, on=KEYS, how="left")
        joined = shown.merge(scores, on=KEYS, how="left", suffixes=("", " score"))
        return Table.of(joined), len(texts)

    def _weights(self) -> pd.DataFrame:
        import pandas as pd

        frame = pd.DataFrame({"point": range(len(self._preferences))})
        frame[[f"w_{name}" for name in self.objectives]] = self._preferences
        return frame
