"""No override and no YAML file names code to run, reads the environment, or writes elsewhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore

from paretosteer.errors import UsageError
from paretosteer.sweeps.compose import compose_cell, compose_sweep
from paretosteer.sweeps.sweep import plan, run_sweep

CELL = ["benchmark=bandit", "budget=smoke"]
OPEN = "hydra/launcher=open"
RUNS = "{_target_: pathlib.Path.touch, self: ran}"


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every payload here would leave a file behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    # A launcher that takes all the keys of submitit's and Ray's, which are not installed here.
    node = {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}
    ConfigStore.instance().store("open", node, group="hydra/launcher")
    yield
    del ConfigStore.instance().repo["hydra"]["launcher"]["open.yaml"]
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
        ("hydra.run.dir=/tmp/elsewhere", r"hydra\.run\.dir.*set sweep_dir"),
        ("hydra.sweep.dir=../elsewhere", r"hydra\.sweep\.dir.*set sweep_dir"),
        ("hydra.sweep.subdir=../../elsewhere", r"hydra\.sweep\.subdir"),
        ("hydra.output_subdir=../elsewhere", r"hydra\.output_subdir"),
        ("hydra.job.chdir=true", r"hydra\.job\.chdir"),
        ("hydra.searchpath=['pkg://antigravity']", r"hydra\.searchpath: packages"),
        ("hydra.searchpath=[pkg://os]", r"hydra\.searchpath: packages"),
        (r"hydra.searchpath=[pkg\://os]", r"hydra\.searchpath: packages"),
        ("+hydra.launcher.partition='a\ntouch ran'", r"hydra\.launcher\.partition.*control"),
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
    "runs a shell": 'hydra: {launcher: {partition: "a\\ntouch ran"}}\n',
    "runs a shell by its name": (
        "hydra: {job: {name: \"a\\ntouch ran\"}, launcher: {account: '${hydra.job.name}'}}\n"
    ),
    "brings an environment": "hydra: {launcher: {ray: {init: {runtime_env: {pip: [x]}}}}}\n",
    "brings one for cells": "hydra: {launcher: {ray: {remote: {runtime_env: {pip: [x]}}}}}\n",
    "chooses the cluster": "hydra: {launcher: {ray: {init: {address: 'there:1'}}}}\n",
    "puts jobs elsewhere": "hydra: {launcher: {submitit_folder: ../elsewhere}}\n",
    "asks sbatch": "hydra: {launcher: {additional_parameters: {wrap: touch ran}}}\n",
    "hides code behind a harmless key": (
        f"hydra: {{callbacks: {{ray: {RUNS}, "
        "ray._target_: paretosteer.sweeps.ray.CarryEnvironment}}\n"
    ),
    "is all of a launcher": "mine: {setup: [touch ran]}\nhydra: {launcher: '${mine}'}\n",
}


def theirs(folder: Path, text: str) -> str:
    """The override by which Hydra finds `experiment=theirs`, which is this text."""
    (folder / "conf" / "experiment").mkdir(parents=True)
    file = folder / "conf" / "experiment" / "theirs.yaml"
    file.write_text("# @package _global_\n" + text)
    return f"hydra.searchpath=['file://{folder}/conf']"


@pytest.mark.parametrize("kind", EXPERIMENTS)
def test_an_experiment_of_a_stranger(kind: str, tmp_path: Path) -> None:
    path = theirs(tmp_path, EXPERIMENTS[kind])
    # What one of several experiments would sweep over is not read at all.
    several = [] if kind.startswith("sweeps") else ["experiment=theirs,five_methods"]
    for experiment in ("experiment=theirs", *several):
        with pytest.raises(UsageError) as refused:
            compose_sweep([*CELL, path, OPEN, experiment])
        assert "0123456789abcdef" not in str(refused.value)
        assert "\n" not in str(refused.value)


def test_a_file_may_say_how_large_jobs_are(tmp_path: Path) -> None:
    path = theirs(
        tmp_path, "hydra: {launcher: {n_jobs: 3, mem_gb: 4, ray: {remote: {num_gpus: 1}}}}"
    )
    assert compose_sweep([*CELL, path, OPEN, "experiment=theirs"])


@pytest.mark.parametrize(
    "asked",
    [
        "+hydra.launcher.setup=['module load cuda']",
        "+hydra.launcher.additional_parameters={nice: 100}",
        "++hydra.launcher.ray.init.address=auto",
    ],
)
def test_a_person_may_decide_what_a_launcher_does(asked: str, tmp_path: Path) -> None:
    assert compose_sweep([*CELL, OPEN, asked, "method=clp", "method.rank=4", "seed=0,1"])
    # A file must not add other keys.
    path = theirs(tmp_path, "hydra: {launcher: {additional_parameters: {wrap: touch ran}}}")
    with pytest.raises(UsageError, match=r"additional_parameters\.wrap: .* on the command line"):
        compose_sweep([*CELL, asked, path, OPEN, "experiment=theirs"])


@pytest.mark.parametrize(
    "text",
    [
        "hydra: {overrides: {hydra: ['hydra.launcher.setup=[x]']}, launcher: {setup: [x]}}",
        "hydra: {overrides: {hydra: ['hydra.searchpath=[pkg://imported]']}}",
        "hydra: {overrides: {task: ['hydra.searchpath=[pkg://imported]']}}",
        "hydra: {sweeper: {params: {hydra.searchpath: '[pkg://imported]'}}}",
        "mine: ['hydra.searchpath=[pkg://imported]']\nhydra: {overrides: {hydra: '${mine}'}}",
    ],
)
def test_a_file_adds_nothing_to_what_a_person_gave(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported.py").write_text("open('ran', 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    path = theirs(tmp_path, text)
    with pytest.raises(UsageError, match=r"hydra\.(overrides|searchpath|launcher\.setup)"):
        compose_sweep([*CELL, path, OPEN, "experiment=theirs"])


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
    words = [*CELL, "sweep_dir=here"]
    assert run_sweep(words, plan(compose_sweep(words))) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"here"}
    assert cells
