"""A row of a file that cannot be read."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class BadRow:
    """Stands for a row among those that can be read, with the reason."""

    reason: str


def check_names(names: Sequence[str]) -> None:
    """Raise ValueError if two columns have one name, so that one of them would be lost."""
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise ValueError(f"the name {repeated[0]!r} is repeated; rename one of the columns")
