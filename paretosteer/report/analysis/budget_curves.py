"""Quality against budget: rows of one configuration under several training budgets."""

from collections.abc import Sequence
from dataclasses import dataclass

from paretosteer.report.analysis import row_key
from paretosteer.report.analysis.evaluate_table import RowResult


@dataclass(frozen=True)
class Ladder:
    """One configuration with its rows in ascending order of the cap on optimiser steps."""

    label: str
    rows: tuple[RowResult, ...]


def ladders(scored: Sequence[RowResult]) -> list[Ladder]:
    """Configurations with two or more caps, in the order of the table's rows."""
    by_configuration: dict[str, list[RowResult]] = {}
    for result in scored:
        if result.row.cap is not None:
            key = f"{result.row.method} {_unbudgeted(result)}"
            by_configuration.setdefault(key, []).append(result)
    groups = [
        rows for rows in by_configuration.values() if len({result.row.cap for result in rows}) > 1
    ]
    names = row_key.labels(
        [(rows[0].row.method, rows[0].row.variant, _unbudgeted(rows[0])) for rows in groups]
    )
    return [
        Ladder(name, tuple(sorted(rows, key=lambda result: result.row.cap or 0)))
        for name, rows in zip(names, groups, strict=True)
    ]


def _unbudgeted(result: RowResult) -> dict[str, object]:
    """Configuration of a row without its budget."""
    options = result.row.options
    return {name: value for name, value in options.items() if not name.startswith("budget.")}
