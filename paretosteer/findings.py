"""Findings of `check`, `doctor` and `validate`: what was checked, what was found, the remedy."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from paretosteer.runtime.terminal import printable

Severity = Literal["ok", "note", "fault"]


@dataclass(frozen=True)
class Finding:
    """Result of one check: fine, worth knowing (a note), or something to fix (a fault)."""

    severity: Severity
    check: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.severity:<5}  {self.check}: {self.found}"
        return f"{line}; {self.remedy}" if self.remedy else line


def fault(found: str, remedy: str = "") -> Finding:
    """Finding to fix; the caller of the check fills in its name."""
    return Finding("fault", "", found, remedy)


def note(found: str, remedy: str = "") -> Finding:
    """Finding worth knowing; the caller of the check fills in its name."""
    return Finding("note", "", found, remedy)


def faults(findings: Iterable[Finding]) -> list[Finding]:
    """Faults among the findings."""
    return [finding for finding in findings if finding.severity == "fault"]


def notes(findings: Iterable[Finding]) -> list[Finding]:
    """Notes among the findings."""
    return [finding for finding in findings if finding.severity == "note"]


def print_findings(findings: Iterable[Finding], as_json: bool) -> int:
    """Print one line per finding as it arrives, or all as JSON; return the exit code.

    The exit code is 1 if there is a fault, else 0.
    """
    seen = []
    for finding in findings:
        seen.append(finding)
        if not as_json:
            print(printable(str(finding)), flush=True)
    if as_json:
        print(json.dumps([asdict(finding) for finding in seen], indent=1))
    return 1 if faults(seen) else 0
