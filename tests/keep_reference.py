"""Keep of a sweep what the repository shows: its report, one figure, and every record."""

import argparse
import shutil
from pathlib import Path

from paretosteer import load_cells

REPORT = ("index.html", "leaderboard.csv", "leaderboard.md")


def keep(sweep: Path, folder: Path) -> None:
    """Copy report and records of `sweep` into `folder`, in place of an earlier sweep's."""
    records = folder / "records"
    shutil.rmtree(records, ignore_errors=True)
    records.mkdir(parents=True)
    for name in REPORT:
        shutil.copyfile(sweep / "report" / name, folder / name)
    shutil.copyfile(sweep / "report" / "figures" / "fronts-1.png", folder / "fronts.png")
    for path in load_cells(sweep)["path"]:
        cell = Path(path)
        place = records / f"{cell.parent.name}-{cell.name}"
        place.mkdir()
        shutil.copyfile(cell / "record.json", place / "record.json")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sweep", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    keep(arguments.sweep, arguments.folder)
