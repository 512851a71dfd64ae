"""Verdict on a cell or a report: whether its figures can be trusted, and why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from paretosteer.findings import Finding, faults, notes

RUN_AGAIN = "run the cell again"  # remedy of a fault that names none
OVERWRITE = "run the cell again with --overwrite all"


@dataclass(frozen=True)
class Verdict:
    """Verdict on the figures at `path`, with its findings.

    `reason` is why a cell has no result.
    """

    path: Path
    kind: Literal["cell", "report"]
    findings: Sequence[Finding] = ()
    reason: str = ""

    @property
    def word(self) -> Literal["trusted", "not trusted", "no result"]:
        """Verdict without its reasons."""
        if self.faults:
            return "not trusted"
        return "no result" if self.reason else "trusted"

    @property
    def faults(self) -> list[str]:
        """Reasons not to trust the figures, each once."""
        return list(dict.fromkeys(each.found for each in faults(self.findings)))

    @property
    def notes(self) -> list[str]:
        """Remarks that cast no doubt on a figure."""
        return [each.found for each in notes(self.findings)]

    @property
    def remedies(self) -> list[str]:
        """Remedies of the faults, each once."""
        return list(dict.fromkeys(each.remedy or RUN_AGAIN for each in faults(self.findings)))

    @property
    def line(self) -> str:
        """Verdict with its reasons, in one line."""
        if self.faults:
            return f"not trusted: {'; '.join([*self.faults, *self.remedies])}"
        if self.reason:
            return f"no result: {self.reason}"
        return f"trusted, with notes: {'; '.join(self.notes)}" if self.notes else "trusted"

    def as_dict(self) -> dict[str, Any]:
        """Verdict as JSON, for programs."""
        return {
            "path": str(self.path),
            "kind": self.kind,
            "verdict": self.word,
            "reason": self.reason,
            "faults": self.faults,
            "notes": self.notes,
            "remedies": self.remedies,
        }
