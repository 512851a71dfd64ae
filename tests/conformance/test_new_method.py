"""`paretosteer new`: what it writes works at once, and it writes over nothing."""

import importlib
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_registry import forget

from paretosteer.commands.main import main
from paretosteer.plugins import single_files
from paretosteer.plugins.registry import docstring

NAMES = ["tilted_soup", "a_method_with_quite_a_long_name", "x2"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(single_files.VARIABLE, "")
    yield tmp_path
    forget()


@pytest.mark.slow
def test_the_skeleton_passes_its_own_test(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "method", "tilted_soup"]) == 0
    assert "--plugin tilted_soup/tilted_soup.py method=tilted_soup" in capsys.readouterr().out
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tilted_soup"],
        cwd=here,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


@pytest.mark.parametrize("kind", ["benchmark", "objective", "metric", "method"])
def test_the_name_of_the_template_may_stay(
    kind: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", kind, f"my_{kind}"]) == 0
    assert capsys.readouterr().out.startswith(f"my_{kind}: a working {kind}; edit ")


@pytest.mark.parametrize("kind", ["objective", "metric"])
def test_a_small_plug_in_passes_its_own_test(kind: str, here: Path) -> None:
    name = f"calm_{kind}"  # the folder of a plug-in stays on the path of this process
    assert main(["new", kind, name]) == 0
    run = f"sys.path.insert(0, '{name}'); sys.exit(pytest.main(['-q', '{name}']))"
    code = f"import sys, pytest; {run}"
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert main(["list", f"{kind}s", name, "--plugin", f"{name}/{name}.py"]) == 0


@pytest.mark.slow
def test_a_new_benchmark_passes_its_own_test(here: Path) -> None:
    # The tutorial's own name may be taken: another test of this process imports its example.
    assert main(["new", "benchmark", "meadow_stories"]) == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "meadow_stories"],
        cwd=here,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", ["benchmark", "objective", "metric", "method"])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_clean_under_any_name(kind: str, name: str, here: Path) -> None:
    assert main(["new", kind, name, "--out", "some/where"]) == 0
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "."], ["format", "--check", "."]):
        done = subprocess.run(
            [*ruff, *command, "--no-cache"],
            cwd=here / "some" / "where",
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout
    for path in (here / "some" / "where").iterdir():
        text = path.read_text(encoding="utf-8").lower().replace("_", "").replace(" ", "")
        assert f"my{kind}" not in text


def test_its_entry_point_its_table_and_its_summary_say_the_same(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["new", "method", "warm_soup"])
    folder = here / "warm_soup"
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    entries = project["project"]["entry-points"]["paretosteer.methods"]
    assert entries == {"warm_soup": "warm_soup:WarmSoup"}
    assert project["tool"]["setuptools"]["py-modules"] == ["warm_soup"]
    monkeypatch.syspath_prepend(folder)
    module = importlib.import_module("warm_soup")
    assert module.paretosteer_plugins == {"methods": {"warm_soup": module.WarmSoup}}
    assert docstring(folder / "warm_soup.py").startswith("Warm soup: the summary that")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("clp", "'clp' is already a method"),
        ("Soup", "is not a valid module name"),
        ("two words", "is not a valid module name"),
        ("../up", "is not a valid module name"),
        ("class", "is not a valid module name"),
        ("torch", "would shadow a module or class of that name"),
        ("banks", "would shadow a module or class of that name"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    name: str, told: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", "method", name]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("paretosteer: name: ") and told in line
    assert not list(here.iterdir())


def test_a_place_where_nothing_can_be_made_is_named(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "file").touch()
    assert main(["new", "method", "tilted_soup", "--out", "file/below"]) == 2
    said = "--out: 'file/below' cannot be created (Not a directory); choose a folder of yours"
    assert said in capsys.readouterr().err


def test_nothing_is_written_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine").mkdir()
    assert main(["new", "method", "tilted_soup", "--out", "mine"]) == 2
    assert "--out: 'mine' already exists; choose a new folder" in capsys.readouterr().err
    assert not list((here / "mine").iterdir())
