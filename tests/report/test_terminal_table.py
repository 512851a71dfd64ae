"""A table on a terminal: the column of methods stays whole, the others give way."""

from io import StringIO

import pytest
from rich.console import Console

from paretosteer.report import Report
from paretosteer.report.outputs.console import print_leaderboard
from paretosteer.report.outputs.terminal_table import TextColumn, fitted

LABELS = ["cos_dpo (by weight, masked)", "clp"]
COLUMNS = [
    TextColumn("hypervolume", ["10.27 [9.62, 10.65]"] * 2, ["10.27"] * 2),
    TextColumn("controllability", ["0.93"] * 2),
    TextColumn("steering regret", ["0.021"] * 2),
    TextColumn("steps", ["120"] * 2),
    TextColumn("KL", ["7.97"] * 2),
    TextColumn("seeds", ["1"] * 2),
    TextColumn("status", ["ok", "failed"], left=True),
]


def drawn(width: int, kept: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
    """Lines of the table at a width, and the headings it lacks."""
    console = Console(file=StringIO(), width=width, force_terminal=True, color_system=None)
    table, missing = fitted(console, "Table 1", LABELS, COLUMNS, kept)
    console.print(table)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return text.splitlines(), missing


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_every_row_is_one_line_with_its_method_and_fits(width: int) -> None:
    lines, _ = drawn(width)
    assert all(len(line) <= width for line in lines)
    assert all(sum(label in line for line in lines) == 1 for label in LABELS)
    assert "…" not in "".join(lines)


def test_headings_are_stacked_then_columns_go_then_values_are_shortened() -> None:
    wide, missing = drawn(120)
    assert any("controllability   steering regret" in line for line in wide) and not missing
    narrow, missing = drawn(100)
    assert any(line.endswith("KL   seeds") for line in narrow) and missing == ["status"]
    assert "[9.62, 10.65]" in narrow[-1]
    narrowest, missing = drawn(60)
    assert "[9.62" not in narrowest[-1]
    assert missing == ["interval of hypervolume", "steps", "KL", "seeds", "status"]


def test_a_column_that_is_kept_goes_last() -> None:
    lines, missing = drawn(60, ("status",))
    assert any("failed" in line for line in lines) and "status" not in missing


def test_a_label_wider_than_the_terminal_is_cut_and_its_figure_is_not() -> None:
    lines, missing = drawn(24)
    (row,) = [line for line in lines if "cos_dpo" in line]
    assert row.startswith("cos_dpo (by we…") and row.endswith("10.27")
    assert missing == ["interval of hypervolume", *(each.heading for each in COLUMNS[1:])]


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_the_leaderboard_keeps_the_main_columns_and_names_the_others(
    width: int,
    report: Report,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))  # also through a pipe
    print_leaderboard(report)
    table, _, rest = capsys.readouterr().out.partition("terminal, but in leaderboard.md: ")
    lines = [
        line
        for line in table.splitlines()
        if not line.startswith(("warning", "report", "not shown"))
    ]
    (row,) = [line for line in lines if line.startswith("clp (full)")]
    left_out = rest.partition("\n")[0].split(", ")
    assert max(map(len, lines if rest else lines[:8])) <= width
    assert all(name not in left_out for name in ("hypervolume", "controllability", "KL"))
    assert ("[" in row) != ("interval of hypervolume" in left_out)
    assert ("[" in row) or width < 80
    assert ("ties" in table) != ("ties" in left_out)
    assert ("seeds" in table) != ("seeds" in left_out)
