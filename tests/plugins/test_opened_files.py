"""Files that a plug-in reads without naming them in its source."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_packages import install
from plugin_registry import forget

from paretosteer.plugins import single_files
from paretosteer.storage import opened_files
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, run_one

OBJECTIVE = """
import functools, importlib, os, tempfile
from pathlib import Path

from paretosteer import TextObjective

BELOW = Path(__file__).parent.parent / "lists"


{reads}


def word(text):
    return float(text.count(read()))


WORD = TextObjective("word", "count", 0.0, "one word", "1", word)
paretosteer_plugins = {{"objectives": {{"word": WORD}}}}
"""
LAZY = """
@functools.cache
def read():
    name = "words"
    return {}
"""
SHARP = """
class Sharp:
    def content_key(name):
        return (BELOW / (name + ".txt")).read_text()
"""
FOUND = {
    "text of a format": LAZY.format('(BELOW / f"{name}.txt").read_text()'),
    "variable": LAZY.format('open(os.environ["LIST"]).read()'),
    "pattern": LAZY.format('next(BELOW.glob("w*")).read_bytes().decode()'),
    "descriptor": LAZY.format('os.read(os.open(BELOW / (name + ".txt"), os.O_RDONLY), 9).decode()'),
    "library": LAZY.format('str(__import__("numpy").loadtxt(BELOW / (name + ".txt"), dtype=str))'),
    "thread": LAZY.format(
        "list(__import__('concurrent.futures').futures.ThreadPoolExecutor().map("
        "lambda name: (BELOW / f'{name}.txt').read_text(), [name]))[0]"
    ),
    "database": LAZY.format("__import__('sqlite3').connect(BELOW / (name + '.txt')) and 'a'"),
    "folder": LAZY.format('str(len(list(BELOW.glob("w*.txt"))))'),
    "walk": LAZY.format("str(len(next(os.walk(BELOW))[2]))"),
    "import": 'TEXT = open(BELOW / ("words" + ".txt")).read()\ndef read():\n    return TEXT\n',
}
NOT_FOUND = {
    "named": LAZY.format('(Path(__file__).parent / "own" / "words.txt").read_text()'),
    "digested": LAZY.format('Sharp.content_key(name) and (BELOW / (name + ".txt")).read_text()')
    + SHARP,
    "its own source": LAZY.format('__import__("inspect").getsource(word)[:1]'),
    "written before": LAZY.format(
        "[(BELOW / (name + x)).write_text('a') for x in ('1', '2')] "
        "and (BELOW / (name + '1')).read_text()"
    ),
}


@pytest.fixture
def plugin(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plug-in file, with a list in another folder."""
    monkeypatch.chdir(site)
    for folder in (site.parent / "lists", site / "own"):
        folder.mkdir()
        (folder / "words.txt").write_text("a")
    monkeypatch.setenv("LIST", str(site.parent / "lists" / "words.txt"))
    monkeypatch.setattr(opened_files, "_opened", {})
    monkeypatch.setattr(opened_files, "_accounted", set())
    return site / "word.py"


def _notes(plugin: Path, reads: str, *options: str) -> list[str]:
    plugin.write_text(OBJECTIVE.format(reads=reads))
    single_files._read.cache_clear()
    single_files.add([str(plugin)])
    return _notes_of_cell(plugin.parent.parent / "out", *options)


def _notes_of_cell(folder: Path, *options: str) -> list[str]:
    words = ["method=start", "benchmark=stories", "budget=smoke"]
    words += ["preferences.divisions=1", f"sweep_dir='{folder}'"]
    words += ["benchmark.objectives=[word,positive]", "seed=0", *options]
    record = run_one(PlannedCell.of(compose_cell(words)))
    assert record is not None and record.status == "ok", record
    return [note for note in record.notes if "it does not name in its source" in note]


