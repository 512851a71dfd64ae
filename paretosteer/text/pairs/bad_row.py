"""A row of a file that cannot be read."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BadRow:
    """Stands for a row among those that can be read, with the reason."""

    reason: str
