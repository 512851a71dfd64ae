"""wandb's variables: after what is set here, before our defaults."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from wandb.errors import AuthenticationError, CommError
from wandb_files import offline_runs

from paretosteer.cells.cell import find_cells
from paretosteer.commands.main import main
from paretosteer.config.schema import NoTracking, WandbTracking
from paretosteer.tracking import make_tracker, sync_command, wandb_environment
from paretosteer.tracking.tracker import NoTracker
from paretosteer.tracking.wandb_environment import own_settings, with_environment, written
from paretosteer.tracking.wandb_tracker import WandbTracker, pair_key

OPEN = WandbTracking(name="wandb", project=None, entity=None, group=None, mode=None)
VARIABLES = {"project": "PROJECT", "entity": "ENTITY", "group": "RUN_GROUP", "mode": "MODE"}
DEFAULTS = {"project": "paretosteer", "entity": None, "group": None, "mode": "offline"}
THEIRS = {"project": "theirs", "entity": "team", "group": "night", "mode": "online"}
GIVEN = {"project": "mine", "entity": "me", "group": "day", "mode": "disabled"}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize("field", VARIABLES)
def test_a_setting_wins_over_the_environment_which_wins_over_our_default(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert getattr(with_environment(OPEN), field) == DEFAULTS[field]
    monkeypatch.setenv(f"WANDB_{VARIABLES[field]}", THEIRS[field])
    assert getattr(with_environment(OPEN), field) == THEIRS[field]
    given = OPEN.model_copy(update={field: GIVEN[field]})
    assert getattr(with_environment(given), field) == GIVEN[field]


def test_a_key_makes_runs_online_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert with_environment(OPEN).mode == "online"
    monkeypatch.setenv("WANDB_MODE", "dryrun")
    assert with_environment(OPEN).mode == "offline"


def test_the_packaged_tracker_leaves_all_to_the_environment() -> None:
    from paretosteer.sweeps.compose import compose_cell

    assert compose_cell(["benchmark=bandit", "method=start", "tracker=wandb"]).tracker == OPEN


def test_disabled_by_the_environment_tracks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not isinstance(make_tracker(OPEN), NoTracker)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert isinstance(make_tracker(OPEN), NoTracker)
    assert not isinstance(make_tracker(OPEN.model_copy(update={"mode": "offline"})), NoTracker)


def test_disabled_as_for_the_trainer_of_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    for value in ("true", "ON", "1"):
        monkeypatch.setenv("WANDB_DISABLED", value)
        assert isinstance(make_tracker(OPEN), NoTracker)
    assert with_environment(OPEN, mode="offline").mode == "offline"  # an export
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert not isinstance(make_tracker(OPEN), NoTracker)
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_DISABLED", "false")
    assert not isinstance(make_tracker(OPEN), NoTracker)


@pytest.mark.parametrize(
    ("variable", "argument", "value"),
    [("NAME", "name", "n"), ("JOB_TYPE", "job_type", "sweep"), ("DIR", "dir", "elsewhere")],
)
def test_what_has_no_setting_is_the_environment_s(
    variable: str,
    argument: str,
    value: str,
    tracked: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import wandb

    opened: list[dict[str, Any]] = []
    monkeypatch.setattr(wandb, "init", lambda **about: opened.append(about))
    monkeypatch.chdir(tmp_path)
    cell = find_cells(tracked)[0]
    words = (cell.config, tmp_path / "cell", "abc", "clp seed 0")
    WandbTracker(OPEN).start(*words)
    monkeypatch.setenv(f"WANDB_{variable}", value)
    WandbTracker(OPEN).start(*words)
    assert [opened[0]["name"], opened[0]["job_type"]] == ["clp seed 0", "bandit"]
    assert opened[0]["dir"] == str(tmp_path / "cell")
    assert opened[1][argument] == value
    assert "console" in opened[0]["settings"].model_fields_set


def test_our_quiet_does_not_override_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_settings() == {"console": "off", "silent": True, "init_timeout": 30.0}
    monkeypatch.setenv("WANDB_CONSOLE", "wrap")
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "300")
    assert own_settings() == {"silent": True}


@pytest.mark.parametrize("error", [CommError("timed\nout"), AuthenticationError("401")])
def test_runs_stay_offline_if_the_server_does_not_take_them(
    error: Exception,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    modes = []

    def init(**about: Any) -> None:
        modes.append((about["mode"], about["resume"]))
        if about["mode"] == "online":
            raise error

    monkeypatch.setattr("wandb.init", init)
    monkeypatch.setattr(wandb_environment, "_unreachable", False)
    online = OPEN.model_copy(update={"mode": "online"})
    config = {"method": {"name": "clp"}, "seed": 0, "benchmark": {"name": "bandit"}}
    config |= {"sweep_dir": str(tmp_path)}
    with pytest.raises(type(error)):
        WandbTracker(online, upload=True).start(config, tmp_path, "0", "clp seed 0")
    assert modes.pop() == ("online", "allow") and not sync_command(online, [tmp_path])
    for _ in range(2):  # the second does not wait for the server again
        WandbTracker(online).start(config, tmp_path, "0", "clp seed 0")
    assert modes == [("online", "allow"), ("offline", None), ("offline", None)]
    (said,) = [each for each in capsys.readouterr().err.splitlines() if "wandb:" in each]
    assert f"runs stay offline; to send them: wandb sync {tmp_path}/wandb" in said
    assert sync_command(online, [tmp_path]).startswith("wandb sync")


@pytest.mark.slow
def test_a_sweep_obeys_the_environment_and_names_runs_by_their_differences(
    tmp_path: Path,
) -> None:
    elsewhere, sweep = tmp_path / "else where", tmp_path / "sweep"
    theirs = {"DIR": str(elsewhere), "TAGS": "a,b", "NOTES": "why", "RUN_GROUP": "night"}
    program = "import sys; from paretosteer.commands.main import main; sys.exit(main(sys.argv[1:]))"
    words = ["sweep", "budget=smoke", "threads=1", "benchmark=bandit", "tracker=wandb"]
    words += ["method=clp", "method.rank=2,3", f"sweep_dir={sweep}"]
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env=os.environ | {f"WANDB_{name}": value for name, value in theirs.items()},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    runs = list(offline_runs(elsewhere).values())
    names = ["clp full, rank=2 seed 0", "clp full, rank=3 seed 0", "report of sweep"]
    assert sorted(run.about["display_name"] for run in runs) == names
    for run in runs:
        assert (run.about["run_group"], run.about["notes"]) == ("night", "why")
        assert (run.about["tags"], run.about["project"]) == (["a", "b"], "paretosteer")
    told = [line for line in done.stdout.splitlines() if "wandb sync" in line]
    assert told == [f"to send the runs: wandb sync {shlex.quote(str(elsewhere / 'wandb'))}"]
    assert not list(sweep.rglob("wandb"))


def test_an_export_is_of_the_environment_s_project(
    tracked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    cell = find_cells(tracked)[0].path
    copy = shutil.copytree(
        cell, tmp_path / "bandit" / "clp" / cell.name, ignore=shutil.ignore_patterns("wandb")
    )
    assert copy.is_dir()
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path / "there"))
    assert main(["export-wandb", str(tmp_path)]) == 0
    assert capsys.readouterr().out.endswith(f"wandb sync {tmp_path / 'there' / 'wandb'}\n")
    runs = offline_runs(tmp_path / "there").values()
    assert {run.about["project"] for run in runs} == {"theirs"}
    assert {run.about["display_name"] for run in runs} == {
        "clp full seed 0",
        f"report of {tmp_path.name}",
    }


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("MODE", "disabled", "WANDB_MODE: found 'disabled'; use --mode offline or --mode online"),
        ("PROJECT", "a/b", "WANDB_PROJECT: found 'a/b'; use a name without any of"),
    ],
)
def test_an_export_refuses_what_the_environment_forbids(
    variable: str,
    value: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    monkeypatch.setenv(f"WANDB_{variable}", value)
    assert main(["export-wandb", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"paretosteer: {message}")


def test_the_sync_command_names_where_runs_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = tmp_path / "my sweep"
    assert sync_command(NoTracking(name="none"), sweeps=[sweep]) == ""
    assert sync_command(OPEN.model_copy(update={"mode": "online"}), sweeps=[sweep]) == ""
    cell, other = (sweep / "bandit" / name / "seed0-0123456789" for name in ("clp", "morl"))
    (cell / "wandb").mkdir(parents=True)
    (cell / "record.json").touch()
    assert sync_command(OPEN, cells=[cell]) == f"wandb sync '{cell}/wandb'"
    assert sync_command(OPEN, sweeps=[sweep]) == (
        f"wandb sync '{sweep}/wandb' '{sweep}'/*/*/seed*/wandb"
    )
    other.mkdir(parents=True)
    (other / "record.json").touch()  # finished before, without tracking
    mine = OPEN.model_copy(update={"project": "mine", "entity": "us"})
    export = f"paretosteer export-wandb '{sweep}' --project mine --entity us"
    assert sync_command(mine, sweeps=[sweep]) == export
    export = f"paretosteer export-wandb '{other}' --project mine --entity us --group 'my sweep'"
    assert sync_command(mine, cells=[other]) == export
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    assert sync_command(OPEN, sweeps=[sweep], cells=[sweep]) == f"wandb sync {tmp_path}/wandb"
    (tmp_path / ".wandb").mkdir()  # which wandb then prefers
    assert written(sweep) == tmp_path / ".wandb"


def test_chart_keys_do_not_collide() -> None:
    names = ["a", "b", "c", "a_b", "b_c", "a,b", "b,c", "a%2Cb", "b%2Cc", ",", "%", "a_b_table"]
    pairs = [(x, y) for x in names for y in names if x != y]
    keys = [pair_key(*pair) for pair in pairs]
    assert len({*keys, *(f"{key}_table" for key in keys)}) == 2 * len(keys)
