"""Files of a report, each written atomically."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from paretosteer.cells.cell import Cell, cell_folders, read_cell
from paretosteer.errors import UsageError
from paretosteer.metrics.measure import Map
from paretosteer.report.analysis.drawn_rows import focus
from paretosteer.report.analysis.evaluate_table import TableResult, evaluate
from paretosteer.report.analysis.tables import Tables, make_tables
from paretosteer.report.analysis.workers import several
from paretosteer.report.figures.all_figures import DRAWINGS, drawings, drawn_text, render
from paretosteer.report.figures.fonts import missing_note
from paretosteer.report.outputs.csv_text import csv
from paretosteer.report.outputs.leaderboard import leaderboard_frame
from paretosteer.report.outputs.notes import equal_drift_leader, warnings
from paretosteer.report.outputs.report_json import report_json
from paretosteer.report.outputs.text_tables import latex, markdown, namesake
from paretosteer.report.page.carried_texts import TEXT_BYTES
from paretosteer.report.page.page import page
from paretosteer.report.raw_reference import check_size
from paretosteer.report.report_folder import SUMS, Report, report_folder, sums, write_files
from paretosteer.runtime.progress import say, stage
from paretosteer.storage.atomic import remove_drafts
from paretosteer.storage.locks import owned


def write_report(
    dirs: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str] | None = None,
    raw_reference: Sequence[float] | None = None,
    raw_bounds: Sequence[Sequence[float]] | None = None,
    text_bytes: int = TEXT_BYTES,
) -> Report:
    """Write the report of all cells at or below some folders.

    Parameters
    ----------
    dirs
        Folders that sweeps wrote, launched by any user.
    out
        Where the report goes; by default `report` in the first folder.
    raw_reference
        (m,), reference point in raw units, for the column `hypervolume_raw`.
    raw_bounds
        (2, m), lowest and highest raw values of each objective, for the column `mip_bounded`.
    text_bytes
        Most that the sample texts on the page may take; the rest of a page is about 3 MB.

    Raises
    ------
    UsageError
        If a folder does not exist, no cell lies below them, `out` is a file, or no table has as
        many objectives as `raw_reference` or `raw_bounds` has values.
    """
    places = cell_folders(*dirs)
    folder = report_folder(dirs[0], out)
    with several(len(places)) as spread:
        reading = _Shown(spread, "reading cells", 2 * len(places))
        found = make_tables(reading(read_cell, places), reading)
        _check_reference(raw_reference, found)
        _check_bounds(raw_bounds, found)
        comparing = _Shown(spread, "comparing rows", 2 * _scored_rows(found))
        results = [evaluate(table, comparing, raw_reference, raw_bounds) for table in found.tables]
    frame = leaderboard_frame(results)
    focused = [focus(each) for each in results]
    if note := missing_note("".join(drawn_text(each) for each in focused if each.scored)):
        say(note)
    drawn = dict(_figures(focused))
    stage("report", "writing the page")
    light = {key[:2]: image for key, image in drawn.items() if key[2] == "svg"}
    contents = {
        "leaderboard.csv": _utf8(csv(frame)),
        "leaderboard.md": _utf8(markdown(results)),
        "leaderboard.tex": _utf8(latex(results)),
        "report.json": _utf8(report_json(found, results)),
        "index.html": _utf8(page(found, results, light, text_bytes)),
        **{f"figures/{name}-{table}.{form}": image for (table, name, form), image in drawn.items()},
    }
    with owned(folder, say):
        for place in (folder, folder / "figures"):
            remove_drafts(place)
        _remove_old_figures(folder / "figures", contents)
        # Last: it has the digests of all other files.
        write_files(folder, contents | {SUMS: _utf8(sums(contents))})
    return Report(
        frame,
        folder,
        folder / "index.html",
        *_account(found),
        warnings={
            each.table.number: [
                *equal_drift_leader(each),
                *namesake(each, results),
                *warnings(each),
            ]
            for each in results
        },
        damaged={
            each.table.number: {row.row.label for row in each.rows if row.damage}
            for each in results
        },
    )


def _scored_rows(found: Tables) -> int:
    return sum(bool(row.replicates) for table in found.tables for row in table.rows)


class _Shown:
    """A `map` that shows its progress as a stage of the report."""

    def __init__(self, spread: Map, name: str, total: int):
        self._spread, self._show, self._done = spread, stage("report", name, total), 0

    def __call__(self, function: Callable[[Any], Any], things: Iterable[Any]) -> Iterator[Any]:
        for each in self._spread(function, things):
            self._done += 1
            self._show(self._done, {})
            yield each


def _check_reference(
    raw_reference: Sequence[float] | None, found: Tables, name: str = "raw_reference"
) -> None:
    sizes = {len(table.setting.objectives) for table in found.tables if table.setting}
    if raw_reference is None:
        return
    if not all(map(math.isfinite, raw_reference)):
        raise UsageError(f"{name}: holds NaN or infinity; give finite numbers")
    if sizes:
        check_size(raw_reference, sizes, name, "tables")


def _check_bounds(bounds: Sequence[Sequence[float]] | None, found: Tables) -> None:
    if bounds is None:
        return
    low, high = bounds
    _check_reference(low, found, "raw_bounds")
    _check_reference(high, found, "raw_bounds")
    if len(low) != len(high) or any(b <= a for a, b in zip(low, high, strict=True)):
        raise UsageError(
            "raw_bounds: a highest value is not above its lowest; give LOW:HIGH per objective"
        )


def _utf8(text: str) -> bytes:
    """UTF-8 bytes of a text, with lone surrogates escaped."""
    return text.encode(errors="backslashreplace")


def _figures(results: Sequence[TableResult]) -> Iterator[tuple[tuple[int, str, str], bytes]]:
    work = [(each, drawing) for each in results for drawing in drawings(each)]
    show = stage("report", "drawing figures", len(work))
    for done, (result, drawing) in enumerate(work, 1):
        for form in ("svg", "png"):
            yield (result.table.number, drawing.name, form), render(result, drawing, form)
        show(done, {})


def _remove_old_figures(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Remove figures of an earlier report, which may have had more tables."""
    for drawing in DRAWINGS:
        for path in folder.glob(f"{drawing.name}-*.*"):
            if f"figures/{path.name}" not in contents:
                path.unlink()


def _account(found: Tables) -> tuple[dict[str, int], tuple[Cell, ...]]:
    cells = [cell for cell in found.cells if cell.path not in found.superseded]
    statuses = [cell.status for cell in cells]
    counts = {status: statuses.count(status) for status in sorted(set(statuses))}
    return counts, tuple(cell for cell in cells if cell.status != "ok")
