"""`paretosteer plan`, and the smallest difference that a report says it could find."""

from pathlib import Path

import pytest
from report_cells import GRID, concave, moved, only, write_cell

from paretosteer.commands.main import main
from paretosteer.report import write_report
from paretosteer.report.outputs.notes import notes


def test_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(3):
        write_cell(tmp_path, "clp", moved(0.1 * seed), grid=GRID, noise=0.3, seed=seed)
        write_cell(tmp_path, "morl", moved(-0.2 * seed**2), grid=GRID, noise=0.3, seed=seed)
    assert main(["plan", str(tmp_path), "--detect", "0.3"]) == 0
    shown = capsys.readouterr().out
    assert "clp and morl" in shown
    assert "Detecting 0.3 needs" in shown and "from 3 seeds, which is few" in shown
    assert main(["plan", str(tmp_path), "--detect", "-1"]) == 2


def test_one_seed_is_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for method in ("clp", "morl"):
        write_cell(tmp_path, method, moved(0.1), grid=GRID, noise=0.3)
    assert main(["plan", str(tmp_path), "--detect", "0.3"]) == 2
    assert "the variance between seeds is unknown" in capsys.readouterr().err


def test_a_report_says_what_it_could_have_found(tmp_path: Path) -> None:
    for method, by in (("clp", 0.1), ("morl", 0.0)):
        write_cell(tmp_path, method, moved(by), grid=GRID, noise=0.3)
    (found,) = [note for note in notes(only(tmp_path)) if "could have detected" in note]
    assert "80 % power" in found and "these seeds" in found


def test_a_command_in_a_note_is_code_between_spaces(tmp_path: Path) -> None:
    for name in ("clp", "morl"):
        write_cell(tmp_path, name, concave(2.0))
    table = (write_report([tmp_path]).folder / "leaderboard.md").read_text(encoding="utf-8")
    assert ". `paretosteer plan` estimates" in table
