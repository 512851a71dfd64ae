"""No override and no YAML file names code to run, reads the environment, or writes elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paretosteer.compose import compose_cell, compose_sweep
from paretosteer.errors import UsageError
from paretosteer.sweep import run_sweep

CELL = ["benchmark=bandit", "budget=smoke"]
RUNS = "{_target_: pathlib.Path.touch, self: ran}"


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every payload here would leave a file behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    yield
    assert not [path for path in tmp_path.rglob("*") if path.name == "ran"]


@pytest.mark.parametrize(
    "override",
    [
        f"+hydra.callbacks.mine={RUNS}",
        "+hydra.callbacks.report._target_=os.system",
        "hydra.launcher._target_=os.system",
        "hydra.launcher._target_=hydra.core.utils.run_job",
        f"+hydra.launcher.n_jobs={RUNS}",
        "hydra.sweeper._target_=os.system",
        "hydra.sweeper._target_=hydra_plugins.any.Sweeper",
        f"+hydra.job_logging.handlers.mine={RUNS}",
        f"+method.rank={RUNS}",
    ],
)
def test_no_value_names_code(override: str) -> None:
    for compose in (compose_cell, compose_sweep):
        with pytest.raises(UsageError, match=r"names code to run|_target_ is not an option"):
            compose([*CELL, override])


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("hydra/job_logging=default", r"hydra\.job_logging\.root"),
        ("hydra/hydra_logging=default", r"hydra\.hydra_logging\.root"),
        ("+hydra.job.env_set.LD_PRELOAD=evil.so", r"hydra\.job\.env_set\.LD_PRELOAD"),
        ("hydra.job.env_copy=[WANDB_API_KEY]", r"hydra\.job\.env_(set|copy)"),
        ("hydra.run.dir=/tmp/elsewhere", r"hydra\.run\.dir.*use sweep_dir"),
        ("hydra.sweep.dir=../elsewhere", r"hydra\.sweep\.dir.*use sweep_dir"),
        ("hydra.sweep.subdir=../../elsewhere", r"hydra\.sweep\.subdir"),
        ("hydra.output_subdir=../elsewhere", r"hydra\.output_subdir"),
        ("hydra.job.chdir=true", r"hydra\.job\.chdir"),
        ("hydra.searchpath=['pkg://antigravity']", r"hydra\.searchpath: packages"),
        ("hydra.searchpath=[pkg://os]", r"hydra\.searchpath: packages"),
    ],
)
def test_hydra_itself_stays_as_it_is(override: str, told: str) -> None:
    for compose in (compose_cell, compose_sweep):
        with pytest.raises(UsageError, match=told) as refused:
            compose([*CELL, override])
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "value",
    [
        "${oc.env:WANDB_API_KEY}",
        "x${oc.env:WANDB_API_KEY,none}x",
        "${oc.decode:${oc.env:WANDB_API_KEY}}",
        "${oc.${seed}:WANDB_API_KEY}",
        "${ oc.env:WANDB_API_KEY}",
        "${oc.create:{a:1}}",
    ],
)
@pytest.mark.parametrize("key", ["sweep_dir", "model.path", "tracker.group", "+method.note"])
def test_no_value_is_computed(key: str, value: str) -> None:
    for compose in (compose_cell, compose_sweep):
        with pytest.raises(UsageError, match=r"resolver|is not an override") as refused:
            compose([*CELL, "tracker=wandb", f"{key}={value}"])
        assert "0123456789abcdef" not in str(refused.value)


def test_another_key_may_be_named() -> None:
    cell = compose_cell([*CELL, "sweep_dir=results/${seed}", "seed=3"])
    assert cell.sweep_dir == "results/3"


EXPERIMENTS = {
    "names code": f"hydra:\n  callbacks:\n    mine: {RUNS}\n",
    "reads the environment": "sweep_dir: results/${oc.env:WANDB_API_KEY}\n",
    "copies the environment": "hydra:\n  job:\n    env_copy: [WANDB_API_KEY]\n",
    "runs a command": "hydra:\n  launcher:\n    setup: ['touch ran']\n",
    "writes elsewhere": "hydra:\n  sweep:\n    dir: ../elsewhere\n",
    "is Python": "sweep_dir: !!python/object/apply:pathlib.Path.touch [ran]\n",
    "is a Python name": "sweep_dir: !!python/name:os.system\n",
    "sweeps over code": "hydra: {sweeper: {params: {+method.x: '{_target_: os.system}'}}}\n",
    "sweeps over secrets": "hydra: {sweeper: {params: {seed: '${oc.env:WANDB_API_KEY}'}}}\n",
    "changes the path": "hydra:\n  searchpath: [pkg://antigravity]\n",
}


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_an_experiment_of_a_stranger(kind: str, tmp_path: Path) -> None:
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    text = "# @package _global_\n" + EXPERIMENTS[kind]
    (tmp_path / "conf" / "experiment" / "theirs.yaml").write_text(text)
    path = f"hydra.searchpath=['file://{tmp_path}/conf']"
    # What one of several experiments would sweep over is not read at all.
    several = [] if kind.startswith("sweeps") else ["experiment=theirs,five_methods"]
    for experiment in ("experiment=theirs", *several):
        with pytest.raises(UsageError) as refused:
            compose_sweep([*CELL, path, experiment])
        assert "0123456789abcdef" not in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_person_may_give_a_launcher_commands() -> None:
    asked = "+hydra.launcher.setup=['module load cuda']"
    assert compose_sweep([*CELL, asked])


@pytest.mark.parametrize("group", ["method", "benchmark"])
@pytest.mark.parametrize("name", ["../../../outside", "/tmp/outside", "..", "a/b", "", ".hidden"])
def test_a_name_is_no_path(group: str, name: str, tmp_path: Path) -> None:
    for compose in (compose_cell, compose_sweep):
        with pytest.raises(UsageError, match=rf"{group}\.name: found"):
            compose([*CELL, f"{group}.name='{name}'"])
    assert not list(tmp_path.iterdir())


def test_a_sweep_refuses_before_anything_is_called(tmp_path: Path) -> None:
    cells = compose_sweep(CELL)
    with pytest.raises(UsageError):
        compose_sweep([*CELL, f"+hydra.callbacks.mine={RUNS}"])
    assert run_sweep([*CELL, "sweep_dir=here"], compose_sweep([*CELL, "sweep_dir=here"])) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"here"}
    assert cells
