"""The report of a made-up sweep, file by file, against what it was when somebody last looked.

After a change that is meant: PARETOSTEER_WRITE_GOLDEN=1 pytest tests/report, and read the diff.
"""

import os
import re
from pathlib import Path

import pytest

from paretosteer.report import Report

GOLDEN = Path(__file__).parent / "golden"
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[-+]?\d+)?")


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("leaderboard.csv", 1e-5),
        ("report.json", 1e-5),
        ("leaderboard.md", 0.0101),  # the last digit written
        ("leaderboard.tex", 0.0101),
    ],
)
def test_golden(report: Report, sweep: Path, name: str, tolerance: float) -> None:
    made = (report.folder / name).read_text(encoding="utf-8").replace(str(sweep), "SWEEP")
    golden = GOLDEN / name
    if os.environ.get("PARETOSTEER_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(made, encoding="utf-8")
    expected = golden.read_text(encoding="utf-8")
    assert NUMBER.sub("#", made) == NUMBER.sub("#", expected)
    assert numbers(made) == pytest.approx(numbers(expected), rel=1e-4, abs=tolerance)


def numbers(text: str) -> list[float]:
    return [float(number) for number in NUMBER.findall(text)]
