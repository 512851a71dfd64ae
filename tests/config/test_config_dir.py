"""A folder of the user's own configuration files, which no package brings."""

import os
import shlex
import shutil
from pathlib import Path

import pytest
from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry

from paretosteer.cells.cell import read_cell
from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.plugins import conf_files
from paretosteer.sweeps.compose import compose_cell, compose_sweep

EXPERIMENT = """# @package _global_
# My comparison.
defaults:
  - override /benchmark: bandit
  - override /budget: tiny

hydra:
  sweeper:
    params:
      method: small_clp,start
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an experiment, a budget and a method of the user's."""
    monkeypatch.setenv(conf_files.VARIABLE, "")  # restored afterwards
    monkeypatch.chdir(tmp_path)
    texts = {
        "experiment/mine.yaml": EXPERIMENT,
        "budget/tiny.yaml": "defaults: [smoke]\nname: tiny\nsteps: 2\nprompts: 3\n",
        "method/small_clp.yaml": "defaults: [clp]\nrank: 2\n",
    }
    for name, text in texts.items():
        path = tmp_path / "my conf's" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return tmp_path / "my conf's"


def test_its_groups_are_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "experiments", "--config-dir", folder.name]) == 0
    assert "My comparison." in capsys.readouterr().out
    cells = compose_sweep(["experiment=mine"])
    assert [cell.method.name for cell in cells] == ["clp", "start"]
    assert cells[0].method.values["rank"] == 2
    assert cells[0].budget.steps == 2


@pytest.mark.parametrize(
    ("written", "value"), [("010", "8"), ("1:30", "90"), ("-0_17", "-15"), ("12:30.5", "750.5")]
)
@pytest.mark.parametrize("file", ["budget/tiny.yaml", "experiment/mine.yaml"])
def test_a_number_that_yaml_reads_otherwise_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], file: str, written: str, value: str
) -> None:
    path = folder / file
    text = path.read_text().replace("steps: 2", "steps: 07\nsecond: '010'")
    path.write_text(f"{text}# 010\nseed: {written}\n")
    line = path.read_text().count("\n")
    run = ["run", "--dry-run", "--config-dir", folder.name, "experiment=mine", "method=clp"]
    assert main(run) == 2
    said = f"{file}, line {line}: YAML reads {written} as {value}; write {value}, or '{written}' in"
    assert said in capsys.readouterr().err
    path.write_text(text.replace("second: '010'\n", ""))
    assert main(run) == 0


@pytest.mark.parametrize("where", ["environment", "searchpath", "group"])
def test_so_it_is_wherever_hydra_finds_the_file(
    folder: Path, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    (folder / "extras").mkdir()
    (folder / "extras/long.yaml").write_text("# @package _global_\nbudget: {steps: 0100}\n")
    words = ["run", "--dry-run", "benchmark=bandit", "method=start"]
    if where == "environment":
        os.environ[conf_files.VARIABLE] = str(folder)
    elif where == "searchpath":
        words += [f"hydra.searchpath=[{shutil.copytree(folder, folder.parent / 'other')}]"]
    else:
        words += ["--config-dir", folder.name]
    assert main([*words, "+extras=long"]) == 2
    assert "extras/long.yaml, line 2: YAML reads 0100 as 64" in capsys.readouterr().err
    # Hydra registers its own reader again before a launcher starts.
    SourcesRegistry.instance().register(file_config_source.FileConfigSource)


@pytest.mark.slow
def test_jobs_elsewhere_and_recorded_commands_have_it(folder: Path) -> None:
    words = ["--config-dir", folder.name, "experiment=mine", "launcher=joblib", "sweep_dir=out"]
    assert main(["run", "--multirun", *words]) == 0
    commands = [cell.record.command for cell in map(read_cell, Path("out").glob("bandit/*/*"))]
    assert len(commands) == 2
    for command in commands:
        *overrides, flag, given = shlex.split(command)[2:]
        assert (flag, given) == ("--config-dir", str(folder))
        assert compose_cell(overrides).budget.name == "tiny"
    assert main(["validate", "out"]) == 0


def test_a_missing_folder_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--config-dir", "nowhere", "--dry-run"]) == 2
    assert "--config-dir: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["experiment/five_methods.yaml", "config.yaml", "method/clp.yaml"])
def test_a_file_that_would_be_ignored_is_an_error(folder: Path, name: str) -> None:
    (folder / name).write_text("")
    os.environ[conf_files.VARIABLE] = str(folder)
    with pytest.raises(UsageError, match=r"--config-dir: .*(rename yours|another name)"):
        compose_cell([])


def test_two_folders_are_one_too_many(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder.parent / "more").mkdir()
    assert main(["run", "--config-dir", folder.name, "--dry-run", "-cd", "more"]) == 2
    assert "--config-dir: found my conf's and more; put" in capsys.readouterr().err


def test_folders_that_are_no_groups_are_not_searched(folder: Path) -> None:
    """The folder may be one in which much else is kept."""
    (folder / "project/method").mkdir(parents=True)
    (folder / "project/method/clp.yaml").touch()
    (folder / "benchmark/sub").mkdir(parents=True)
    (folder / "benchmark/sub/mine.yaml").touch()
    os.environ[conf_files.VARIABLE] = str(folder)
    own = [name for name, path in conf_files.files().items() if path.is_relative_to(folder)]
    names = {"experiment/mine.yaml", "budget/tiny.yaml", "method/small_clp.yaml"}
    assert set(own) == names | {"benchmark/sub/mine.yaml"}


@pytest.mark.parametrize("others", [["mine"], ["second"]])
def test_files_that_name_each_other_in_a_circle(folder: Path, others: list[str]) -> None:
    for name, other in zip(["mine", *others], [*others, "mine"], strict=True):
        text = f"# @package _global_\ndefaults:\n  - /experiment: {other}\n"
        (folder / f"experiment/{name}.yaml").write_text(text)
    os.environ[conf_files.VARIABLE] = str(folder)
    with pytest.raises(UsageError, match="name each other in a circle"):
        compose_cell(["experiment=mine"])
