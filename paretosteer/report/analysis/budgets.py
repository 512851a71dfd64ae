"""Quality against budget: rows that are one configuration under several caps on training."""

from collections.abc import Sequence
from dataclasses import dataclass

from paretosteer.report.analysis import row_key
from paretosteer.report.analysis.evaluate import RowResult


@dataclass(frozen=True)
class Ladder:
    """One configuration and its rows by ascending cap."""

    label: str
    rows: tuple[RowResult, ...]


def ladders(scored: Sequence[RowResult]) -> list[Ladder]:
    """The configurations that the table has under two caps or more, in the order of its rows."""
    alike: dict[str, list[RowResult]] = {}
    for each in scored:
        if each.row.cap is not None:
            alike.setdefault(f"{each.row.method} {_unbudgeted(each)}", []).append(each)
    climbed = [rows for rows in alike.values() if len({each.row.cap for each in rows}) > 1]
    names = row_key.labels(
        [(rows[0].row.method, rows[0].row.variant, _unbudgeted(rows[0])) for rows in climbed]
    )
    return [
        Ladder(name, tuple(sorted(rows, key=lambda each: each.row.cap or 0)))
        for name, rows in zip(names, climbed, strict=True)
    ]


def _unbudgeted(each: RowResult) -> dict[str, object]:
    """A row's configuration without its budget."""
    options = each.row.options
    return {name: value for name, value in options.items() if not name.startswith("budget.")}
