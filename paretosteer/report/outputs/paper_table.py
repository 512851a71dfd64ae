"""A sweep's rows in the form of a paper's table, beside the numbers that the paper prints."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np

from paretosteer import simplex
from paretosteer.cells.cell import cell_folders, read_cell
from paretosteer.errors import UsageError
from paretosteer.metrics.row_metric import Column
from paretosteer.metrics.weight_rounding import preference_key
from paretosteer.report.analysis.comparable import Setting, vector_words
from paretosteer.report.analysis.evaluate_table import RowResult, TableResult, evaluate
from paretosteer.report.analysis.tables import Table, make_tables
from paretosteer.report.columns import BUILT_IN
from paretosteer.report.outputs.notes import changed_notes, smoke_note
from paretosteer.report.published_tables import PAPERS, Paper, PaperColumn, PaperTable
from paretosteer.runtime.terminal import plural

_GRIDS = {"lattice": simplex.lattice, "parm36": simplex.parm36, "ric13": simplex.ric13}


def paper_tables(
    dirs: Sequence[str | os.PathLike[str]],
    name: str,
    raw_reference: Sequence[float] | None = None,
) -> Iterator[tuple[str, list[list[str]], list[str]]]:
    """Tables of a paper with the rows of recorded cells.

    Yields
    ------
    The title of each, its lines of cells, the first of them the heading, and remarks.

    Raises
    ------
    UsageError
        If no cells have the objectives and the grid of one of the paper's tables.
    """
    paper = PAPERS[name]
    tables = make_tables(map(read_cell, cell_folders(*dirs))).tables
    fitting = [
        (published, table)
        for published in paper.tables
        for table in tables
        if table.setting and not _lacking(published, table.setting)
    ]
    if not fitting:
        raise UsageError(_nothing_fits(paper, tables))
    for published, table in fitting:
        result = evaluate(table, raw_reference=raw_reference)
        title = f"{paper.title}: {published.title}"
        yield title, _lines(published, result), _remarks(paper, published, result)


def _lacking(published: PaperTable, setting: Setting) -> str:
    """What keeps cells from the table of a paper; empty if they fit."""
    if not published.objectives or set(setting.names) != set(published.objectives):
        return "other objectives"
    if published.grid:
        grid = {preference_key(mu) for mu in _GRIDS[published.grid](len(setting.names))}
        shared = len(grid & set(setting.grid))
        if shared == len(grid) == len(setting.grid):
            return ""
        return (
            f"the objectives, but {plural(len(setting.grid), 'preference')}, "
            f"{shared} of them among the paper's {len(grid)}"
        )
    if published.points not in (0, len(setting.grid)):
        return (
            f"the objectives, but {plural(len(setting.grid), 'preference')} where the paper has "
            f"{published.points}"
        )
    return ""


def _nothing_fits(paper: Paper, tables: Sequence[Table]) -> str:
    """Which objectives and preferences the cells have, and which runs would fit."""
    found = [
        f"table {table.number} has {_closest(paper, table.setting)}"
        for table in tables
        if table.setting
    ]
    needed = [
        f"{', '.join(each.objectives)} on {each.points} preferences ({each.grid or 'any'}), from "
        f"`paretosteer sweep {each.run}`"
        for each in paper.tables
        if each.objectives
    ]
    return (
        f"--paper: no cells fit the tables of {paper.title}: "
        f"{'; '.join(found) or 'no cell was scored'}. Needed: {'; or '.join(needed)}"
    )


def _closest(paper: Paper, setting: Setting) -> str:
    reasons = [_lacking(each, setting) for each in paper.tables]
    grid = next((reason for reason in reasons if reason.startswith("the objectives")), "")
    objectives = f"{', '.join(setting.names)} on {plural(len(setting.grid), 'preference')}"
    return f"{objectives} ({grid})" if grid else objectives


def _lines(published: PaperTable, result: TableResult) -> list[list[str]]:
    if not published.columns:
        return _by_preference(result)
    heading = ["method", "source", *(each.heading for each in published.columns)]
    theirs = [[method, "paper", *values] for method, values in published.rows.items()]
    ours = [
        [each.row.label, "this sweep", *(_value(column, each) for column in published.columns)]
        for each in result.scored
    ]
    return [heading, *theirs, *ours]


def _value(column: PaperColumn, row: RowResult) -> str:
    if not column.figure:
        return "–"
    return _column(column.figure).text(row.figures) or "–"


def _column(name: str) -> Column:
    return next(each for each in BUILT_IN if each.name == name)


def _by_preference(result: TableResult) -> list[list[str]]:
    """Mean raw reward of every objective at each preference."""
    assert result.table.setting
    setting = result.table.setting
    lines = [["method", "preference", *setting.names]]
    for each in result.scored:
        raw = np.mean([own.inputs["raw_points"] for own in each.row.replicates], axis=0)
        for preference, point in zip(setting.preferences, raw, strict=True):
            rounded = vector_words([round(weight, 3) for weight in preference])
            values = [f"{value:.3f}".replace("-", "−") for value in point]
            lines.append([each.row.label, rounded, *values])
    return lines


def _remarks(paper: Paper, published: PaperTable, result: TableResult) -> list[str]:
    table, setting = result.table, result.table.setting
    assert setting
    units = [
        f"{each.heading} ({each.unit})" + ("" if each.figure else ", which is not measured here")
        for each in published.columns
    ]
    missing = [
        f"{each.heading}: {each.remedy}"
        for each in published.columns
        if each.remedy and not any(each.figure in row.figures for row in result.scored)
    ]
    counts = sorted({len({own.seed for own in each.row.replicates}) for each in result.scored})
    seeds = plural(counts[0], "seed") if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
    reference = result.raw_reference
    return [
        f"Here: {table.benchmark} (version {setting.version}) on {table.model}, "
        f"{', '.join(setting.names)}; {plural(len(setting.grid), 'preference')}, "
        f"{plural(setting.prompt_count, 'test prompt')}, {seeds}. In the paper: {published.model}.",
        "Units: " + (", ".join(units) if units else "mean raw reward at each preference") + ".",
        *(
            [f"Reference point given for our HV: {vector_words(reference)}."]
            if reference is not None
            else []
        ),
        *missing,
        *paper.unknown,
        *changed_notes(result.scored),
        *smoke_note(result.scored),
    ]