@pytest.mark.parametrize("reads", FOUND.values(), ids=FOUND)
def test_a_file_whose_path_is_computed_is_noted(plugin: Path, reads: str) -> None:
    words = plugin.parent.parent / "lists" / "words.txt"
    (note,) = _notes(plugin, reads)
    assert note.startswith(f"{plugin} reads {words.parent}")
    assert str(words) in note or "len(" in reads


@pytest.mark.parametrize("reads", NOT_FOUND.values(), ids=NOT_FOUND)
def test_files_that_are_known_or_its_own_are_not_noted(plugin: Path, reads: str) -> None:
    assert not _notes(plugin, reads)


def test_cells_without_the_plug_in_are_not_noted(plugin: Path) -> None:
    assert _notes(plugin, FOUND["import"])
    assert not _notes(plugin, FOUND["import"], "benchmark.objectives=[varied,positive]")


@pytest.mark.parametrize("inside", [True, False])
def test_a_package_that_opens_files_of_its_own_or_others(plugin: Path, inside: bool) -> None:
    site = plugin.parent
    place = "Path(__file__).parent" if inside else "BELOW"
    text = OBJECTIVE.format(reads=LAZY.format(f'({place} / f"{{name}}.txt").read_text()'))
    text = text.replace("parent.parent /", "parent.parent.parent /")
    entries = {"objectives": {"word": "own_words.word:WORD"}}
    install(site, "own_words", entries, {"word.py": text, "words.txt": "a"})
    forget()
    notes = _notes_of_cell(site.parent / "out")
    assert bool(notes) == (not inside)
    for note in notes:
        assert f"own_words/word.py reads {site.parent}/lists/words.txt, which" in note


def test_a_module_whose_name_is_computed_and_what_it_reads(plugin: Path) -> None:
    plugin.with_name("own_lists.py").write_text(
        "from pathlib import Path\nname = 'words'\n"
        "TEXT = (Path(__file__).parent.parent / 'lists' / f'{name}.txt').read_text()\n"
    )
    (note,) = _notes(plugin, LAZY.format('importlib.import_module("own_" + "lists").TEXT'))
    assert "own_lists.py" in note and "words.txt" in note


