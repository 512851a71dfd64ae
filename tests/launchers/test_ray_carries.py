"""Settings of the command that Ray passes to jobs on remote workers."""

from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from paretosteer.sweeps.compose import CONFIG, hydra_app
from paretosteer.sweeps.ray import CarryEnvironment


def test_a_job_gets_our_variables_and_an_absolute_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PARETOSTEER_CACHE", "cache, of mine")
    monkeypatch.setenv("WANDB_PROJECT", "steering")
    with hydra_app() as hydra:
        sweep = hydra.compose_config(CONFIG, ["seed=0,1"], RunMode.MULTIRUN)
        CarryEnvironment().on_multirun_start(sweep)
        job = GlobalHydra.instance().config_loader().load_sweep_config(sweep, ["seed=1"])
    assert job.seed == 1
    assert job.hydra.job.env_set.PARETOSTEER_CACHE == "cache, of mine"
    assert job.hydra.job.env_set.WANDB_PROJECT == "steering"
    assert "PATH" not in job.hydra.job.env_set
    assert job.hydra.sweep.dir == f"{folder}/results/default/.hydra-jobs"
