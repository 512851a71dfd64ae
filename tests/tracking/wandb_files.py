"""Content of an offline run, read with wandb's own reader."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class OfflineRun:
    """A run's folder and the records of its transaction log."""

    folder: Path
    records: list[dict[str, Any]]

    @property
    def about(self) -> dict[str, Any]:
        """Id, group, name, configuration."""
        return self.of_type("run")[0]

    @property
    def config(self) -> dict[str, Any]:
        """Configuration given when the run began."""
        return self.about["config"]["update"]

    @property
    def charts(self) -> list[str]:
        """Custom charts that the run defines."""
        mark = "_wandb.visualize."
        keys = [key for each in self.of_type("config") for key in each["update"]]
        return sorted(key.removeprefix(mark) for key in keys if key.startswith(mark))

    @property
    def history(self) -> list[dict[str, Any]]:
        """Rows by step, without what depends on the clock."""
        clock = ("_runtime", "_timestamp")
        return [
            {k: v for k, v in each["item"].items() if k not in clock}
            for each in self.of_type("history")
        ]

    @property
    def summary(self) -> dict[str, Any]:
        """The last value of everything."""
        return {k: v for each in self.of_type("summary") for k, v in each["update"].items()}

    @property
    def artifacts(self) -> dict[str, list[str]]:
        """Type of artifact to the files in all of that type."""
        found: dict[str, list[str]] = {}
        for each in self.of_type("artifact"):
            files = [entry["path"] for entry in each["manifest"]["contents"]]
            found.setdefault(each["type"], []).extend(files)
        return found

    def table(self, key: str) -> dict[str, Any]:
        """Columns and data of a table that was logged."""
        (path,) = {row[f"{key}.path"] for row in self.history if f"{key}.path" in row}
        return json.loads((self.folder / "files" / path).read_text())

    def of_type(self, name: str) -> list[Any]:
        return [record[name] for record in self.records if record["type"] == name]


def offline_runs(folder: Path) -> dict[str, OfflineRun]:
    """Every offline run in the `wandb` folder of a folder, by id."""
    found = [_read(path) for path in sorted((folder / "wandb").glob("offline-run-*"))]
    runs = {run.about["run_id"]: run for run in found}
    assert len(runs) == len(found), "two runs of one id"
    return runs


def only_run(folder: Path) -> OfflineRun:
    (run,) = offline_runs(folder).values()
    return run


def _read(folder: Path) -> OfflineRun:
    (log,) = folder.glob("run-*.wandb")
    words = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(log)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return OfflineRun(folder, [json.loads(line) for line in done.stdout.splitlines()])
