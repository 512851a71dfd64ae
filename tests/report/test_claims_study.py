"""Declarations of claims are consistent, and verdicts follow from simulated tables."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import claims_study as study
import numpy as np
import pytest
from claims.declarations import CLAIMS, WORLDS, Claim
from claims.effects import EFFECTS, NOISE_EFFECTS
from report_cells import EDGE, GRID, concave, moved, only, write_cell
from scipy import stats

from paretosteer.cells.cell import find_cells
from paretosteer.config import options
from paretosteer.metrics import hypervolume
from paretosteer.plugins import registry
from paretosteer.report.analysis.evaluate_table import evaluate
from paretosteer.report.analysis.tables import make_tables
from paretosteer.sweeps.compose import compose_sweep


def test_declarations() -> None:
    for claim in CLAIMS:
        assert claim.world in WORLDS and claim.limits
        assert claim.effect in {*EFFECTS, *NOISE_EFFECTS}
        assert claim.a or claim.effect in NOISE_EFFECTS
    assert len({(claim.world, claim.name) for claim in CLAIMS}) == len(CLAIMS)
    first = WORLDS["stories"]
    words = study.command("stories", first, first.sweeps[0], "models/small", quick=True).split()
    assert words[:2] == ["paretosteer", "sweep"]
    assert "model.path=models/small" in words and "budget.steps=6" in words


@pytest.mark.parametrize("world", WORLDS)
def test_sweeps_can_be_planned(world: str, tmp_path: Path) -> None:
    for sweep in WORLDS[world].sweeps:
        words = study.command(world, WORLDS[world], sweep, str(tmp_path), quick=True).split()
        for cell in compose_sweep([*words[2:], "seed=0"]):
            method = registry.load("methods", cell.method.name)
            options.build(method.Options, cell.method.values, "method")


def test_verdicts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    gains = 0.3 + rng.normal(size=5) * 0.05
    for seed, gain in enumerate(gains):
        write_cell(tmp_path, "clp", moved(float(gain)), grid=GRID, noise=0, seed=seed)
        write_cell(tmp_path, "morl", moved(0.0), grid=GRID, noise=0, seed=seed)
    tables = [only(tmp_path)]
    claim = Claim("more", "CLP is worth more.", "bandit", "middle utility", "clp", "morl")
    (found,) = study.judge(claim, tables)
    expected = stats.t.interval(0.95, 4, loc=gains.mean(), scale=stats.sem(gains))
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-4)
    assert found.word(claim) == study.SUPPORTED and found.count == 5
    reverse = Claim("", "The reverse.", "bandit", "middle utility", "morl", "clp")
    (other,) = study.judge(reverse, tables)
    assert other.word(reverse) == study.CONTRADICTED
    much = Claim(
        "", "Much more.", "bandit", "middle utility", "clp", "morl", above=float(np.mean(gains))
    )
    (open_,) = study.judge(much, tables)
    assert open_.word(much) == study.UNDECIDED
    (volume,) = study.judge(Claim("", "", "bandit", "hypervolume", "clp", "morl"), tables)
    figures = {row.row.label: row.figures["hypervolume"] for row in tables[0].scored}
    assert volume.effect == pytest.approx(figures["clp"] - figures["morl"])
    assert not study.judge(Claim("", "", "bandit", "hypervolume", "clp", "absent"), tables)


def test_equal_drift_counts_near_points_only(tmp_path: Path) -> None:
    """The KL of every point is 2 + its first weight, so half of the points count."""
    for method, by in (("clp", 1.0), ("morl", 0.0)):
        write_cell(tmp_path, method, moved(by), grid=EDGE, noise=0)
    table = only(tmp_path)
    clp, morl = (next(r for r in table.scored if r.row.label == name) for name in ("clp", "morl"))
    near = [mu for mu in EDGE if 2 + mu[0] <= 2.5]
    one, other = (hypervolume(2 * np.array(near) + by, [-2, -2]) for by in (1.0, 0.0))
    found = EFFECTS["hypervolume at equal drift"](table, clp, morl)
    assert list(found.values()) == pytest.approx([one - other])


def test_how_far_a_temperature_misses(tmp_path: Path) -> None:
    """Points fall by the temperature: by 0.5 where the same training falls by 0.4."""
    dials = ({}, {"temperature": 0.5}, {"temperature": 2.0})
    write_cell(tmp_path, "cos_dpo", concave(2.0), grid=GRID, dials=dials, noise=0)
    write_cell(tmp_path, "morl", lambda mu: concave(2.0)(mu) - 0.4, grid=GRID, noise=0)
    table = only(tmp_path)
    one, other = (study._row(table, name) for name in ("cos_dpo", "morl"))
    misses = EFFECTS["temperature 0.5: miss"](table, one, other)
    assert misses == {(0, 0): pytest.approx(0.25)}


def test_effects_of_a_cube(tmp_path: Path) -> None:
    """Points fall by the sum of their dials, so every dial does the same to both objectives."""
    alphas = np.linspace(-2, 3, 6).tolist()
    dials = [{"alpha_sentiment": a, "alpha_variety": b} for a in alphas for b in alphas]
    write_cell(tmp_path, "clp", moved(0), grid=[[1.0, 0.0]], dials=[{}, *dials], noise=0)
    table = only(tmp_path)
    (row,) = table.scored

    def effect(name: str) -> float:
        (value,) = EFFECTS[name](table, row, None).values()
        return value

    assert effect("cube: linear fit") == pytest.approx(1)
    assert effect("cube: order") == -1
    assert effect("cube: pairs apart") == 0
    assert effect("cube: off the line at 1") == pytest.approx(0, abs=1e-9)
    assert effect("cube: off the line at 2") == pytest.approx(0, abs=1e-9)


def test_noise_of_differences(tmp_path: Path) -> None:
    """The cells' noise is of their own either way, so its ratio is about 1."""
    for folder, evaluation in (("usual", {}), ("own", {"common_noise": False})):
        for method, seed in (("clp", 0), ("clp", 1), ("morl", 0), ("morl", 1)):
            resolved = {"evaluation": evaluation} if evaluation else {}
            write_cell(
                tmp_path / folder,
                method,
                moved(0),
                grid=GRID,
                seed=seed,
                prompts=200,
                changes={"config": resolved},
            )
    tables = [evaluate(each) for each in make_tables(find_cells(tmp_path)).tables]
    assert len(tables) == 2
    for name in NOISE_EFFECTS:
        (found,) = study.judge(Claim(name, "", "noise", name), tables)
        assert found.count == 2 and 0.8 < found.effect < 1.25
        assert not study.judge(Claim(name, "", "noise", name), tables[:1])


