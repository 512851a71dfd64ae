"""Size of a point in raw units, checked before cells run and again before a report."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from paretosteer.errors import UsageError
from paretosteer.runtime.terminal import plural


def check_size(values: Sequence[float], sizes: Collection[int], name: str, whose: str) -> None:
    """Raise UsageError if no number of objectives fits a point.

    Parameters
    ----------
    values
        (m,), the point.
    sizes
        Numbers of objectives of the cells or tables.
    name, whose
        The argument, and what has the objectives, for the message.

    """
    if len(values) not in sizes:
        raise UsageError(
            f"{name}: found {plural(len(values), 'value')}, but the {whose} have "
            f"{' and '.join(map(str, sorted(sizes)))} objectives; give one value per objective, in "
            "their order and raw units"
        )
