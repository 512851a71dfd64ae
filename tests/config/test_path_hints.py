"""Errors of choices that are given a path name the settings that take it."""

from pathlib import Path

import pytest

from paretosteer.errors import UsageError
from paretosteer.sweeps.compose import compose_cell, compose_sweep

PAIRS = "benchmark=preferences benchmark.pairs.helpful="
RANKING = "benchmark=ranking benchmark.path="


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder with a file or folder of every kind, also the current one."""
    for name in (
        *("weights/config.json", "lora/adapter_config.json", "letor/S1.txt"),
        *("folds/Fold1/train.txt", "saved/train/data.arrow", "other/readme"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("override", "hint"),
    [
        ("model=weights", "set model=hf model.path=weights"),
        ("model=./weights", "set model=hf model.path=./weights"),
        ("model=org/name", "set model=hf model.path=org/name"),
        ("model=lora", "method=adapters 'method.paths=[lora,…]'"),
        ("benchmark=p.jsonl", PAIRS + "p.jsonl"),
        ("benchmark=data/P.CSV.gz", PAIRS + "data/P.CSV.gz"),
        ("benchmark=saved", PAIRS + "saved"),
        ("benchmark=letor", RANKING + "letor"),
        ("benchmark=folds", RANKING + "folds"),
        ("benchmark=own.py", "pass --plugin own.py"),
        ("method=own.py", "pass --plugin own.py"),
        ("method=lora", "'method.paths=[lora,…]'"),
        ("preferences=grid.txt", "set preferences=file preferences.path=grid.txt"),
        ("model=hff", "did you mean 'hf'?"),
        ("budget=weights", "known: full, quick, smoke"),
    ],
)
@pytest.mark.parametrize("compose", [compose_cell, compose_sweep])
def test_a_path_names_the_settings_that_take_it(compose, override: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        compose([override])
    group = override.partition("=")[0]
    assert str(raised.value).startswith(f"{override}: no such {group}; ")
    assert hint in str(raised.value)


def test_absolute_paths_are_shown_as_given(files: Path) -> None:
    with pytest.raises(UsageError, match=f"^model={files}/weights: .* model.path={files}/weights$"):
        compose_cell([f"model={files}/weights"])


def test_a_folder_of_neither_kind_names_both() -> None:
    with pytest.raises(UsageError) as raised:
        compose_cell(["benchmark=other"])
    assert PAIRS + "other" in str(raised.value) and RANKING + "other" in str(raised.value)
