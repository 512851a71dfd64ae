"""Time that cells will take, from the records of cells that ran before in the same folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from paretosteer.cells.discovery import cells_below
from paretosteer.cells.record import ScoredRecord, read_record
from paretosteer.config.schema import CellConfig
from paretosteer.errors import UsageError


@dataclass(frozen=True)
class CellWork:
    """What a cell has left to do: optimiser steps, and whether it samples."""

    config: CellConfig
    steps: int
    samples: bool


@dataclass(frozen=True)
class Estimate:
    """Seconds, one cell after the other, and the number of finished cells they are based on."""

    seconds: float
    cells: int


def estimate(works: Sequence[CellWork]) -> Estimate | None:
    """Estimate the time of these cells; None if none like them has finished.

    A cell is compared with finished ones on the same benchmark, model and budget: with those of its
    method if there are any, else with all.
    """
    records = {
        folder: list(_scored(Path(folder)))
        for folder in {work.config.sweep_dir for work in works}
        if Path(folder).is_dir()
    }
    seconds, used = 0.0, set()
    for work in works:
        if not work.steps and not work.samples:
            continue
        place = _place(work.config.model_dump(mode="json"))
        alike = [
            each for each in records.get(work.config.sweep_dir, []) if _place(each.config) == place
        ]
        own = [each for each in alike if each.method == work.config.method.name]
        if not alike:
            return None
        used |= {each.identity for each in own or alike}
        seconds += _seconds(own or alike, work)
    return Estimate(seconds, len(used)) if used else None


def _seconds(records: Sequence[ScoredRecord], work: CellWork) -> float:
    trained = [each.cost for each in records if each.cost.train_steps]
    per_step = _mean(each.seconds["train"] / each.train_steps for each in trained)
    evaluation = _mean(each.cost.seconds["sample"] + each.cost.seconds["score"] for each in records)
    return work.steps * per_step + work.samples * evaluation


def _mean(values: Iterable[float]) -> float:
    """Mean; 0 of no values, since then nothing was trained."""
    return fmean(found) if (found := list(values)) else 0.0


def _scored(folder: Path) -> Iterator[ScoredRecord]:
    for cell in cells_below(folder):
        try:
            record = read_record(cell)
        except UsageError:
            continue
        if isinstance(record, ScoredRecord):
            yield record


def _place(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the time of a cell depends on besides its method."""
    model = {key: config["model"].get(key) for key in ("name", "path")}
    return config["benchmark"]["name"], model, config["budget"]["name"]
