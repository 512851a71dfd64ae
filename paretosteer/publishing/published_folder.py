"""Copy finished cells into a folder that others can read, with a report and a dataset card.

Everything is copied but checkpoints, so `paretosteer report` reads the folder like a sweep's.
"""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from paretosteer.cells.cell import Cell, find_cells
from paretosteer.cells.record import RECORD, ScoredRecord
from paretosteer.cells.state import STATE
from paretosteer.errors import UsageError
from paretosteer.publishing.dataset_card import CARD, card, is_card
from paretosteer.publishing.every_eval_ever import every_eval_ever
from paretosteer.report.report_folder import SUMS, sums, write_files
from paretosteer.report.write import write_report
from paretosteer.runtime.progress import say
from paretosteer.storage.atomic import remove, write_json
from paretosteer.storage.untrusted import RefusedError, digest, inside

CELLS = "cells"
EVERY_EVAL_EVER = "data"  # the name that its validator expects
_CHECKPOINT = "checkpoint/"
_SAMPLES = "samples.jsonl"


def publish(
    dirs: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    organization: str = "unknown",
    samples: bool = True,
    license: str | None = None,
) -> Path:
    """Publish all cells at or below some folders; gives the folder.

    The folder holds

    - `README.md`, a dataset card with the leaderboard,
    - the files of `paretosteer report`, with `index.html` at the top,
    - `cells/`, every cell without its checkpoint,
    - `data/`, every scored row in the form of Every Eval Ever.

    Parameters
    ----------
    dirs
        Folders that sweeps wrote, or folders that were published.
    out
        New or empty folder, or one that was published before, which is replaced.
    organization
        Who provides the results, for Every Eval Ever.
    samples
        Whether to publish the texts that methods wrote, and the prompts.
    license
        Licence of the results by its name on the hub, such as `cc-by-4.0`, for the card.

    Raises
    ------
    UsageError
        If a folder does not exist or holds no cell, `out` holds something else, two cells have one
        name, a file is not the one that was recorded, or the licence is not a name such as
        cc-by-4.0.
    """
    folder = Path(out)
    if license is not None and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", license):
        raise UsageError(
            f"--license: found {license!r}; use the hub's identifier of a licence, such as "
            "cc-by-4.0"
        )
    cells = _recorded(find_cells(*dirs))
    _prepare(folder, [Path(each) for each in dirs])
    for cell in cells:
        _copy(cell, folder / CELLS, samples)
    report = write_report([folder / CELLS], out=folder)
    published = find_cells(folder / CELLS)
    for name, log in every_eval_ever(report.leaderboard, published, organization).items():
        write_json(folder / EVERY_EVAL_EVER / name, log)
    (folder / CARD).write_text(card(folder, published, license), encoding="utf-8")
    _add_sums(folder)
    return folder


def _add_sums(folder: Path) -> None:
    """Add the files that are not the report's to its digests, by which `validate` checks them."""
    files = [folder / CARD, *sorted((folder / EVERY_EVAL_EVER).rglob("*.json"))]
    contents = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
    of_report = (folder / SUMS).read_bytes()
    write_files(folder, {SUMS: of_report + sums(contents).encode()})


def _recorded(cells: Sequence[Cell]) -> list[Cell]:
    """Cells with a readable record; says which others there are."""
    for cell in cells:
        if not cell.record:
            say(f"{cell.path}: not published: {cell.reason}")
    recorded = [cell for cell in cells if cell.record]
    if not recorded:
        raise UsageError("no cell has a readable record; finish the sweep, then publish it")
    return recorded


def _prepare(folder: Path, sources: Sequence[Path]) -> None:
    """Make the folder, and empty it if it was published before."""
    own = folder.resolve()
    for source in sources:
        inner = source.resolve()
        if own == inner or own in inner.parents or inner in own.parents:
            raise UsageError(
                f"--out: {folder} and {source} contain each other; give a folder elsewhere"
            )
    if folder.exists():
        if not folder.is_dir():
            raise UsageError(f"--out: {folder} is a file; give a folder")
        if any(folder.iterdir()) and not is_card(folder / CARD):
            raise UsageError(
                f"--out: {folder} is not empty and was not written by publish; give a new folder"
            )
        for name in (CELLS, EVERY_EVAL_EVER):
            remove(folder / name)
    folder.mkdir(parents=True, exist_ok=True)
    # First and last: a folder that was left unfinished can be published again.
    (folder / CARD).write_text(card(folder, []), encoding="utf-8")


def _copy(cell: Cell, cells: Path, samples: bool) -> None:
    """Copy the record and the files that it names, after checking their digests."""
    record = cell.record
    assert record
    target = cells / record.benchmark.name / record.method / f"seed{record.seed}-{record.identity}"
    if target.exists():
        if digest(target, RECORD) == digest(cell.path, RECORD):
            return
        raise UsageError(
            f"{cell.path}: another cell is named {target.name}; publish the two folders separately"
        )
    target.mkdir(parents=True)
    files = record.files if isinstance(record, ScoredRecord) else {}
    # Only a cell that was published before, which has no stages, may lack its samples.
    published = not os.path.lexists(cell.path / STATE)
    without = not samples or (published and not os.path.lexists(cell.path / _SAMPLES))
    for name, recorded in files.items():
        if name.startswith(_CHECKPOINT) or (name == _SAMPLES and without):
            continue
        try:
            found = digest(cell.path, name)
            source = inside(cell.path, name)
        except RefusedError as refused:
            raise UsageError(f"{cell.path}: {refused}; run the cell again") from None
        if found != recorded:
            raise UsageError(
                f"{cell.path}: {name} is not the file that was recorded (its digest differs); run "
                "the cell again"
            )
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / name)
    shutil.copyfile(inside(cell.path, RECORD), target / RECORD)
