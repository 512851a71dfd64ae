"""Conformance checks: does a method or a benchmark fulfil its contract?

    from paretosteer.conformance import check_benchmark, check_method, faults

    assert not faults(check_method("rewarded_soup", "method.rank=4"))

Each check is a small function that yields findings. If it yields none, the first line of its
docstring holds, and is what `paretosteer check` prints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from paretosteer.conformance.benchmark_checks import DECLARATION_CHECKS, SAMPLING_CHECKS
from paretosteer.conformance.class_checks import CLASS_CHECKS
from paretosteer.conformance.fixtures import (
    BenchmarkFixture,
    Candidate,
    MethodFixture,
    NotChecked,
)
from paretosteer.conformance.method_checks import METHOD_CHECKS
from paretosteer.errors import (
    PLUGIN_ERRORS,
    PromiseError,
    UnsupportedError,
    UsageError,
    first_line,
    line_in,
)
from paretosteer.findings import Finding, faults

__all__ = ["Finding", "check_benchmark", "check_method", "faults"]

Check = Callable[[Any], Iterator[Finding]]


def check_method(method: str | type, *overrides: str) -> list[Finding]:
    """Check a method, by name or class, on the bandit unless the overrides name a benchmark.

    The bandit's policy is a table, or a network for a method that needs layers.

    Raises
    ------
    UsageError
        If there is no such method, or the overrides do not fit it or its benchmark.

    """
    candidate = Candidate.of("methods", method)
    found = _run(CLASS_CHECKS, candidate, candidate.source)
    if faults(found):
        return [*found, Finding("note", "training", "not checked: fix the class first")]
    fixture = MethodFixture(candidate, overrides)
    unchosen = not any(word.startswith("benchmark") for word in overrides)
    if unchosen and isinstance(fixture.outcome, UnsupportedError):
        fixture = MethodFixture(candidate, ["benchmark.policy=mlp", *overrides])
    if isinstance(fixture.outcome, UsageError):
        raise fixture.outcome
    if isinstance(fixture.outcome, UnsupportedError):
        raise UsageError(
            f"benchmark: {candidate.name} cannot be checked on {fixture.benchmark.name}: "
            f"{fixture.outcome}; set another one, such as benchmark=stories"
        )
    return found + _run(METHOD_CHECKS, fixture, candidate.source)


def check_benchmark(benchmark: str | type, *overrides: str) -> list[Finding]:
    """Check a benchmark, by name or class, on the smoke budget.

    Raises
    ------
    UsageError
        If there is no such benchmark, or the overrides do not fit it.

    """
    candidate = Candidate.of("benchmarks", benchmark)
    found = _run(CLASS_CHECKS, candidate, candidate.source)
    if faults(found):
        return [*found, Finding("note", "building", "not checked: fix the class first")]
    try:
        fixture = BenchmarkFixture(candidate, overrides)
    except UsageError:
        raise
    except PLUGIN_ERRORS as error:
        return [*found, _crash("building", error, candidate.source)]
    found += _run(DECLARATION_CHECKS, fixture, candidate.source)
    if any(finding.check == "splits" for finding in faults(found)):
        return [*found, Finding("note", "sampling", "not checked: fix the splits first")]
    return found + _run(SAMPLING_CHECKS, fixture, candidate.source)


def _run(checks: Sequence[Check], argument: Any, source: str) -> list[Finding]:
    """Findings of all checks, at least one per check. One that raises does not stop the others."""
    findings = []
    for check in checks:
        name, found = check.__name__.replace("_", " "), []
        try:
            for finding in check(argument):
                found.append(replace(finding, check=name))
        except NotChecked as reason:
            found.append(Finding("note", name, f"not checked: {reason}"))
        except PLUGIN_ERRORS as error:
            found.append(_crash(name, error, source))
        findings += found or [Finding("ok", name, _summary(check))]
    return findings


def _summary(check: Check) -> str:
    first = (check.__doc__ or " ").partition("\n")[0].rstrip(".")
    return first[0].lower() + first[1:]


def _crash(check: str, error: BaseException, source: str) -> Finding:
    """Fault of a check in which the plug-in raised, with the line of `source` that did."""
    if isinstance(error, PromiseError):
        return Finding("fault", check, error.found, error.remedy)
    number = line_in(error, source)
    place = f" ({Path(source).name}, line {number})" if number else ""
    found = f"stopped by {type(error).__name__}: {first_line(error)}{place}"
    return Finding("fault", check, found, "fix it and run the check again")