TINY = """
import sys
import time
from pathlib import Path
sys.path.insert(0, {tests!r})
import claims_study as study
study.RESULTS, study.PAGE = Path("claims"), Path("claims.md")
study.SEEDS = "seed=0,1"
tiny = study.World(
    common="benchmark=bandit threads=1",
    sweeps=("method=rewarded_soup,bone_soup", "method=clp,start"),
    quick="budget=smoke",
    full="budget=smoke",
)
study.WORLDS.clear()
study.WORLDS["bandit"] = tiny
study.main()
"""


@pytest.mark.slow
def test_a_killed_study_resumes_with_the_same_verdicts(tmp_path: Path) -> None:
    script = TINY.format(tests=str(Path(study.__file__).parent))
    pages = {}
    for name, kills in (("whole", ()), ("killed", (1, 3, 6))):
        folder = tmp_path / name
        folder.mkdir()
        words = [sys.executable, "-c", script]
        for records in kills:  # killed as soon as so many of the eight cells are finished
            process = subprocess.Popen(words, cwd=folder, start_new_session=True)
            while process.poll() is None and len(list(folder.rglob("record.json"))) < records:
                time.sleep(0.05)
            os.killpg(process.pid, signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        subprocess.run(words, cwd=folder, check=True)
        pages[name] = (folder / "claims.md").read_text()
        content = json.loads((folder / "claims" / "bandit" / "verdicts.json").read_text())
        assert len(content["verdicts"]) >= 3
    assert pages["killed"] == pages["whole"]
    assert "supported" in pages["whole"] or "contradicted" in pages["whole"]


def test_an_effect_that_hardly_differs_between_seeds_keeps_its_digits() -> None:
    tiny = study.Verdict("", 0.000474749, 0.000474734, 0.000474764, 5)
    assert study._numbers(tiny) == ("0.00047", "the same in every seed")
    assert study._numbers(study.Verdict("", 0.0, 0.0, 0.0, 5))[0] == "0.000"


def test_kept_tables_name_no_path_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "RESULTS", tmp_path)
    model = {"name": "hf", "path": "/elsewhere/models/small"}
    for seed in (0, 1):
        folder = study.sweep_folder(study.PAGED)
        changes = {"command": f"paretosteer run model=hf model.path={model['path']} seed={seed}"}
        write_cell(folder, "clp", moved(0.1), grid=GRID, seed=seed, changes=changes)
    tables = study.tables_of(study.sweep_folder(study.PAGED))
    configs = [cell.config for cell in tables[0].scored[0].row.cells]
    for config in configs:
        config["model"] = model
    study.keep(study.PAGED, "…", tables)
    page = (tmp_path / study.PAGED / "index.html").read_text()
    assert "model.path=…" in page and model["path"] not in page
