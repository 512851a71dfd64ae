from collections.abc import Callable
from pathlib import Path

import pytest
from small_model import SMALL, write_lora, write_model

from paretosteer.commands.main import main
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, run_one

FAST = "method.learning_rate=0.1"  # a few steps leave the start model far behind
TRAINED = {
    "bone_soup": ["method=bone_soup", "method.beta=0.6", FAST],
    "factors": ["method=rewarded_soup", "method.merge=factors", FAST],
    "head": ["method=clp", "method.variant=logit", FAST],
    "words": ["method=clp", "method.variant=prompt", FAST],
    "vectors": ["method=cos_dpo", "method.variant=temperature", FAST],
    "one_each": ["method=morl", "method.divisions=2", "method.share=true", FAST],
    "start": ["method=start"],
}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the start model."""
    return write_model(tmp_path_factory.mktemp("small") / "model")


@pytest.fixture(scope="session")
def adapters(model: Path) -> list[Path]:
    """Two adapters of it that differ in rank, scale and layers."""
    place = model.parent
    stable = {"r": 5, "use_rslora": True, "lora_alpha": 4, "target_modules": ["q_proj", "o_proj"]}
    return [write_lora(place / "one", model), write_lora(place / "two", model, seed=1, **stable)]


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[list[str]], str]:
    """The last line of a run with these overrides, which fails before anything is written."""

    def line(words: list[str]) -> str:
        assert main(["run", f"sweep_dir={tmp_path / 'out'}", *words]) == 2
        assert not (tmp_path / "out").exists()
        return capsys.readouterr().err.strip().splitlines()[-1]

    return line


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory, model: Path) -> dict[str, Path]:
    """Trained cells, one for every way in which a policy takes a preference."""
    folder = tmp_path_factory.mktemp("cells")
    tied = write_model(folder / "tied", tied=True)
    found = {}
    for name, words in TRAINED.items():
        start = tied if name == "head" else model
        where = [f"sweep_dir='{folder / name}'", "model=hf", f"model.path='{start}'"]
        config = compose_cell([*where, *SMALL, *words])
        record = run_one(PlannedCell.of(config))
        assert record.status == "ok"
        found[name] = config.folder / f"seed0-{record.identity}"
    return found
