"""The walk through the code in docs/architecture.md is what a sweep does."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType

from paretosteer.commands.main import main

DOCUMENT = Path(__file__).parent.parent / "docs" / "architecture.md"
HOP = re.compile(r"^\| \d+ \| `(?P<file>[\w/]+\.py):(?P<function>[\w.]+)` \|", re.MULTILINE)


def test_a_sweep_calls_what_the_walk_names_in_its_order(tmp_path: Path) -> None:
    hops = HOP.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert 10 < len(hops) <= 15
    waiting = list(hops)

    def see(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and waiting:
            file, function = waiting[0]
            code = frame.f_code
            if code.co_qualname == function and code.co_filename.endswith(f"/{file}"):
                waiting.pop(0)

    small = ("benchmark=bandit", "budget=smoke", "budget.steps=2", "preferences.divisions=1")
    sys.setprofile(see)
    try:
        code = main(["sweep", "method=clp", *small, f"sweep_dir={tmp_path}"])
    finally:
        sys.setprofile(None)
    assert code == 0
    assert waiting == []
    assert (tmp_path / "report" / "leaderboard.csv").is_file()