def test_a_later_process_keeps_the_note(plugin: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _notes(plugin, FOUND["variable"])
    (record,) = (plugin.parent.parent / "out").rglob("record.json")
    record.unlink()  # as if the run was stopped before the report
    code = (
        "import sys; sys.argv[0] = 'paretosteer'\n"
        "from paretosteer.commands.main import main; sys.exit(main(sys.argv[1:]))"
    )
    words = ["run", "--plugin", str(plugin), "method=start", "benchmark=stories", "budget=smoke"]
    words += ["preferences.divisions=1", f"sweep_dir='{record.parents[3]}'"]
    words += ["benchmark.objectives=[word,positive]"]
    subprocess.run([sys.executable, "-c", code, *words], check=True)
    assert "words.txt" in record.read_text()
    words = plugin.parent.parent / "lists" / "words.txt"
    capfd.readouterr()
    _notes(plugin, FOUND["variable"])
    assert "Made with" not in capfd.readouterr().err
    words.write_text("the")
    _notes(plugin, FOUND["variable"])
    said = capfd.readouterr().err
    assert (
        f"finished before, reused\nstart seed 0: note: Made with an earlier {words}, and reused"
        in said
    )


VARIABLES = {
    "computed": 'os.environ.get("SCA" + "LE")',
    "subscript": "os.environ[chr(83) + 'CALE']",
    "expanded": 'os.path.expandvars("$SCALE")',
    "function": 'os.getenv("_SCALE"[1:])',
}


@pytest.mark.parametrize("reads", VARIABLES.values(), ids=VARIABLES)
def test_variables_whose_name_is_computed_are_noted(
    plugin: Path, reads: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCALE", "a")
    reads = f"def read():\n    return {reads}\n"
    (note,) = _notes(plugin, reads)
    assert note.startswith(f"{plugin} reads $SCALE, which it does not name")
    assert "Made with" not in capfd.readouterr().err
    monkeypatch.setenv("SCALE", "the")
    _notes(plugin, reads)
    assert "note: Made with an earlier $SCALE, and reused" in capfd.readouterr().err
    units = _notes(plugin, reads, "seed=1")
    assert units
    (other,) = (plugin.parent.parent / "out").rglob("seed1-*/record.json")
    notes = json.loads(other.read_text())["notes"]
    assert any("an earlier $SCALE, and reused from the cache:" in note for note in notes)


ALL = {
    "items": "[v for k, v in os.environ.items() if k.startswith('SCAL')][0]",
    "keys": "[os.environ[k] for k in os.environ if k.startswith('SCAL')][0]",
    "dict": "dict(os.environ)['SCALE']",
    "copy": "os.environ.copy()['SCALE']",
    "unpacked": "{**os.environ}['SCALE']",
}


@pytest.mark.parametrize("reads", ALL.values(), ids=ALL)
def test_going_through_all_variables_is_one_entry(
    plugin: Path, reads: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCALE", "a")
    (note,) = _notes(plugin, f"def read():\n    return {reads}\n")
    assert note.startswith(f"{plugin} reads $*, ") and note.count("$") <= 2
    monkeypatch.setenv("NO_PROXY", "other")
    capfd.readouterr()
    _notes(plugin, f"def read():\n    return {reads}\n")
    assert "Made with" not in capfd.readouterr().err


def test_names_that_others_went_through_are_still_seen(
    plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALE", "a")
    assert not _notes(plugin, "def read():\n    return 'a'\n")
    assert "SCALE" in set(os.environ)
    (note,) = _notes(plugin, 'def read():\n    return os.environ["SCA" + "LE"]\n')
    assert "$SCALE" in note


def test_variables_that_are_known_or_of_the_machine_are_not_noted(
    plugin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALE", "a")
    for reads in (
        'os.environ["SCALE"]',
        'os.environ.get("HO" + "ME") and "a"',
        'os.environ.get("API" + "_KEY") or "a"',
        '__import__("urllib.request").request.getproxies() and "a" or "a"',
        'os.environ.update({"OWN" + "_A": "a"}) or os.environ["OWN" + "_A"]',
    ):
        assert not _notes(plugin, f"def read():\n    return {reads}\n"), reads


def test_a_file_that_appears_in_a_folder_is_noted(
    plugin: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    reads = LAZY.format('"the" if any(BELOW.glob("fl*.on")) else "a"')
    lists = plugin.parent.parent / "lists"
    (note,) = _notes(plugin, reads)
    assert note.startswith(f"{plugin} reads {lists}, which")
    (lists / "flag.on").touch()
    capfd.readouterr()
    _notes(plugin, reads)
    assert f"note: Made with an earlier {lists}, and reused" in capfd.readouterr().err


def test_work_of_before_an_edit_is_noted_where_it_is_reused(plugin: Path) -> None:
    words = plugin.parent.parent / "lists" / "words.txt"
    _notes(plugin, FOUND["variable"])
    words.write_text("e")
    opened_files._opened.clear()  # as in another process
    (record,) = (plugin.parent.parent / "out").rglob("record.json")
    record.unlink()  # as if the run had been stopped
    _notes(plugin, FOUND["variable"])
    again = json.loads(record.read_text())["notes"]
    assert f"Made with an earlier {words}, and reused: train, sample, score." in again
    assert any(f"{plugin} reads {words}, which" in note for note in again)
    _notes(plugin, FOUND["variable"], "seed=1")
    (other,) = set((plugin.parent.parent / "out").rglob("record.json")) - {record}
    notes = json.loads(other.read_text())["notes"]
    assert any(f"an earlier {words}, and reused from the cache:" in note for note in notes)


def test_a_plug_in_beside_installed_packages_is_not_one_of_them(plugin: Path) -> None:
    (plugin.parent / "own_tools-1.0.dist-info").mkdir()  # as pip install --target leaves it
    assert _notes(plugin, FOUND["variable"])
