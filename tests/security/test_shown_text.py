"""Text of strangers is shown as text: in every file of a report and on a terminal."""

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hostile import HALF, MARKUP, TERMINAL

from paretosteer.cells.record import Error, FailedRecord, UnsupportedRecord
from paretosteer.commands.arguments import table
from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.plugins import registry
from paretosteer.report import print_comparison, print_leaderboard, write_comparison, write_report
from paretosteer.report.outputs.csv_text import csv_text
from paretosteer.report.outputs.text_tables import latex_escape, markdown_escape
from paretosteer.runtime import progress
from paretosteer.runtime.terminal import line, printable
from paretosteer.sweeps import launchers, sweep
from paretosteer.sweeps.compose import compose_cell

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from report_cells import concave, write_cell, write_unscored

FORMULA = "=HYPERLINK(1)"
PAYLOADS = {
    "markup": MARKUP,
    "terminal": TERMINAL,
    "formula": FORMULA,
    "latex": r"\input{/etc/passwd}\write18{touch ran}%$^_~#&",
    "markdown": "`x` | [a](javascript:1) ![b](http://c/d) **e** ~~f~~ $g$ _h_ &lt;i&gt;",
    "rich": "[red]red[/blue] [link=http://x]y[/link] [/]",
    "format": "{0} {x} %s ${title} {{y}}",
    "null": "a\0b",
}
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def hostile_sweep(folder: Path, payload: str) -> Path:
    """A scored cell and a failed one in which every text is the payload."""
    names = (f"{payload}0", f"{payload}1")
    own = {"model": {"name": payload}, "benchmark": {"name": payload}}
    own |= {"command": payload, "notes": [payload], "device": payload, "method": payload}
    write_cell(folder, "clp", concave(2.0), variant=payload, names=names, text=payload, changes=own)
    told = {"type": payload, "message": payload, "stage": payload}
    write_unscored(folder, "morl", "failed", seed=1, error=told)
    return folder


