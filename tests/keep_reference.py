"""Keep of a sweep what the repository shows: its report, one figure, every record, and the cells.

The cells are in an archive without their checkpoints, so that the report can be made again, by
newer code, without the sweep.
"""

import argparse
import contextlib
import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from paretosteer import load_cells
from paretosteer.report import write_report

REPORT = ("index.html", "leaderboard.csv", "leaderboard.md")
CELLS = "cells.tar.xz"
_MEASURED = (
    "config.yaml",
    "record.json",
    "scores.parquet",
    "drift.parquet",
    "judge.parquet",
    "samples.jsonl",
    "training.csv",
)


def keep(sweep: Path, folder: Path) -> None:
    """Keep a sweep's records, cells and report in `folder`, in place of an earlier sweep's."""
    records = folder / "records"
    shutil.rmtree(records, ignore_errors=True)
    records.mkdir(parents=True)
    for path in load_cells(sweep)["path"]:
        cell = Path(path)
        place = records / f"{cell.parent.name}-{cell.name}"
        place.mkdir()
        shutil.copyfile(cell / "record.json", place / "record.json")
    pack(sweep, folder / CELLS)
    keep_report(folder, REPORT)


def pack(sweep: Path, archive: Path) -> None:
    """Archive what was measured of every cell: the same bytes for the same cells."""
    with tarfile.open(archive, "w:xz", preset=9) as packed:
        for path in sorted(map(Path, load_cells(sweep)["path"])):
            for name in _MEASURED:
                if (path / name).exists():
                    packed.add(path / name, (path / name).relative_to(sweep), filter=_plain)


def keep_report(folder: Path, names: Iterable[str]) -> None:
    """Make the report of a folder's archived cells, and keep some of its files."""
    folder = folder.resolve()
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):  # pages show paths
        report = write_report([unpack(folder / CELLS, Path())]).folder
        for name in names:
            shutil.copyfile(report / name, folder / name)
        shutil.copyfile(report / "figures" / "fronts-1.png", folder / "fronts.png")


def unpack(archive: Path, folder: Path) -> Path:
    """Folder `cells` with the archived cells."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder / "cells", filter="data")
    return folder / "cells"


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sweep", type=Path, help="keep this one; otherwise the archived cells")
    arguments = parser.parse_args()
    if arguments.sweep:
        keep(arguments.sweep, arguments.folder)
    else:
        keep_report(
            arguments.folder, [each for each in REPORT if (arguments.folder / each).exists()]
        )
