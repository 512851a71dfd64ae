"""What a check finds, and what all of them together make of a cell or a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

RUN_AGAIN = "run the cell again"
ANEW = "run the cell again with --overwrite all"
Word = Literal["trusted", "not trusted", "no result"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or, with no remedy needed, worth knowing (a note)."""

    message: str
    remedy: str | None

    @property
    def is_note(self) -> bool:
        """Whether the figures can be trusted all the same."""
        return self.remedy is None


def fault(message: str, remedy: str = RUN_AGAIN) -> Problem:
    """A reason not to trust the figures."""
    return Problem(message, remedy)


def note(message: str) -> Problem:
    """Something to know that speaks against no figure."""
    return Problem(message, None)


@dataclass(frozen=True)
class Verdict:
    """Whether what lies at `path` can be trusted, and why not.

    `reason` says why a cell has no result; `problems` are faults, then notes.
    """

    path: Path
    kind: Literal["cell", "report"]
    problems: Sequence[Problem] = field(default=())
    reason: str = ""

    @property
    def word(self) -> Word:
        """The verdict without its reasons."""
        if any(not problem.is_note for problem in self.problems):
            return "not trusted"
        return "no result" if self.reason else "trusted"

    @property
    def faults(self) -> list[str]:
        """What speaks against it, each once."""
        return list(dict.fromkeys(each.message for each in self.problems if not each.is_note))

    @property
    def notes(self) -> list[str]:
        """What is worth knowing."""
        return [problem.message for problem in self.problems if problem.is_note]

    @property
    def remedies(self) -> list[str]:
        """What to do, each once."""
        return list(dict.fromkeys(each.remedy for each in self.problems if each.remedy))

    @property
    def line(self) -> str:
        """The verdict with its reasons, in one line."""
        if self.faults:
            return f"not trusted: {'; '.join([*self.faults, *self.remedies])}"
        if self.reason:
            return f"no result: {self.reason}"
        return f"trusted, with notes: {'; '.join(self.notes)}" if self.notes else "trusted"

    def as_dict(self) -> dict[str, Any]:
        """The verdict for programs."""
        return {
            "path": str(self.path),
            "kind": self.kind,
            "verdict": self.word,
            "reason": self.reason,
            "faults": self.faults,
            "notes": self.notes,
            "remedies": self.remedies,
        }
