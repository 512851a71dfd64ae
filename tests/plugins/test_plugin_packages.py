"""Packages that add something: found, offered beside ours, and named where they are wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fake_packages import METHOD, METRIC, OBJECTIVE, install

from paretosteer import load_cells
from paretosteer.benchmarks.stories.benchmark import Stories
from paretosteer.commands.main import main
from paretosteer.config import options
from paretosteer.errors import UsageError
from paretosteer.plugins import registry
from paretosteer.report.outputs.score_csv import score_csv
from paretosteer.sweeps.compose import compose_cell, compose_sweep

POINTS = "method,w_a,w_b,a,b\nx,0,1,0,4\nx,1,0,2,0\n"


def test_a_method_is_configured_from_its_options_without_any_file(site: Path) -> None:
    install(site, "mine", {"methods": {"sharp": "mine.sharp:Sharp"}}, {"sharp.py": METHOD})
    assert registry.summary("methods", "sharp") == "Sharp: a soup from elsewhere."
    assert "mine" not in sys.modules
    cell = compose_cell(["method=sharp", "method.power=3"])
    assert cell.method.values["power"] == 3 and cell.method.values["rank"] == 8


BROKEN = {
    "import no_such_library": "cannot be imported: ModuleNotFoundError: No module named 'no_such",
    "raise SystemError('x\\ny')": "cannot be imported: SystemError: x; repair or uninstall",
    "raise SystemExit(0)": "imported: SystemExit: sys.exit(0) was called; repair or uninstall",
    "pass": "cannot be imported: AttributeError: module 'mine.bad' has no attribute 'Bad'",
    "Bad = 3": "of mine 1.0 is not a class",
    "class Bad: pass": "is not a subclass of paretosteer.method.Method; derive it from Method",
    "from paretosteer.method import Method as Bad": "does not define conditioning, control, train",
    """
    from paretosteer.methods.start import Start
    class Bad(Start):
        Options = None
    """: "has no Options; derive a class of this name from BaseOptions",
    """
    from paretosteer.methods.start import Start
    class Bad(Start):
        version = None
    """: "has no version; set version",
    """
    from paretosteer.config.options import BaseOptions
    from paretosteer.methods.start import Start
    class Bad(Start):
        class Options(BaseOptions):
            rank: int
    """: "has Options that Hydra cannot read: option 'rank' has no default",
    """
    from paretosteer.config.options import BaseOptions
    from paretosteer.methods.start import Start
    class Bad(Start):
        class Options(BaseOptions):
            rank: object = open
    """: "has Options that Hydra cannot read: Unable to serialize unknown type",
}


@pytest.mark.parametrize(("code", "said"), BROKEN.items())
def test_a_broken_method_disturbs_nobody_and_is_an_error_for_who_asks(
    site: Path, code: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    install(site, "mine", {"methods": {"bad": "mine.bad:Bad"}}, {"bad.py": code})
    assert compose_cell(["method=clp"]).method.name == "clp"
    assert capsys.readouterr().err == ""
    assert main(["run", "method=bad", "--dry-run"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("paretosteer: method 'bad' ") and said in line


def test_a_package_whose_code_is_gone_disturbs_nobody(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = {"methods": {"lost": "gone.lost:Lost"}, "conf": {"lost": "gone.conf"}}
    install(site, "mine", lost, {})
    assert main(["list", "methods"]) == 0
    assert re.search(r"^lost +\(its module is missing\)$", capsys.readouterr().out, flags=re.M)
    assert main(["list", "experiments"]) == 0
    assert capsys.readouterr().err == (
        "paretosteer: left out: configuration 'lost': package 'gone.conf' does not exist; repair "
        "or uninstall the package that provides it\n"
    )
    assert len(compose_sweep(["experiment=five_methods"])) == 5


def test_a_cell_whose_method_is_gone_fails_alone(site: Path, tmp_path: Path) -> None:
    entries = {"methods": {"lost": "gone.lost:Lost"}, "conf": {"mine": "mine.conf"}}
    install(site, "mine", entries, {"conf/method/lost.yaml": "name: lost\n"})
    words = ["benchmark=bandit", "budget=smoke", f"sweep_dir={tmp_path}"]
    assert main(["sweep", "method=lost,start", *words]) == 1
    cells = load_cells(tmp_path).set_index("method")
    assert cells["status"].to_dict() == {"lost": "failed", "start": "ok"}
    assert "method 'lost' (gone.lost of mine 1.0) cannot be imported" in cells["reason"]["lost"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("name = 'bandit'", "has the name 'bandit'; use the same name in both"),
        ("name = 'duo'; version = ''", "has no version"),
    ],
)
def test_a_benchmark_has_a_name_and_a_version_of_its_own(site: Path, body: str, said: str) -> None:
    code = f"""
    from paretosteer.benchmarks.bandit.benchmark import Bandit
    class Duo(Bandit):
        {body}
    """
    install(site, "mine", {"benchmarks": {"duo": "mine.duo:Duo"}}, {"duo.py": code})
    with pytest.raises(UsageError, match=f"benchmark 'duo' of mine 1.0 {said}"):
        registry.load("benchmarks", "duo")


def test_ours_comes_before_a_package_of_the_same_name(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(site, "mine", {"methods": {"clp": "mine.sharp:Sharp"}}, {"sharp.py": METHOD})
    assert registry.load("methods", "clp").__name__ == "CLP"
    assert main(["list", "methods"]) == 0
    assert capsys.readouterr().err == (
        "paretosteer: left out: method 'clp' of mine 1.0: a built-in method has this name; "
        "rename it\n"
    )


@pytest.mark.parametrize(
    ("group", "name"), [("feedback", "preference"), ("conditionings", "shifts")]
)
def test_a_package_of_the_same_name_is_told_where_ours_is_used(
    site: Path, capsys: pytest.CaptureFixture[str], group: registry.Group, name: str
) -> None:
    install(site, "mine", {group: {name: "mine.sharp:Sharp"}}, {"sharp.py": METHOD})
    offer = registry.find(group, name)
    assert offer is not None and offer.built_in
    kind = registry.singular(group)
    assert f"{kind} {name!r} of mine 1.0: a built-in {kind} has" in capsys.readouterr().err


def test_of_two_packages_that_give_one_name_neither_is_used(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("mine", "theirs"):
        entries = {"methods": {"sharp": f"{name}.sharp:Sharp"}}
        install(site, name, entries, {"sharp.py": METHOD})
    said = "method 'sharp' is offered by mine 1.0 and theirs 1.0, so none is used; uninstall"
    assert "sharp" not in registry.names("methods")
    assert said in capsys.readouterr().err
    assert main(["run", "method=sharp", "--dry-run"]) == 2
    assert said in capsys.readouterr().err


def test_configuration_files_are_found(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conf = {
        "sharp.py": METHOD,
        "conf/method/sharp.yaml": "name: sharp\npower: 5.0\n",
        "conf/experiment/mine.yaml": """
            # @package _global_
            # Mine alone.
            defaults:
              - override /benchmark: bandit
            hydra: {sweeper: {params: {method: "sharp,start"}}}
            """,
        "conf/experiment/five_methods.yaml": "# Not ours.\n",
        "conf/experiment/bad.yaml": "a: [\n",
    }
    entries = {"methods": {"sharp": "mine.sharp:Sharp"}, "conf": {"mine": "mine.conf"}}
    install(site, "mine", entries, conf)
    sharp, start = compose_sweep(["experiment=mine"])
    assert sharp.method.values["power"] == 5 and sharp.benchmark.name == start.benchmark.name
    assert sharp.benchmark.name == "bandit"
    assert len(compose_sweep(["experiment=five_methods"])) == 5
    assert capsys.readouterr().err == (
        "paretosteer: left out: experiment/five_methods.yaml of mine.conf: paretosteer.conf "
        "provides a file of this name; rename it\n"
    )
    assert main(["list", "experiments"]) == 0
    assert "mine                      Mine alone." in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"while parsing.*bad\.yaml"):
        compose_cell(["experiment=bad"])


def test_an_objective_is_chosen_by_name_and_its_version_counts(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = {"objectives": {"calm": "mine.calm:CALM", "varied": "mine.calm:CALM"}}
    install(site, "mine", entries, {"calm.py": OBJECTIVE})
    chosen = options.build(Stories.Options, {"objectives": ["calm", "varied"]}, "benchmark")
    assert Stories.objective_versions(chosen) == {"calm": "7", "varied": "1"}
    wrong = options.build(Stories.Options, {"objectives": ["clam", "varied"]}, "benchmark")
    with pytest.raises(UsageError, match="'clam' is unknown; did you mean 'calm'"):
        Stories.objective_versions(wrong)
    assert main(["list", "objectives"]) == 0
    printed = capsys.readouterr()
    assert re.search(r"^calm +↑ few marks \(marks\)$", printed.out, re.MULTILINE)
    assert "objective 'varied' of mine 1.0: a built-in objective has this name" in printed.err
    assert main(["list", "objectives", "calm"]) == 0
    assert capsys.readouterr().out == (
        "calm: few marks\nhigher is better\nmarks, at least -9\nversion 7\n"
    )


def test_a_metric_is_a_further_column(site: Path, tmp_path: Path) -> None:
    install(site, "mine", {"metrics": {"spread": "mine.spread:SPREAD"}}, {"spread.py": METRIC})
    (tmp_path / "points.csv").write_text(POINTS)
    (row,) = score_csv(tmp_path / "points.csv", [0, 0]).to_dict("records")
    assert row["spread"] == 3


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("hypervolume", METRIC, "metric 'hypervolume' of mine 1.0 has the name 'spread'"),
        ("kl", METRIC.replace("spread", "kl"), "metric 'kl': a built-in column has that name"),
        ("range_a", METRIC.replace("spread", "range_a"), "metric 'range_a': a built-in column"),
        ("spread", METRIC.replace("points.max", "no"), "metric 'spread' where it raises NameError"),
        ("spread", METRIC.replace('"up"', '"left"'), "has direction 'left'; use up, down or"),
    ],
)
def test_a_metric_that_is_wrong_or_named_as_ours_is_said_and_left_out(
    site: Path,
    tmp_path: Path,
    name: str,
    code: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "points.csv").write_text(POINTS + "y,0,1,0,3\ny,1,0,2,0\n")
    before = score_csv(tmp_path / "points.csv", [-1, -1])
    install(site, "mine", {"metrics": {name: "mine.bad:SPREAD"}}, {"bad.py": code})
    registry.installed.cache_clear()
    registry._of_packages.cache_clear()
    after = score_csv(tmp_path / "points.csv", [-1, -1])
    assert after.equals(before)
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_lists_import_nothing_of_a_package(site: Path) -> None:
    entries = {
        "methods": {"sharp": "mine.sharp:Sharp"},
        "conf": {"mine": "mine.conf"},
    }
    files = {"sharp.py": METHOD, "conf/a.yaml": ""}
    install(site, "mine", entries, files)
    code = (
        "import sys; from paretosteer.commands.main import main\n"
        "for kind in ('methods', 'benchmarks', 'experiments'):\n"
        "    main(['list', kind])\n"
        "print(*{'mine', 'torch', 'numpy', 'hydra', 'pandas'} & sys.modules.keys(), sep=',')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    listed = {line.partition(" ")[0] for line in done.stdout.splitlines()}
    assert "sharp" in listed
    assert done.stdout.endswith("\n\n") and done.stderr == ""


def test_a_file_of_a_package_does_not_change_the_defaults_of_a_built_in_method(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"conf/method/clp.yaml": "name: clp\nrank: 99\n"}
    install(site, "mine", {"conf": {"mine": "mine.conf"}}, files)
    assert compose_cell(["method=clp"]).method.values["rank"] == 8
    assert "clp.yaml: method 'clp' is built in; give the file another" in capsys.readouterr().err


def test_a_file_of_a_user_configures_a_method_under_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "small.yaml").write_text("defaults: [clp]\nrank: 2\n")
    path = f"hydra.searchpath=[{tmp_path}]"
    cell = compose_cell([path, "method=small", "method.concentration=0.5"])
    values = cell.method.values
    assert (cell.method.name, values["rank"], values["concentration"]) == ("clp", 2, 0.5)
