"""Plug-ins that exit or return invalid values: one cell fails with the reason."""

import math
import signal
import sys
from pathlib import Path

import pytest

from paretosteer import load_cells
from paretosteer.commands.main import main
from paretosteer.text.function_objectives import _safely

PLUGINS = '''
"""Mistakes."""
import signal, sys
import numpy as np
from paretosteer.benchmarks.bandit.benchmark import Bandit
from paretosteer.methods.rewarded_soup import RewardedSoup
from paretosteer.metrics import RowMetric

class ExitInTrain(RewardedSoup):
    def train(self, benchmark, trainer):
        sys.exit(3)

class ExitInInit(RewardedSoup):
    def __init__(self, chosen):
        sys.exit("no licence")

class ExitInProperty(RewardedSoup):
    @property
    def exempt(self):
        sys.exit(2)

class Interrupted(RewardedSoup):
    def train(self, benchmark, trainer):
        raise KeyboardInterrupt

class Preempted(RewardedSoup):
    def train(self, benchmark, trainer):
        signal.raise_signal(signal.SIGUSR1)

class NoPoints(RewardedSoup):
    def points(self, grid):
        return []

class NoSteps(RewardedSoup):
    def total_steps(self, budget, objectives):
        return "many"

class NoSave(RewardedSoup):
    def save(self, folder):
        pass

class ExitScore(Bandit):
    name = "exit_score"
    def score(self, samples):
        sys.exit(6)

class Columns(Bandit):
    name = "columns"
    def score(self, samples):
        return np.ones((len(samples), 3))

class Rows(Bandit):
    name = "rows"
    def score(self, samples):
        return super().score(samples)[1:]

class NoPrompts(Bandit):
    name = "no_prompts"
    def prompts(self, split):
        return []

def gone(points, preferences, reference):
    sys.exit(4)

paretosteer_plugins = {
    "methods": {
        "exit_in_train": ExitInTrain,
        "exit_in_init": ExitInInit,
        "exit_in_property": ExitInProperty,
        "interrupted": Interrupted,
        "preempted": Preempted,
        "no_points": NoPoints,
        "no_steps": NoSteps,
        "no_save": NoSave,
    },
    "benchmarks": {each.name: each for each in (ExitScore, Columns, Rows, NoPrompts)},
    "metrics": {"gone": RowMetric("gone", "up", "nothing", version="1", function=gone)},
}
'''
METHODS = {
    "exit_in_train": "SystemExit while in train: sys.exit(3) was called",
    "exit_in_init": "SystemExit while in prepare: sys.exit('no licence') was called",
    "exit_in_property": "SystemExit while in prepare: sys.exit(2) was called",
    "no_points": "PromiseError while in prepare: method 'no_points': points returns []; return the",
    "no_steps": "PromiseError while in prepare: method 'no_steps': total_steps returns 'many'; ",
    "no_save": "PromiseError while in train: method 'no_save': save does not write method.json, ",
}
BENCHMARKS = {
    "exit_score": "SystemExit while in score: sys.exit(6) was called",
    "columns": "benchmark 'columns': score returns an array of shape (44, 3) for 44 samples and 2",
    "rows": "benchmark 'rows': score returns an array of shape (43, 2) for 44 samples and 2",
    "no_prompts": "benchmark 'no_prompts': split train has no prompts; provide some for every",
}


@pytest.fixture
def words(site: Path) -> list[str]:
    """Overrides that run one of the mistakes, except its name."""
    path = site / "mistakes.py"
    path.write_text(PLUGINS.lstrip())
    return ["--plugin", str(path), "budget=smoke", f"sweep_dir={site / 'out'}"]


def test_a_method_fails_alone_and_names_its_mistake(
    words: list[str], site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ",".join((*METHODS, "start"))
    assert main(["sweep", *words, "benchmark=bandit", f"method={chosen}"]) == 1
    cells = load_cells(site / "out").set_index("method")
    assert cells["status"].to_dict() == {**dict.fromkeys(METHODS, "failed"), "start": "ok"}
    for name, said in METHODS.items():
        assert cells["reason"][name].startswith(said)
    err = capsys.readouterr().err
    assert "left out: metric 'gone' where it raises SystemExit: sys.exit(4) was called\n" in err
    assert (site / "out/report/index.html").is_file()


def test_a_benchmark_fails_alone_and_names_its_mistake(words: list[str], site: Path) -> None:
    chosen = ",".join((*BENCHMARKS, "bandit"))
    assert main(["sweep", *words, "method=start", f"benchmark={chosen}"]) == 1
    cells = load_cells(site / "out").set_index("benchmark")
    assert cells["status"].to_dict() == {**dict.fromkeys(BENCHMARKS, "failed"), "bandit": "ok"}
    for name, said in BENCHMARKS.items():
        assert said in cells["reason"][name]


def test_a_dry_run_says_which_cells_cannot_run(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = [*words, "benchmark=bandit", "method=exit_in_init,no_steps,start", "--dry-run"]
    assert main(["sweep", *words]) == 2
    *_, first, second = capsys.readouterr().out.splitlines()
    assert first == "cannot run exit_in_init seed 0: sys.exit('no licence') was called"
    assert second.startswith("cannot run no_steps seed 0: method 'no_steps': total_steps returns ")


def test_one_cell_that_cannot_begin_says_why(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", *words, "benchmark=bandit", "method=no_points"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("paretosteer: method 'no_points': points returns []; ")
    with pytest.raises(RuntimeError, match=r"sys.exit\('no licence'\) was called"):
        main(["run", *words, "benchmark=bandit", "method=exit_in_init"])


def test_a_user_still_interrupts(words: list[str], site: Path) -> None:
    assert main(["run", *words, "benchmark=bandit", "method=interrupted"]) == 130
    assert not list(site.glob("out/**/record.json"))


def test_a_launcher_still_ends_a_job_that_is_to_run_again(words: list[str], site: Path) -> None:
    """As submitit does with a pre-empted one: from a signal's handler."""
    before = signal.signal(signal.SIGUSR1, lambda *_: sys.exit(-1))
    try:
        with pytest.raises(SystemExit):
            main(["sweep", *words, "benchmark=bandit", "method=preempted"])
        assert not list(site.glob("out/**/record.json"))
        with pytest.raises(SystemExit):
            _safely(lambda text: signal.raise_signal(signal.SIGUSR1) or 0.0, "x", None)
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("limit", [None, 5.0])
def test_an_objective_that_exits_costs_the_sample(limit: float | None) -> None:
    assert math.isnan(_safely(lambda text: sys.exit(5), "x", limit))
