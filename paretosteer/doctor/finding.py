"""What a probe of the machine finds, in one line that holds no secret."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Level = Literal["ok", "slow", "fail"]

_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")  # user and password of an address
_SHORTEST_SECRET = 6  # characters; below it a value such as `1` is in every text


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


def without_secrets(text: str) -> str:
    """Text with no value of a secret environment variable and no login of an address."""
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, "***")
    return _LOGIN.sub("***@", text)


def size(amount: float) -> str:
    """Bytes as people write them: 1.5 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} TB"
