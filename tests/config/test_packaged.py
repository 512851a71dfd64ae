"""Every choice of every group composes, and every experiment of the package."""

from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from paretosteer.config.schema import CellConfig
from paretosteer.errors import UsageError
from paretosteer.plugins import registry
from paretosteer.sweeps.compose import compose_sweep


@cache  # several tests look at one experiment
def composed(*words: str) -> list[CellConfig]:
    return compose_sweep(words)


@pytest.mark.parametrize(
    ("experiment", "cells", "further"),
    [
        ("five_methods", 5, []),
        ("all_methods", 7, []),
        ("three_objectives", 5, []),
        ("mslr", 5, ["benchmark.path=somewhere"]),
        ("helpful_assistant", 3, []),
        ("reddit_summary", 3, []),
        ("long_form_qa", 3, ["benchmark.data=somewhere"]),
        ("safe_rlhf", 3, []),
        ("xsum", 3, []),
        ("nli_summary", 3, []),
        ("continuous_interpolation", 1, []),
        ("parm_safety", 2, []),
        ("parm_assistant", 2, []),
        ("cos_dpo_mslr", 4, ["benchmark.path=somewhere"]),
        ("cos_dpo_safe", 3, []),
        ("cos_dpo_baselines", 2, []),
        ("smollm2", 8, ["model.path=somewhere"]),
        ("human_preferences", 5, ["benchmark.pairs.helpful=one", "+benchmark.pairs.humour=two"]),
    ],
)
def test_every_experiment_composes_and_writes_under_its_name(
    experiment: str, cells: int, further: list[str]
) -> None:
    found = composed(f"experiment={experiment}", *further)
    assert len(found) == cells
    assert {cell.sweep_dir for cell in found} == {f"results/{experiment}"}


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_the_launchers_that_setup_installs_compose(launcher: str) -> None:
    assert len(compose_sweep([f"launcher={launcher}", "seed=0,1"])) == 2


@pytest.mark.parametrize("launcher", ["slurm", "ray"])
def test_a_launcher_that_is_not_installed_names_its_extra(launcher: str) -> None:
    if find_spec("submitit" if launcher == "slurm" else "ray"):
        pytest.skip("it is installed")
    with pytest.raises(UsageError) as caught:
        compose_sweep([f"launcher={launcher}"])
    assert str(caught.value) == f"launcher={launcher}: needs pip install 'paretosteer[{launcher}]'"


def test_the_third_objective_is_part_of_the_experiment() -> None:
    (first, *_) = composed("experiment=three_objectives")
    assert len(first.benchmark.values["objectives"]) == 3


CONF = Path(str(files("paretosteer.conf")))
FILES = sorted(path.relative_to(CONF).with_suffix("") for path in CONF.rglob("*.yaml"))
CLASSES = [
    Path(group[:-1], name)
    for group in ("methods", "benchmarks")
    for name in registry.names(group)  # type: ignore[arg-type]
]
NEEDED = {
    "experiment/mslr": ["benchmark.path=somewhere"],
    "experiment/cos_dpo_mslr": ["benchmark.path=somewhere"],
    "experiment/long_form_qa": ["benchmark.data=somewhere"],
    "experiment/human_preferences": ["benchmark.pairs.helpful=one"],
    "experiment/smollm2": ["model.path=somewhere"],
    "model/hf": ["model.path=somewhere"],
    "preferences/file": ["preferences.path=somewhere"],
}


def _defaults(path: Path) -> list[str]:
    """Choice that a file extends, or the name of the file."""
    defaults = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("defaults", [path.stem])
    return [each for each in defaults if isinstance(each, str)] or [path.stem]


@pytest.mark.parametrize("file", [*FILES, *CLASSES], ids=str)
def test_every_choice_composes(file: Path) -> None:
    group, name = str(file.parent), file.name
    chosen = [] if group == "." else [f"{group}={name}"]
    try:
        cells = composed(*chosen, *NEEDED.get(str(file), []))
    except UsageError as error:
        if group != "launcher" or "needs pip install" not in str(error):
            raise
        text = (CONF / file).with_suffix(".yaml").read_text(encoding="utf-8")
        assert yaml.safe_load(text)["defaults"]
        pytest.skip(f"{name}: the launcher that it names is not installed")
    if group in (".", "launcher", "experiment"):
        return
    path = (CONF / file).with_suffix(".yaml")
    first, *_ = _defaults(path) if path.is_file() else [name]
    assert cells[0].model_dump()[group]["name"] == first  # a file can be a preset of a method
