"""Checks of the results of a plug-in package that `tests/plugin.sh` left behind."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import steerlab

import paretosteer


def record(folder: Path) -> dict[str, Any]:
    """The only record below a folder."""
    (path,) = folder.rglob("record.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def main(ran: Path) -> None:
    """Check records, report and messages."""
    assert all(Path(p.__file__).is_relative_to(sys.prefix) for p in (paretosteer, steerlab))
    sweep = ran / "results" / "contrast"
    sharp, soup = (record(sweep / "duo" / name) for name in ("sharp", "rewarded_soup"))
    assert sharp["status"] == soup["status"] == "ok"
    assert sharp["benchmark"] == {"name": "duo", "version": "2"}
    assert sharp["config"]["benchmark"]["actions"] == 6
    assert sharp["config"]["method"]["power"] == 2.0
    assert sharp["plugins"] == {"method sharp": "steerlab 0.3", "benchmark duo": "steerlab 0.3"}
    assert soup["plugins"] == {"benchmark duo": "steerlab 0.3"}
    assert sharp["versions"]["steerlab"] == "0.3"

    with (sweep / "report" / "leaderboard.csv").open() as file:
        assert all(float(row["spread"]) > 0 for row in csv.DictReader(file))
    assert "| spread ↑ |" in (sweep / "report" / "leaderboard.md").read_text()
    assert "mean range of the objectives" in (sweep / "report" / "index.html").read_text()

    calm = record(ran / "results" / "calm")
    assert [each["name"] for each in calm["objectives"]] == ["calm", "varied"]
    assert calm["plugins"] == {"objective calm": "steerlab 0.3"}

    assert "A contrast dial against the soup" in (ran / "experiments").read_text()
    broken = "method 'broken' (steerlab.broken of steerlab 0.3) cannot be imported: "
    broken += "ModuleNotFoundError: No module named 'no_such_library'"
    # Nothing imports a plug-in that no cell uses. Whoever asks for it is told, and so is `doctor`.
    assert "steerlab.broken" not in (ran / "told").read_text()
    assert broken in (ran / "doctor").read_text()
    (refused,) = (ran / "refused").read_text().splitlines()
    assert refused.startswith(f"paretosteer: {broken}")
    print("the package's method, benchmark, objective, metric and experiment work")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
