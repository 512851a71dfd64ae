"""What a reader must know about a table before believing its order, in sentences."""

from collections.abc import Iterator

from paretosteer.report.bootstrap import RESAMPLES
from paretosteer.report.evaluate import OTHER_REFERENCES, RowResult, TableResult

# Below this many seeds nothing is said about how another seed would have come out.
_ENOUGH_SEEDS = 5


def notes(result: TableResult) -> list[str]:
    """Notes on one table, plain text."""
    scored = result.scored
    if not scored:
        return ["No cell of this table was scored."]
    return [
        *_intervals(scored),
        *_exempt(scored),
        *_incomplete(result.rows),
        *_sensitive(scored),
        *_budgets(scored),
        *_batches(scored),
        *_dials(scored),
        *_outside(scored),
        *_sources(scored),
    ]


def ranking(rows: tuple[RowResult, ...], column: str = "hypervolume") -> list[str]:
    """Labels of scored rows by a descending figure, ties in the order given."""
    return [each.row.label for each in sorted(rows, key=lambda each: -each.figures[column])]


def _intervals(rows: tuple[RowResult, ...]) -> Iterator[str]:
    few = min(len(each.row.replicates) for each in rows) < _ENOUGH_SEEDS
    yield (
        f"Intervals are 95 % by paired bootstrap over prompts ({RESAMPLES:,} resamples), "
        "reflected for hypervolume"
        + (
            "; prompts only: with fewer than five seeds they leave out how another training "
            "seed would have come out."
            if few
            else "; seeds are taken as they are."
        )
    )


def _exempt(rows: tuple[RowResult, ...]) -> Iterator[str]:
    if any(each.row.exempt for each in rows):
        yield (
            "* trains one model per point of its own smaller grid and is exempt from the budget: "
            "an expensive reference, not a competitor."
        )


def _incomplete(rows: tuple[RowResult, ...]) -> Iterator[str]:
    for row in (each.row for each in rows):
        if row.status == "partial" and len(row.replicates) < len(row.cells):
            yield (
                f"{row.label}: figures are from {len(row.replicates)} of {len(row.cells)} seeds; "
                "the others were not scored."
            )


def _sensitive(rows: tuple[RowResult, ...]) -> Iterator[str]:
    usual = ranking(rows)
    for column, value in OTHER_REFERENCES.items():
        other = ranking(rows, column)
        if other != usual:
            place = f"{value:g}".replace("-", "−")
            yield (
                f"The ranking depends on the reference point: at {place} in every objective "
                f"it is {', '.join(other)}."
            )


def _budgets(rows: tuple[RowResult, ...]) -> Iterator[str]:
    caps = sorted({each.row.cap for each in rows if each.row.cap is not None})
    if len(caps) > 1:
        yield f"Budgets differ: caps of {', '.join(map(str, caps))} steps stand in one table."
    for each in rows:
        steps = each.figures["train_steps"]
        if each.row.cap is not None and steps > each.row.cap:
            yield (
                f"{each.row.label}: trained {steps:g} optimiser steps, over its cap "
                f"of {each.row.cap}."
            )


def _batches(rows: tuple[RowResult, ...]) -> Iterator[str]:
    sizes = {
        cell.record["batch_size"]["train"]
        for each in rows
        for cell in each.row.cells
        if "train" in cell.record.get("batch_size", {})
    }
    if len(sizes) > 1:
        listed = ", ".join(str(size) for size in sorted(sizes))
        yield f"Training batch sizes differ: {listed}. Equal steps are then not equal budgets."


def _dials(rows: tuple[RowResult, ...]) -> Iterator[str]:
    for each in rows:
        count = len(each.curves.dialled) if each.curves else 0
        if count:
            yield (
                f"{each.row.label}: {count // len(each.row.replicates)} points with further dials "
                "are drawn but not ranked; every method is compared at one point per preference."
            )


def _outside(rows: tuple[RowResult, ...]) -> Iterator[str]:
    for each in rows:
        outside = each.figures["points_outside"]
        if outside:
            yield (
                f"{each.row.label}: {outside:g} points a seed lie outside the reference "
                "and add no hypervolume."
            )


def _sources(rows: tuple[RowResult, ...]) -> Iterator[str]:
    digests = {
        replicate.cell.record["source_digest"] for each in rows for replicate in each.row.replicates
    }
    if len(digests) > 1:
        listed = ", ".join(sorted(digest[:8] for digest in digests))
        yield f"These cells were made by differing source code ({listed}); see their provenance."
