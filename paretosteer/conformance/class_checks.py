"""Checks of the class alone, before anything is built: what `list`, plans and digests read."""

from __future__ import annotations

import inspect
from dataclasses import fields, is_dataclass
from typing import Any

from paretosteer.benchmark import Benchmark
from paretosteer.config import options
from paretosteer.conformance.finding import Findings, NotChecked, fault, note
from paretosteer.conformance.plugin import PluginClass
from paretosteer.errors import UsageError
from paretosteer.method import Method

KINDS = ("reward", "preference", "imitation")
BUDGETS = ("smoke", "quick", "full")
CALLS = {"conditioning": 1, "train": 2, "control": 2}  # positional arguments beside self


def interface(plugin: PluginClass) -> Findings:
    """It has all that is called, a version, and a module that says in a line what it is."""
    kind = plugin.kind
    if not inspect.isclass(kind):
        yield fault(
            f"{plugin.name} names {type(kind).__name__} {kind!r}",
            f"let the entry point of {plugin.name} name a class",
        )
        return
    yield from _method(kind) if plugin.group == "methods" else _benchmark(kind, plugin.name)
    if missing := sorted(getattr(kind, "__abstractmethods__", ())):
        yield fault(f"does not define {', '.join(missing)}", "define what is missing")
    if not isinstance(getattr(kind, "version", None), str):
        yield fault(
            f"version is {getattr(kind, 'version', None)!r}",
            'write version = "1" in the class, and raise it when the same options mean other work',
        )
    module = inspect.getmodule(kind)
    if module is None or not (module.__doc__ or "").strip():
        yield note(
            "its module has no docstring",
            "begin the file with one: its first line is what `paretosteer list` shows",
        )


def options_and_help(plugin: PluginClass) -> Findings:
    """Options are a frozen dataclass; each has help and a default that passes its own check."""
    kind = getattr(plugin.kind, "Options", None)
    if not (inspect.isclass(kind) and is_dataclass(kind)):
        yield fault(
            f"Options is {kind!r}",
            "write a nested `@dataclass(frozen=True) class Options`, empty if there is no option",
        )
        return
    if not kind.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        yield note("Options may be changed after they were checked", "say frozen=True")
    for row in fields(kind):
        try:
            value = options.default(row)
        except TypeError:
            yield fault(f"option {row.name} has no default", "give it one: option(default, help)")
            continue
        if not row.metadata.get("help"):
            yield fault(
                f"option {row.name} has no help", f'declare it as {row.name} = option(…, "…")'
            )
        try:
            options.build(kind, {row.name: value}, plugin.section)
        except UsageError as error:
            yield fault(
                f"the default of {row.name} is refused: {error}", "give a default of its own type"
            )


def wrong_options(plugin: PluginClass) -> Findings:
    """An unknown option and a value of the wrong type are refused in one line."""
    kind, section = getattr(plugin.kind, "Options", None), plugin.section
    if not (inspect.isclass(kind) and is_dataclass(kind)):
        raise NotChecked("it has no Options")
    for name in ["no_such_option", *(row.name for row in fields(kind))]:
        try:
            options.build(kind, {name: object()}, section)
        except UsageError:
            continue
        yield fault(
            f"{section}.{name} takes anything", "annotate it with the type that it needs, not Any"
        )


CLASS_CHECKS = (interface, options_and_help, wrong_options)


def _method(kind: type) -> Findings:
    if not issubclass(kind, Method):
        yield fault(f"{kind.__name__} is no Method", "derive it from paretosteer.method.Method")
    for name, count in CALLS.items():
        call = getattr(kind, name, None)
        if call is None:
            continue  # an abstract method, or no method at all: said above
        try:
            inspect.signature(call).bind(*[None] * (count + 1))
        except TypeError as error:
            yield fault(
                f"{name} cannot be called as the package does: {error}",
                f"give it the signature of Method.{name}",
            )


def _benchmark(kind: Any, name: str) -> Findings:
    """Every member of the contract is there."""
    declared = [
        part for part in ("name", "version", "feedback", "Options") if not hasattr(kind, part)
    ]
    if not issubclass(kind, Benchmark):
        yield fault(
            f"{kind.__name__} is not a Benchmark", "derive it from paretosteer.benchmark.Benchmark"
        )
        return
    if declared:
        yield fault(f"has no {', '.join(declared)}", "define these in the class")
        return
    if kind.name != name:
        yield fault(f"is registered as {name} but calls itself {kind.name!r}", "use one name")
    if unknown := [repr(k) for k in kind.feedback if k not in KINDS]:
        yield fault(
            f"feedback names {', '.join(unknown)}, which no method asks for",
            f"name what it supports of {', '.join(KINDS)}",
        )
    if lacking := [budget for budget in BUDGETS if budget not in kind.steps]:
        yield fault(
            f"steps has no {', '.join(lacking)}", "name the optimiser steps of every budget"
        )
