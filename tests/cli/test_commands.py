"""Commands in-process, with cells that take no time: what is tested is what surrounds them."""

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import paretosteer.cells.reuse  # imports `plan`, which the fixture replaces
import paretosteer.report
from paretosteer.cells.record import Record, write_record
from paretosteer.commands.main import main
from paretosteer.config.schema import CellConfig
from paretosteer.errors import UsageError
from paretosteer.plugins import registry
from paretosteer.tracking import Tracker

IDENTITY = "0123456789"


@dataclass
class Lab:
    """Stands for the cells: `fate` maps a method to what becomes of it."""

    fate: dict[str, Any] = field(default_factory=dict)
    ran: list[tuple[str, int]] = field(default_factory=list)
    reported: list[list[Path]] = field(default_factory=list)

    def plan_cell(self, config: CellConfig) -> SimpleNamespace:
        """Plan, unless the fate is a wrong configuration."""
        fate = self.fate.get(config.method.name)
        if isinstance(fate, UsageError):
            raise fate
        folder = config.folder / f"seed{config.seed}-{IDENTITY}"
        stages = ["train"] if fate == "cached" else []
        what = {"cached_stages": stages, "steps": 120, "variant": "full", "sampled_rows": 9}
        what |= {"objectives": ["positive", "varied"], "data": [], "digests": {}}
        return SimpleNamespace(config=config, folder=folder, **what)

    def run_cell(self, plan: SimpleNamespace, tracker: Tracker, failures: object) -> Record:
        """Run: an exception is raised, a status recorded."""
        config = plan.config
        fate = self.fate.get(config.method.name, "failed")
        self.ran.append((config.method.name, config.seed))
        if isinstance(fate, BaseException):
            raise fate
        return self.record(config, plan.folder, fate, "diverged")

    def failed_record(self, config: CellConfig, plan: object, error: Exception) -> Record:
        """Record what could not begin."""
        return self.record(config, config.folder / f"seed{config.seed}-refused", "failed", error)

    def record(self, config: CellConfig, folder: Path, status: str, why: object) -> Record:
        """Write a short record: failed or unsupported."""
        record: dict[str, Any] = {
            "schema": 1,
            "status": status,
            "identity": IDENTITY,
            "benchmark": {"name": config.benchmark.name, "version": "1"},
            "method": config.method.name,
            "variant": "",
            "seed": config.seed,
            "config": config.model_dump(),
            "command": config.command,
            "stages": {},
            "created": "2030-01-01T00:00:00+00:00",
            "versions": {},
            "git": {"commit": None, "dirty": None},
            "source_digest": "0" * 64,
        }
        if status == "failed":
            record["error"] = {"type": "Error", "message": str(why), "stage": "train"}
        else:
            record["reason"] = str(why)
        return write_record(folder, record)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Cells and report replaced, in an empty folder."""
    stand_in = Lab()
    monkeypatch.setitem(sys.modules, "paretosteer.cells.runner", stand_in)
    monkeypatch.setitem(sys.modules, "paretosteer.cells.plan", stand_in)
    monkeypatch.setitem(sys.modules, "paretosteer.cells.record_content", stand_in)
    monkeypatch.setattr(
        paretosteer.report,
        "write_report",
        lambda dirs, *further, **options: stand_in.reported.append(dirs),
        raising=False,
    )
    monkeypatch.setattr(
        paretosteer.report, "print_leaderboard", lambda report: print("LEADERBOARD"), raising=False
    )
    monkeypatch.chdir(tmp_path)
    return stand_in


Output = Callable[[], tuple[str, str]]


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Output:
    """Output since the last call: stdout, stderr."""
    return lambda: tuple(capsys.readouterr())


def test_a_sweep_runs_every_cell_and_reports(lab: Lab, output: Output) -> None:
    lab.fate = {"rewarded_soup": "unsupported", "clp": "unsupported"}
    assert main(["sweep", "method=rewarded_soup,clp", "seed=0,1", "sweep_dir=out"]) == 0
    assert lab.ran == [("rewarded_soup", 0), ("rewarded_soup", 1), ("clp", 0), ("clp", 1)]
    assert lab.reported == [[Path("out")]]
    told, _ = output()
    assert told.splitlines()[-1] == "LEADERBOARD"
    assert f"unsupported: out/stories/clp/seed1-{IDENTITY}: diverged" in told


def test_nothing_is_written_outside_the_sweep(lab: Lab, tmp_path: Path) -> None:
    lab.fate = {"clp": "unsupported"}
    main(["sweep", "method=clp", "sweep_dir=out"])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".hydra-jobs", "stories"]


@pytest.mark.parametrize("fate", ["failed", RuntimeError("out of memory"), UsageError("bad")])
def test_a_failed_cell_stops_no_other_and_the_sweep_exits_1(
    lab: Lab, output: Output, fate: object
) -> None:
    lab.fate = {"clp": fate, "morl": "unsupported"}
    assert main(["sweep", "method=clp,morl", "sweep_dir=out"]) == 1
    assert ("morl", 0) in lab.ran
    assert lab.reported
    told = output()[1]
    assert "failed: out/stories/clp" in told
    assert "1 of 2 cells failed" in told


def test_a_sweep_of_nothing_but_wrong_cells_starts_none(lab: Lab, output: Output) -> None:
    wrong = UsageError("model.path: 'nowhere' is not a folder")
    lab.fate = {"clp": wrong, "morl": wrong}
    assert main(["sweep", "method=clp,morl", "sweep_dir=out"]) == 2
    assert output()[1] == f"paretosteer: {wrong}\n"
    assert not Path("out").exists()


def test_an_older_failure_in_the_folder_is_not_this_sweep_s(lab: Lab) -> None:
    lab.fate = {"clp": "failed", "morl": "unsupported"}
    assert main(["sweep", "method=clp", "sweep_dir=out"]) == 1
    assert main(["sweep", "method=morl", "sweep_dir=out"]) == 0


def test_a_report_that_fails_is_an_error(
    lab: Lab, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(dirs: list[Path], out: Path | None = None, raw_reference: object = None) -> None:
        raise RuntimeError("no space left")

    monkeypatch.setattr(paretosteer.report, "write_report", fails)
    lab.fate = {"clp": "unsupported"}
    assert main(["sweep", "method=clp", "sweep_dir=out"]) == 1
    assert "the report failed: RuntimeError: no space left" in output()[1]


def test_a_launcher_that_fails_still_gets_its_cells_reported(
    lab: Lab, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(job: object, composed: object) -> None:
        raise ConnectionError("the scheduler is gone")

    # A launcher raises what its job raised.
    monkeypatch.setattr("paretosteer.sweeps.sweep.Job.__call__", lost)
    assert main(["sweep", "method=clp", "sweep_dir=out"]) == 1
    assert lab.reported == [[Path("out")]]
    assert "the launcher failed: ConnectionError: the scheduler is gone" in output()[1]


def test_ctrl_c_ends_a_sweep_with_130(lab: Lab) -> None:
    lab.fate = {"clp": KeyboardInterrupt()}
    assert main(["sweep", "method=clp,morl", "sweep_dir=out"]) == 130
    assert lab.ran == [("clp", 0)]


@pytest.mark.parametrize(
    ("fate", "code"), [("unsupported", 0), ("failed", 1), (UsageError("bad"), 2)]
)
def test_exit_codes_of_a_run(lab: Lab, fate: object, code: int) -> None:
    lab.fate = {"clp": fate}
    assert main(["run", "method=clp", "sweep_dir=out"]) == code
    assert len(lab.reported) == (code == 0)


def test_a_dry_run_shows_cells_and_cost_and_does_nothing(lab: Lab, output: Output) -> None:
    lab.fate = {"clp": "cached"}
    assert main(["sweep", "method=clp,morl", "--dry-run", "seed=0,1"]) == 0
    lines = output()[0].splitlines()
    assert [" ".join(line.split()) for line in lines[1:4:2]] == [
        "clp full 0 cached: train 0 0",
        "morl full 0 to do 120 7680",
    ]
    assert lines[-2] == "benchmark stories, model embedded"
    assert lines[-1] == "4 cells; left to train: 240 optimiser steps on 15360 rows at most"
    assert not lab.ran
    assert not any(Path().iterdir())


def test_cfg_job_prints_what_hydra_composed_and_runs_nothing(lab: Lab, output: Output) -> None:
    assert main(["run", "method=clp", "method.rank=4", "sweep_dir=${seed}", "--cfg", "job"]) == 0
    found = yaml.safe_load(output()[0])
    assert found["method"]["name"] == "clp" and found["method"]["rank"] == 4
    assert found["sweep_dir"] == "${seed}" and "hydra" not in found
    assert main(["sweep", "method=clp,start", "seed=0,1", "--cfg", "job"]) == 0
    cells = list(yaml.safe_load_all(output()[0]))
    assert [(cell["method"]["name"], cell["seed"]) for cell in cells] == [
        *(("clp", 0), ("clp", 1), ("start", 0), ("start", 1))
    ]
    assert not lab.ran


def test_cfg_prints_the_part_of_hydra_too(output: Output) -> None:
    assert main(["run", "-c", "hydra"]) == 0
    assert list(yaml.safe_load(output()[0])) == ["hydra"]
    assert main(["run", "seed=3", "--cfg", "all"]) == 0
    found = yaml.safe_load(output()[0])
    assert found["seed"] == 3 and found["hydra"]["overrides"]["task"] == ["seed=3"]


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_info_prints_how_the_configuration_is_composed(
    lab: Lab, output: Output, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    assert main([command, "method=clp", "method.rank=2", "--info", "defaults"]) == 0
    assert "| method/clp " in output()[0]
    assert not lab.ran


@pytest.mark.parametrize(
    ("words", "all_of_it"),
    [
        ("--info method=clp", True),
        ("seed=3 --info method=clp", True),
        ("-i method=clp seed=3", True),
        ("method=clp -i", True),
        ("--info defaults method=clp", False),
        ("--info=defaults method=clp", False),
        ("method=clp -i defaults seed=3", False),
    ],
)
def test_info_takes_an_override_for_an_override(
    lab: Lab, output: Output, words: str, all_of_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert main(["run", *words.split()]) == 0
    shown = output()[0]
    assert "| method/clp " in shown
    assert ("Config search path" in shown) == all_of_it
    assert not lab.ran


def test_info_names_its_topics(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["run", "--info", "default", "method=clp"])
    assert stop.value.code == 2
    assert "'default' is not a topic; use one of all, config, defaults," in capsys.readouterr().err


@pytest.mark.parametrize("words", ["experiment=field hydra", "+hydra"])
def test_axes_of_an_experiment_can_be_overridden(lab: Lab, words: str) -> None:
    assert main(["sweep", *f"{words}.sweeper.params.method='clp,start' seed=3".split()]) == 1
    assert lab.ran == [("clp", 3), ("start", 3)]


def test_run_with_multirun_is_a_sweep(lab: Lab) -> None:
    assert main(["run", "-m", "method=clp,start", "seed=0,1"]) == 1
    assert lab.ran == [("clp", 0), ("clp", 1), ("start", 0), ("start", 1)]


def test_a_dry_run_knows_what_is_run_again(lab: Lab, output: Output) -> None:
    lab.fate = {"clp": "cached"}
    assert main(["sweep", "method=clp", "--dry-run", "--overwrite", "all"]) == 0
    assert " ".join(output()[0].splitlines()[1].split()).endswith("0 to do 120 7680")


def test_a_dry_run_says_which_cells_cannot_run(lab: Lab, output: Output) -> None:
    lab.fate = {"clp": UsageError("method.rank: found 'x'")}
    assert main(["sweep", "method=clp,morl", "--dry-run"]) == 2
    assert "cannot run clp seed 0: method.rank: found 'x'" in output()[0]


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_bad_overrides_are_one_line_and_exit_2(lab: Lab, output: Output, command: str) -> None:
    assert main([command, "method=rewarded_suop"]) == 2
    assert output()[1] == (
        "paretosteer: method=rewarded_suop: no such method; did you mean 'rewarded_soup'? "
        "If it is in a file, pass --plugin FILE.py\n"
    )


def test_unknown_flags_are_refused(output: Output) -> None:
    for words in (["sweep", "method=clp", "--multirun"], ["list", "methods", "clp", "morl"]):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 2
        assert "unrecognized arguments" in output()[1]


def test_report_passes_its_folders_on(lab: Lab) -> None:
    assert main(["report", "one", "two", "--out", "three"]) == 0
    assert lab.reported == [[Path("one"), Path("two")]]


def test_score_wants_numbers_for_the_reference(output: Output) -> None:
    assert main(["score", "points.csv", "--reference=1,x"]) == 2
    assert "--reference: found '1,x'; use numbers" in output()[1]


def test_list_details(output: Output) -> None:
    assert main(["list", "methods", "clp"]) == 0
    shown = output()[0]
    assert "full | attention | logit | prompt" in shown
    assert shown.index("\nvariant ") < shown.index("\nkappa_range ") < shown.index("\nrank ")
    assert main(["list", "metrics", "hypervolume"]) == 0
    assert "\nhigher is better\n" in output()[0]
    assert main(["list", "experiments", "five_methods"]) == 0
    assert "interpolation" in output()[0]
    assert main(["list", "conditionings", "tied_banks"]) == 0
    assert "Slots of the part C_0" in output()[0]
    assert main(["list", "columns"]) == 0
    assert "steering_regret" in output()[0]
    assert main(["list", "columns", "hypervolume"]) == 0
    assert "interval: hypervolume_low, hypervolume_high" in output()[0]
    assert main(["list", "columns", "steering_regret"]) == 0
    assert output()[0].startswith("steering_regret: utility lost")
    assert main(["list", "metrics", "hypervolum"]) == 2
    assert "did you mean 'hypervolume'?" in output()[1]


@pytest.mark.parametrize("words", ["methods", "methods clp", "metrics", "columns", "feedback"])
def test_list_wraps_to_the_width(
    words: str, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["list", *words.split()]) == 0
    assert max(map(len, output()[0].splitlines())) <= 80


def test_list_names_every_kind_of_feedback(output: Output) -> None:
    assert main(["list", "methods", "clp"]) == 0
    (row,) = [line for line in output()[0].splitlines() if line.startswith("feedback")]
    assert all(name in row for name in registry.names("feedback"))


def test_a_reader_that_closes_the_output_ends_the_command_quietly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    points = tmp_path / "points.csv"
    points.write_text("method,a,b\nx,1,2\n", encoding="utf-8")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as output:
        monkeypatch.setattr(sys, "stdout", output)
        assert main(["score", str(points), "--reference=0,0"]) == 0
    assert capsys.readouterr().err == ""
