"""What a probe of the machine finds, in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Level = Literal["ok", "slow", "fail"]


@dataclass(frozen=True)
class Finding:
    """Something that was looked at: fine, or what it makes slow or fail, and the remedy."""

    level: Level
    what: str
    found: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """The finding in one line."""
        told = f"{self.level:<4}  {self.what}: {self.found}"
        return " ".join([told, *([f"; {self.remedy}"] if self.remedy else [])]).replace(" ;", ";")

    def as_dict(self) -> dict[str, str]:
        """The finding for programs."""
        return asdict(self)


Probe = Callable[[Path], Iterator[Finding]]  # of the folder that sweeps will write to


def size(amount: float) -> str:
    """Bytes as people write them: 1.5 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"
