"""What a check found: one line, with the remedy. A check that crashes is a finding like any."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from paretosteer.errors import PLUGIN_ERRORS, PromiseError, first_line, line_in

Level = Literal["ok", "note", "fault"]


@dataclass(frozen=True)
class Finding:
    """One line of a check: a fault breaks what others rely on, a note is worth knowing."""

    level: Level
    check: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        end = f"; {self.remedy}" if self.remedy else ""
        return f"{self.level:<5}  {self.check}: {self.found}{end}"


Findings = Iterator[Finding]
Check = Callable[[Any], Findings]


class NotChecked(Exception):
    """What a check needs is not there, which another check has reported."""


def fault(found: str, remedy: str) -> Finding:
    """Something that has to be mended; its check is named by `run`."""
    return Finding("fault", "", found, remedy)


def note(found: str, remedy: str = "") -> Finding:
    """Something worth knowing; its check is named by `run`."""
    return Finding("note", "", found, remedy)


def run(checks: Sequence[Check], subject: Any, source: str) -> list[Finding]:
    """What every check finds, in turn; `source` is the file whose lines a crash is traced to."""
    return [finding for check in checks for finding in _outcome(check, subject, source)]


def crash(check: str, error: BaseException, source: str) -> Finding:
    """The finding where somebody's code raised: a promise that it broke, or anything."""
    if isinstance(error, PromiseError):
        return Finding("fault", check, error.found, error.remedy)
    number = line_in(error, source)
    place = f" ({Path(source).name}, line {number})" if number else ""
    told = f"stopped by {type(error).__name__}: {first_line(error)}{place}"
    return Finding("fault", check, told, "mend that and check again")


def faults(findings: Sequence[Finding]) -> list[Finding]:
    """Those that have to be mended."""
    return [finding for finding in findings if finding.level == "fault"]


def _outcome(check: Check, subject: Any, source: str) -> list[Finding]:
    name = check.__name__.replace("_", " ")
    found = []
    try:
        for finding in check(subject):
            found.append(replace(finding, check=name))
    except NotChecked as reason:
        found.append(Finding("note", name, f"not checked: {reason}"))
    except PLUGIN_ERRORS as error:  # the rest is worth knowing all the same
        found.append(crash(name, error, source))
    return found or [Finding("ok", name, (check.__doc__ or "").partition("\n")[0].rstrip("."))]