@pytest.fixture(scope="module", params=PAYLOADS)
def reported(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A payload and the report of a sweep that is full of it."""
    payload = PAYLOADS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    write_report([hostile_sweep(folder, payload)])
    write_comparison(folder, folder)
    return payload, folder / "report"


@pytest.mark.figures
@pytest.mark.filterwarnings("ignore:constrained_layout", "ignore:Glyph")
class TestReport:
    def test_text_files_steer_no_terminal(self, reported: tuple[str, Path]) -> None:
        for name in ("leaderboard.csv", "leaderboard.md", "leaderboard.tex", "compare.md"):
            text = (reported[1] / name).read_text(encoding="utf-8")
            assert not STEERING.search(text), name

    def test_no_cell_of_a_spreadsheet_is_a_formula(self, reported: tuple[str, Path]) -> None:
        for name in ("leaderboard.csv", "compare.csv"):
            with (reported[1] / name).open(newline="", encoding="utf-8") as stream:
                cells = [cell for row in csv.reader(stream) for cell in row]
            assert len(cells) > 40
            for cell in cells:
                assert not cell.lstrip().startswith(("=", "+", "-", "@")) or float(cell) < 0

    def test_latex_has_no_command_but_its_own(self, reported: tuple[str, Path]) -> None:
        text = (reported[1] / "leaderboard.tex").read_text(encoding="utf-8")
        for command in (r"\input", r"\write", "^^"):
            assert command not in text
        for row in text.splitlines()[1:]:
            assert "%" not in re.sub(r"\\%", "", row), "the rest of the line would be a comment"

    def test_markdown_has_no_markup_but_its_own(self, reported: tuple[str, Path]) -> None:
        for name in ("leaderboard.md", "compare.md"):
            text = (reported[1] / name).read_text(encoding="utf-8")
            for markup in ("<", "`", "](", "~", "$", "_h_", "&"):
                plain = text.replace("\\\\", "").replace(f"\\{markup[0]}", "")
                assert markup not in plain.replace("\\_", ""), (name, markup)
            for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
                bars = {re.sub(r"\\.", "", row).count("|") for row in block.splitlines()}
                assert len(bars) == 1, "a bar in a text would begin another column"

    def test_the_page_is_whole(self, reported: tuple[str, Path]) -> None:
        payload, folder = reported
        page = (folder / "index.html").read_text(encoding="utf-8")
        assert page.count("<script") == 3 and page.count("</script>") == 3
        assert "<img src=x" not in page and not re.search("[\ud800-\udfff]", page)
        data = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        assert json.dumps(payload)[1:-1] in json.dumps(data)

    def test_figures_are_xml_without_scripts(self, reported: tuple[str, Path]) -> None:
        figures = sorted((reported[1] / "figures").glob("*.svg"))
        assert figures
        for figure in figures:
            root = ElementTree.fromstring(figure.read_bytes())
            tags = {each.tag.rpartition("}")[2] for each in root.iter()}
            assert not tags & {"script", "a", "image", "foreignObject"}


def test_a_console_is_not_steered(
    reported: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = reported[1].parent
    print_leaderboard(write_report([folder]))
    print_comparison(write_comparison(folder, folder))
    said = capsys.readouterr().out
    assert "hypervolume" in said and not STEERING.search(said)


@pytest.mark.figures
def test_half_a_character_spoils_no_report(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0), text=HALF)
    other = write_cell(tmp_path, "clp", concave(2.0), seed=1) / "record.json"
    other.write_text(other.read_text().replace('"variant": ""', r'"variant": "\ud800"'))
    report = write_report([tmp_path])
    assert report.counts == {"ok": 1, "unreadable": 1}
    assert r"\ud800" in report.page.read_text(encoding="utf-8")


def test_numbers_stay_numbers() -> None:
    for value in ("-1.5", "+2", "-1e-3"):
        assert csv_text(value) == value
    for value in ("=1", "-1+cmd|' /C calc'!A0", "@x", "+x", "\t=1", "\r=1", " =1", "\n-x"):
        written = io.StringIO()
        csv.writer(written).writerow([csv_text(value)])
        assert written.getvalue().lstrip('"').startswith(("'", "\\r"))


@pytest.mark.parametrize("payload", [TERMINAL, HALF, "a\nok: b", "a\0b"])
def test_all_that_is_said_is_one_plain_line(
    payload: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = compose_cell(["benchmark=bandit", "budget=smoke"])
    error = Error.model_construct(type="X", message=payload, stage="train")
    base = {"seed": 0, "identity": payload}
    failed = FailedRecord.model_construct(status="failed", error=error, **base)
    unsupported = UnsupportedRecord.model_construct(status="unsupported", reason=payload, **base)
    says: list[Callable[[], Any]] = [
        lambda: progress.say(payload),
        lambda: registry.note(payload),
        lambda: launchers.lost(RuntimeError(payload)),
        lambda: sweep.announce(failed, config, 0.0),
        lambda: sweep.announce(unsupported, config, 0.0),
        lambda: main(["report", f"{tmp_path}/{payload}".replace("\0", "")]),
        lambda: print(table(["head"], [[payload]]).splitlines()[1]),
    ]
    show = progress.stage(payload, "training", 4)
    says.append(lambda: show(1, {"phase": payload, "loss": 1.0}))
    for say in says:
        say()
        out, err = capsys.readouterr()
        assert not STEERING.search(out + err)
        assert (out + err).count("\n") == 1


def test_a_usage_error_is_one_plain_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise UsageError(f"model.path: {TERMINAL}\nsecond")

    monkeypatch.setattr("paretosteer.sweeps.compose.compose_cell", fails)
    assert main(["run"]) == 2
    said = capsys.readouterr().err
    assert not STEERING.search(said) and said.count("\n") == 1


def test_plain_text_stays_as_it_is() -> None:
    text = "Zoë 👩‍🚀 said: naïve café, 北京, مرحبا"
    assert printable(text) == line(text) == text
    assert markdown_escape("rewarded_soup (rank=4)") == "rewarded_soup (rank=4)"
    assert latex_escape("rank 4") == "rank 4"
