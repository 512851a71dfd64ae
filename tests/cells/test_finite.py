"""A method that gives the policy NaN fails its cell, and no figure is made of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paretosteer.cells.cell import find_cells
from paretosteer.cells.record import read_record
from paretosteer.commands.main import main
from paretosteer.methods.best_of_n import BestOfN
from paretosteer.methods.rewarded_soup import RewardedSoup
from paretosteer.policies.control import Control
from paretosteer.report.analysis.tables import make_tables

SMALL = ("benchmark=bandit", "budget=smoke", "budget.steps=2", "budget.prompts=4")


def ran(folder: Path, method: str) -> str:
    """Error of a cell that must fail."""
    assert main(["run", *SMALL, f"method={method}", f"sweep_dir={folder}"]) == 1
    (record,) = map(read_record, (path.parent for path in folder.rglob("record.json")))
    assert record.status == "failed"
    return record.explanation


def test_controls_must_be_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def control(self: object, preferences: object, dials: object = None) -> Control:
        values = np.array(preferences, dtype=float)
        values[0] = np.nan
        return Control.soup(values)

    monkeypatch.setattr(RewardedSoup, "control", control)
    assert "RewardedSoup.control returns NaN" in ran(tmp_path, "rewarded_soup")


def test_weights_of_candidates_must_be_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = BestOfN.control

    def control(self: BestOfN, preferences: object, dials: object = None) -> Control:
        found = own(self, preferences, dials)  # type: ignore[arg-type]
        return found.best_of(found.candidates, found.weights * np.nan)

    monkeypatch.setattr(BestOfN, "control", control)
    assert "BestOfN.control returns NaN" in ran(tmp_path, "best_of_n")


def test_a_table_of_drift_without_numbers_is_unreadable(tmp_path: Path) -> None:
    assert main(["run", *SMALL, "method=rewarded_soup", f"sweep_dir={tmp_path}"]) == 0
    (path,) = tmp_path.rglob("drift.parquet")
    frame = pd.read_parquet(path)
    frame.loc[0, "kl"] = np.nan
    frame.to_parquet(path)
    (cell,) = make_tables(find_cells(tmp_path)).cells
    assert cell.status == "unreadable" and "not a finite number" in cell.reason
