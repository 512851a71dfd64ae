"""`--plugin file.py`: one file, in this process and in every worker."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fake_packages import METHOD, METRIC, OBJECTIVE

from paretosteer import restore_cell
from paretosteer.cells import provenance
from paretosteer.cells.plan import plan_cell
from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.plugins import single_files
from paretosteer.plugins.in_use import need, used
from paretosteer.report.columns import on_terminal
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, run_one
from paretosteer.validation import validate

OFFER = 'paretosteer_plugins = {"methods": {"sharp": Sharp}, "metrics": {"spread": SPREAD}}\n'


@pytest.fixture
def file(site: Path) -> Path:
    """A method and a metric in one file."""
    path = site / "sharp.py"
    path.write_text(METHOD.lstrip() + METRIC + OFFER)
    return path


@pytest.mark.parametrize("words", ["--plugin {} list methods", "list methods --plugin={}"])
def test_the_option_stands_before_or_after_the_command(
    file: Path, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.format(file).split()) == 0
    assert re.search("^sharp +Sharp: a soup from elsewhere.$", capsys.readouterr().out, re.M)
    assert compose_cell(["method=sharp"]).method.values["power"] == 2


def test_objectives_and_metrics_are_listed_in_their_own_words(
    file: Path, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offer = OBJECTIVE + 'paretosteer_plugins = {"objectives": {"calm": CALM}}\n'
    (site / "calm.py").write_text(offer)
    assert main(["list", "metrics", "--plugin", str(file)]) == 0
    assert re.search("^spread +↑ mean range$", capsys.readouterr().out, re.M)
    assert main(["list", "objectives", "--plugin", str(site / "calm.py")]) == 0
    assert re.search(r"^calm +↑ few marks \(marks\)$", capsys.readouterr().out, re.M)


def test_a_metric_is_a_column_on_the_terminal_before_the_costs(file: Path) -> None:
    assert main(["list", "metrics", "spread", "--plugin", str(file)]) == 0
    names = [column.name for column in on_terminal()]
    assert names.index("steering_regret") < names.index("spread") < names.index("train_steps")


def test_several_files_one_after_another(file: Path, site: Path) -> None:
    offer = OBJECTIVE + 'paretosteer_plugins = {"objectives": {"calm": CALM}}\n'
    (site / "calm.py").write_text(offer)
    words = ["--plugin", str(file), "list", "objectives", "--plugin", str(site / "calm.py")]
    assert main(words) == 0
    assert os.environ[single_files.VARIABLE] == f"{file}{os.pathsep}{site / 'calm.py'}"
    chosen = ["benchmark.objectives=[calm,varied]", "method=sharp"]
    found = used(compose_cell(chosen))
    assert [(offer.name, offer.origin) for offer in found] == [
        ("sharp", str(file)),
        ("calm", str(site / "calm.py")),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, ": cannot be read (No such file or directory); pass a Python file"),
        ("x = 1\ndef f(:\n", ", line 2: SyntaxError: invalid syntax; fix the file"),
        ("\n\nimport no_such\n", ", line 3: ModuleNotFoundError: No module named 'no_such'; fix"),
        ("def f():\n    1 / 0\nf()\n", ", line 2: ZeroDivisionError: division by zero; fix"),
        ("raise SystemExit(0)\n", ", line 1: SystemExit: sys.exit(0) was called; fix"),
        ("\0", ": "),
        ("x = 1\n", ": offers nothing; add a line such as paretosteer_plugins = {"),
        ("paretosteer_plugins = {'methods': {}}\n", ": offers nothing; add a line"),
        ("paretosteer_plugins = {'method': {'a': 1}}\n", "; did you mean 'methods'?"),
        ("paretosteer_plugins = {'methods': {'a': 1}}\n", ": method 'a' is not a class"),
        (
            "paretosteer_plugins = {'metrics': {'../a': 1}}\n",
            ": metric '../a' is not a valid name; use",
        ),
        (
            "paretosteer_plugins = {'objectives': {'a': len}}\n",
            "is not a paretosteer.objective.TextObjective",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_and_exit_code_2(
    site: Path, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = site / "bad.py"
    if text is not None:
        path.write_text(text)
    assert main(["list", "methods", "--plugin", str(path)]) == 2
    told = capsys.readouterr()
    (line,) = told.err.splitlines()
    assert line.startswith(f"paretosteer: --plugin: {path}") and said in line and not told.out


def test_a_file_that_offers_the_name_of_ours_is_refused(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site / "own.py").write_text(METHOD.lstrip() + METRIC + OFFER.replace('"sharp"', '"clp"'))
    assert main(["list", "methods", "--plugin", str(site / "own.py")]) == 2
    said = (
        f"--plugin: method 'clp' of {site / 'own.py'}: a built-in method has this name; rename it"
    )
    assert capsys.readouterr().err == f"paretosteer: {said}\n"


def test_a_path_that_a_list_of_paths_cannot_hold_is_refused(site: Path) -> None:
    with pytest.raises(UsageError, match="its path contains ':'; move the file"):
        single_files.add([str(site / "a:b.py")])


def test_what_a_cell_lacks_is_named_with_the_remedy(site: Path) -> None:
    message = "out: needs the method 'sharp' of mine 1.0; install mine 1.0"
    with pytest.raises(UsageError, match=message):
        need(Path("out"), {"method sharp": "mine 1.0"})
    with pytest.raises(UsageError, match="the spell 'x' of mine"):
        need(Path("out"), {"spell x": "mine 1.0"})
    need(Path("out"), {"method clp": "mine 1.0"})
    need(Path("out"), {})


def test_a_changed_file_is_other_code(file: Path) -> None:
    single_files.add([str(file)])
    digests = []
    for _ in range(2):
        single_files._read.cache_clear()
        found = used(compose_cell(["method=sharp", "benchmark=bandit"]))
        digests.append(provenance.source_digest(found))
        file.write_text(file.read_text() + "# changed\n")
    own = provenance.source_digest(used(compose_cell(["method=clp"])))
    assert own == provenance.source_digest()
    assert len({own, *digests}) == 3


@pytest.mark.parametrize(
    ("imports", "edited"),
    [
        ("import own_tools", "own_tools.py"),
        ("from own_tools import ONE", "own_tools.py"),
        ("import own_tools", "own_more.py"),  # which own_tools imports
        ("from own_package.inner import ONE", "own_package/inner.py"),
        ("import importlib\nimportlib.import_module('own_tools')", "own_tools.py"),
        ("__import__('own_package.inner')", "own_package/inner.py"),
    ],
)
def test_changed_module_of_a_file_is_other_code(
    file: Path, imports: str, edited: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file.parent / "own_package").mkdir()
    for name in ("own_more", "own_package/__init__", "own_package/inner"):
        (file.parent / f"{name}.py").write_text("ONE = 1\n")
    (file.parent / "own_tools.py").write_text("def one():\n    import own_more\n\nONE = 1\n")
    (file.parent / "unrelated.py").write_text("ONE = 1\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    start = f"import sys, numpy\nsys.path.insert(0, {str(file.parent)!r})\n{imports}\n"
    file.write_text(file.read_text() + start)
    digests = []
    for change in (None, "unrelated.py", edited):
        if change:
            (file.parent / change).write_text("ONE = 1  # and two\n")
        single_files._read.cache_clear()
        digests.append(single_files.add([str(file)])[0].digest)
        for name in [name for name in sys.modules if name.startswith("own_")]:
            del sys.modules[name]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("inside", [False, True])
def test_a_file_imports_a_module_beside_it(
    file: Path, inside: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    tools = file.with_name("own_tools.py")
    tools.write_text("ONE = 1\n")
    start = "from own_tools import ONE\n"
    start = f"def one():\n    {start}" if inside else start
    file.write_text(file.read_text() + start)
    single_files._read.cache_clear()
    assert "own_tools.py" in single_files.add([str(file)])[0].own
    sys.modules.pop("own_tools", None)


@pytest.mark.parametrize("name", ["numpy", "own_tools", "string"])
def test_a_module_beside_a_file_that_is_not_the_imported_one(
    file: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed, of Python, or beside another plug-in."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    first = tmp_path / "first"
    first.mkdir()
    (first / "own_tools.py").write_text("ONE = 2\n")
    monkeypatch.syspath_prepend(first)
    file.with_name(f"{name}.py").write_text("ONE = 1\n")
    file.write_text(file.read_text() + f"import {name}\n")
    single_files._read.cache_clear()
    with pytest.raises(
        UsageError, match=f"'{name}' is not the one beside it, but .*{name}.*; rename"
    ):
        single_files.add([str(file)])
    sys.modules.pop("own_tools", None)


@pytest.mark.parametrize(
    ("helpers", "source", "name"),
    [
        (["own_lib/w.py"], "from own_lib import w\n", "own_lib"),  # without __init__.py
        (["own_lib/w.py"], "def one():\n    import own_lib.w\n", "own_lib"),
        (["own_words.py", "own_{}.py"], "def one():\n    import own_{}\n", "own_words"),
        (["own_words.py", "own_{}/__init__.py"], "import own_{}\n", "own_words"),
        (["own_words.py", "own_{}/core.py"], "import own_{}.core\n", "own_words"),
    ],
)
def test_modules_of_two_files_with_one_name(
    site: Path, monkeypatch: pytest.MonkeyPatch, helpers: list[str], source: str, name: str
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    for place in ("one", "two"):
        for helper in helpers:
            path = site / place / helper.format(place)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("def late():\n    import own_words\n" if "{}" in helper else "")
        offer = METRIC.replace('"spread"', f'"{place}"')
        offer += f'paretosteer_plugins = {{"metrics": {{"{place}": SPREAD}}}}\n'
        (site / place / f"{place}.py").write_text(source.format(place) + offer)
    single_files.add([str(site / "one" / "one.py")])
    with pytest.raises(UsageError, match=f"'{name}' is not the one beside it, but .*one/{name}"):
        single_files.add([str(site / "two" / "two.py")])


def test_two_files_share_a_package_without_an_init(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    for place in ("one", "two"):
        (site / place / "own_company").mkdir(parents=True)
        (site / place / "own_company" / f"{place}_words.py").write_text("")
        offer = METRIC.replace('"spread"', f'"{place}"')
        offer += f'paretosteer_plugins = {{"metrics": {{"{place}": SPREAD}}}}\n'
        start = f"from own_company import {place}_words\n"
        (site / place / f"{place}.py").write_text(start + offer)
    assert len(single_files.add([str(site / each / f"{each}.py") for each in ("one", "two")])) == 2


@pytest.mark.parametrize("name", ["numpy", "paretosteer"])
def test_a_folder_beside_a_file_with_the_name_of_an_installed_package(
    file: Path, name: str
) -> None:
    (file.parent / name).mkdir()
    (file.parent / name / "prepare.py").write_text("import string\n")
    file.write_text(file.read_text() + f"import {name}\n")
    single_files._read.cache_clear()
    assert single_files.add([str(file)])


@pytest.mark.parametrize(
    ("source", "edited"),
    [
        ('WORDS = Path(__file__).with_name("words.json").read_text()', "words.json"),
        ('WORDS = (Path(__file__).parent / "data" / "words.json").read_text()', "data/words.json"),
        (
            'D = Path(__file__).parent / "data"\nWORDS = (D / "words.json").read_text()',
            "data/words.json",
        ),
        ('WORDS = open(os.path.join("data", "words.json")).read()', "data/words.json"),
        ('WORDS = open(file="data/words.json").read()', "data/words.json"),
        ('WORDS = (Path(__file__).parents[1] / "above.json").read_text()', "../above.json"),
        ('WORDS = (Path(__file__).parent.parent / "above.json").open().read()', "../above.json"),
        ('WORDS = open(str(Path(__file__).parent) + "/words.json").read()', "words.json"),
        ('HERE = Path(__file__).parent\nWORDS = open(f"{{HERE}}/words.json").read()', "words.json"),
        ('WORDS = Path("~/words.json").expanduser().read_text()', "words.json"),
        ('WORDS = Path("{folder}/words.json").read_text()', "words.json"),
        ("from own_tools import WORDS", "words.json"),
    ],
)
def test_changed_data_file_of_a_plug_in_is_other_code(
    file: Path, source: str, edited: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = file.parent
    (folder / "data").mkdir()
    for name in ("words.json", "data/words.json", "other.json", "log.txt", "../above.json"):
        (folder / name).write_text("[1]")
    reads = 'from pathlib import Path\nWORDS = Path(__file__).with_name("words.json").read_text()\n'
    (folder / "own_tools.py").write_text(reads)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    writes = 'open("log.txt", "a").close()\n(Path(__file__).parent / "log.txt").write_text("")\n'
    start = f"import os\nfrom pathlib import Path\n{source.format(folder=folder)}\n{writes}"
    file.write_text(file.read_text() + start)
    digests = []
    for change in (None, "other.json", "log.txt", edited):
        if change:
            (folder / change).write_text("[1, 2]")
        single_files._read.cache_clear()
        digests.append(single_files.add([str(file)])[0].digest)
        sys.modules.pop("own_tools", None)
    assert digests[0] == digests[1] == digests[2] != digests[3]


def test_a_data_file_that_is_edited_while_it_is_in_use(file: Path) -> None:
    words, tools = file.with_name("words.json"), file.with_name("own_tools.py")
    words.write_text("[1]")
    tools.write_text("ONE = 1\n")
    file.write_text(file.read_text() + 'def words():\n    return open("{words}").read()\n')
    file.write_text(file.read_text().replace("{words}", str(words)))
    single_files._read.cache_clear()
    single_files.add([str(file)])
    file.write_text(file.read_text() + "# edited\n")  # it was executed before
    tools.write_text("ONE = 2\n")
    plan = plan_cell(compose_cell(["method=sharp", "benchmark=bandit"]))
    plan.check_inputs()
    words.write_text("[1, 2]")
    with pytest.raises(UsageError, match=r"sharp\.py: a data file that it names has been edited"):
        plan.check_inputs()


@pytest.mark.slow
def test_workers_see_the_file_and_the_record_names_it(
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    board = Path("out/report/leaderboard.md")
    code = "import sys; from paretosteer.commands.main import main; sys.exit(main(sys.argv[1:]))"
    cells = ["method=sharp,start", "benchmark=bandit", "budget=smoke", "sweep_dir=out"]
    words = ["sweep", "--plugin", str(file), *cells]
    subprocess.run([sys.executable, "-c", code, *words, "launcher=joblib"], check=True)
    (path,) = Path().glob("out/bandit/sharp/*/record.json")
    record = json.loads(path.read_text())
    assert record["plugins"] == {"method sharp": str(file)}
    assert record["command"].endswith(f" --plugin {file}")
    assert "| spread ↑ |" in board.read_text()
    assert "different source code" not in board.read_text()

    assert main(["report", "out"]) == 0  # from what is on disk
    assert "spread" not in board.read_text()
    capsys.readouterr()
    assert main(["sample", str(path.parent), "--preference", "1,0", "--prompt", "x"]) == 2
    assert capsys.readouterr().err == (
        f"paretosteer: {path.parent}: needs the method 'sharp' of {file}; pass --plugin {file}\n"
    )

    cell = next(iter(validate(path.parent)))
    assert cell.word == "trusted"
    note = (
        f"cannot be computed again here: needs the method 'sharp' of {file}; pass --plugin {file}"
    )
    assert note in cell.notes

    file.write_text(file.read_text() + "# changed\n")
    assert main([*words, "seed=0,1"]) == 0
    assert len(list(Path().glob("out/bandit/sharp/seed0-*"))) == 2  # another file, another cell


def test_a_cell_restored_by_other_code_says_so(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    single_files.add([str(file)])
    words = ["method=sharp", "benchmark=bandit", "budget=smoke", "budget.steps=1"]
    words += ["preferences.divisions=2", f"sweep_dir='{tmp_path / 'out'}'"]
    assert run_one(PlannedCell.of(compose_cell(words))).status == "ok"
    capsys.readouterr()
    restore_cell(tmp_path / "out")
    assert "note:" not in capsys.readouterr().err
    file.write_text(file.read_text() + "# edited\n")
    single_files._read.cache_clear()
    restore_cell(tmp_path / "out")
    assert f"note: {file} or paretosteer has changed since the cell" in capsys.readouterr().err
