"""Checks of a class before it is built: attributes that `list`, plans and digests read."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from paretosteer.benchmark import Benchmark
from paretosteer.config import options
from paretosteer.conformance.fixtures import Candidate, NotChecked
from paretosteer.conformance.members import wrong_members
from paretosteer.errors import UsageError
from paretosteer.findings import Finding, fault, note
from paretosteer.method import Method
from paretosteer.plugins import checks

KINDS = ("reward", "preference", "imitation")
BUDGETS = ("smoke", "quick", "full")


def interface(candidate: Candidate) -> Iterator[Finding]:
    """The class defines every required member, each of the right kind and signature."""
    cls = candidate.cls
    if problem := checks.fault(candidate.group, candidate.name, cls):
        found, _, remedy = problem.rpartition("; ")
        yield fault(f"{candidate.name} {found}", remedy)
        return
    wrong = list(wrong_members(cls, Method if candidate.group == "methods" else Benchmark))
    yield from wrong
    if candidate.group == "benchmarks" and not wrong:
        yield from _declarations(cls)
    module = inspect.getmodule(cls)
    if module is None or not (module.__doc__ or "").strip():
        yield note(
            "its module has no docstring",
            "add one: `paretosteer list` shows its first line",
        )


def _declarations(cls: type[Benchmark]) -> Iterator[Finding]:
    if unknown := [repr(kind) for kind in cls.feedback if kind not in KINDS]:
        yield fault(
            f"feedback names {', '.join(unknown)}, which no method asks for",
            f"name those supported of {', '.join(KINDS)}",
        )
    if missing := [budget for budget in BUDGETS if budget not in cls.steps]:
        yield fault(f"steps has no {', '.join(missing)}", "give the steps of every budget")


def options_and_help(candidate: Candidate) -> Iterator[Finding]:
    """Options are a pydantic model, and each has help and a valid default."""
    kind: Any = getattr(candidate.cls, "Options", None)
    if not _is_model(kind):
        yield fault(
            f"Options is {kind!r}",
            "write a nested `class Options(BaseOptions)`, empty if there is no option",
        )
        return
    for name, field in kind.model_fields.items():
        if field.is_required():
            yield fault(f"option {name} has no default", "give it one: option(default, help)")
            continue
        if not field.description:
            yield fault(f"option {name} has no help", f'declare it as {name} = option(…, "…")')
        try:
            options.build(kind, {name: options.default(field)}, candidate.section)
        except UsageError as error:
            yield fault(
                f"the default of {name} is refused: {error}", "give a default of its own type"
            )


def wrong_options(candidate: Candidate) -> Iterator[Finding]:
    """An unknown option and a value of the wrong type are refused in one line."""
    kind: Any = getattr(candidate.cls, "Options", None)
    section = candidate.section
    if not _is_model(kind):
        raise NotChecked("it has no Options")
    for name in ["no_such_option", *kind.model_fields]:
        try:
            options.build(kind, {name: object()}, section)
        except UsageError:
            continue
        yield fault(
            f"{section}.{name} takes anything", "annotate it with the type that it needs, not Any"
        )


def _is_model(kind: Any) -> bool:
    return inspect.isclass(kind) and issubclass(kind, options.BaseOptions)


CLASS_CHECKS = (interface, options_and_help, wrong_options)
