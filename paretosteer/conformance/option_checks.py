"""Check that every option of a method has an effect: an option that is never read has none."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from paretosteer import method_outputs
from paretosteer.config.options import BaseOptions, without_effect
from paretosteer.conformance.fixtures import SEED, MethodFixture
from paretosteer.errors import PLUGIN_ERRORS
from paretosteer.findings import Finding, fault
from paretosteer.method import Method, TrainingOptions
from paretosteer.simplex import coarse_lattice
from paretosteer.training.trainer import Trainer

# Options of the kinds of feedback, each of which reads its own: not the method's task.
FEEDBACK = TrainingOptions.model_fields.keys() - {"rank", "alpha", "dropout"}
STEPS = 4  # optimiser steps of a run that only shows which options are read


def options(fixture: MethodFixture) -> Iterator[Finding]:
    """Every option of the method has an effect: training or controls read it."""
    _ = fixture.trained  # an incomplete training reads too little
    own = fixture.plan.method_options
    refused = without_effect(own, {}, "method")  # wherever they are set
    unread = type(own).model_fields.keys() - FEEDBACK - refused.keys()
    for values in _settings(own):
        if unread:
            unread -= _read_in(fixture, own.model_copy(update=values))
    source = _source(fixture.plan.method_class)
    for name in sorted(unread):
        # Some options are read only together with others: then the source mentions them.
        if not re.search(rf"""\.{name}\b|["']{name}["']""", source):
            yield fault(
                f"{name} has no effect, but each of its values makes a separate row",
                f"use self.options.{name}, or derive Options from BaseOptions without it",
            )


def _settings(own: BaseOptions) -> Iterator[dict[str, Any]]:
    """The given setting, then each other value of every choice, one at a time."""
    yield {}
    for name, field in type(own).model_fields.items():
        for value in _choices(field.annotation):
            if value != getattr(own, name):
                yield {name: value}


def _choices(annotation: Any) -> tuple[Any, ...]:
    if annotation is bool:
        return (False, True)
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    return ()


def _read_in(fixture: MethodFixture, values: BaseOptions) -> set[str]:
    """Options that a short training and its controls read; some settings may be impossible."""
    recorded, read = _recording(values)
    try:
        method = fixture.plan.method_class(recorded)
        trainer = Trainer.under(fixture.silent_setting, seed=SEED, steps=STEPS)
        method.bind(fixture.benchmark.objectives)
        method_outputs.total_steps(fixture.name, method, STEPS, fixture.m)
        method.train(fixture.benchmark, trainer)
        method.control(fixture.preferences)
        method_outputs.points(fixture.name, method, coarse_lattice(fixture.m))
    except PLUGIN_ERRORS:  # what was read before the error counts
        pass
    return read


def _recording(values: BaseOptions) -> tuple[BaseOptions, set[str]]:
    """A copy of options, and the names of those that were read from it so far."""
    kind, read = type(values), set[str]()
    fields = set(kind.model_fields)

    class Recording(kind):  # type: ignore[valid-type, misc]
        def __getattribute__(self, name: str) -> Any:
            if name in fields:
                read.add(name)
            elif name in ("model_dump", "model_dump_json"):
                read.update(fields)
            return super().__getattribute__(name)

    return Recording.model_construct(**dict(values)), read


def _source(kind: type[Method]) -> str:
    """Text of the files that define the method and the methods it derives from."""
    files = {inspect.getsourcefile(base) for base in kind.mro() if issubclass(base, Method)}
    files -= {inspect.getsourcefile(Method), None}
    return "".join(Path(str(file)).read_text(encoding="utf-8") for file in files)
