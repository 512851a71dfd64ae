"""Declarations of claims are consistent, and verdicts follow from simulated tables."""

from pathlib import Path

import claims_study as study
import numpy as np
import pytest
from claims.declarations import CLAIMS, WORLDS, Claim
from claims.effects import EFFECTS
from report_cells import GRID, moved, only, write_cell
from scipy import stats


def test_declarations() -> None:
    for claim in CLAIMS:
        assert claim.world in WORLDS and claim.effect in EFFECTS and claim.limits
    assert len({(claim.world, claim.name) for claim in CLAIMS}) == len(CLAIMS)
    first = WORLDS["stories"]
    words = study.command("stories", first, first.sweeps[0], "models/small", quick=True).split()
    assert words[:2] == ["paretosteer", "sweep"]
    assert "model.path=models/small" in words and "budget.steps=40" in words


def test_verdicts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gains = 0.3 + rng.normal(size=5) * 0.05
    for seed, gain in enumerate(gains):
        write_cell(tmp_path, "clp", moved(float(gain)), grid=GRID, noise=0, seed=seed)
        write_cell(tmp_path, "morl", moved(0.0), grid=GRID, noise=0, seed=seed)
    tables = [only(tmp_path)]
    claim = Claim("", "CLP is worth more.", "bandit", "middle utility", "clp", "morl")
    (found,) = study.judge(claim, tables)
    expected = stats.t.interval(0.95, 4, loc=gains.mean(), scale=stats.sem(gains))
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-4)
    assert found.word == study.SUPPORTED and found.count == 5
    (reverse,) = study.judge(
        Claim("", "The reverse.", "bandit", "middle utility", "morl", "clp"), tables
    )
    assert reverse.word == study.CONTRADICTED
    (open_,) = study.judge(
        Claim(
            "", "Much more.", "bandit", "middle utility", "clp", "morl", above=float(np.mean(gains))
        ),
        tables,
    )
    assert open_.word == study.UNDECIDED
    (volume,) = study.judge(Claim("", "", "bandit", "hypervolume", "clp", "morl"), tables)
    figures = {row.row.label: row.figures["hypervolume"] for row in tables[0].scored}
    assert volume.effect == pytest.approx(figures["clp"] - figures["morl"])
    assert not study.judge(Claim("", "", "bandit", "hypervolume", "clp", "absent"), tables)
    assert "*supported*" in study.page([found], [])
