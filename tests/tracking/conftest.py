from pathlib import Path

import pytest

from paretosteer.commands.main import main


@pytest.fixture(scope="session")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep with texts and without, tracked offline while it ran."""
    folder = tmp_path_factory.mktemp("tracked") / "sweep one"
    words = ["sweep", "budget=smoke", "method=clp", "benchmark=bandit,stories", "tracker=wandb"]
    assert main([*words, f"sweep_dir='{folder}'"]) == 0
    return folder
