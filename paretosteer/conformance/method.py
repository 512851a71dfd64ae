"""`check method`: a method trained on the smoke budget, and every promise that others rely on."""

from __future__ import annotations

from paretosteer.conformance.class_checks import CLASS_CHECKS
from paretosteer.conformance.finding import Check, Finding, faults, run
from paretosteer.conformance.method_checkpoints import save_and_load, taking_up_again
from paretosteer.conformance.method_controls import (
    controls,
    dials,
    planning,
    wrong_preferences,
)
from paretosteer.conformance.method_steering import orientation
from paretosteer.conformance.method_training import (
    answering_trains_nothing,
    budget,
    determinism,
    global_state,
    start_policy,
    training,
    unsupported_feedback,
)
from paretosteer.conformance.plugin import PluginClass
from paretosteer.conformance.subject import MethodSubject
from paretosteer.errors import UnsupportedError, UsageError

CHECKS: tuple[Check, ...] = (
    planning,
    training,
    budget,
    determinism,
    global_state,
    save_and_load,
    taking_up_again,
    controls,
    dials,
    answering_trains_nothing,
    start_policy,
    orientation,
    wrong_preferences,
    unsupported_feedback,
)


def check_method(method: str | type, *overrides: str) -> list[Finding]:
    """Every finding about a method, by name or class, on the bandit unless overrides say otherwise.

    Raises
    ------
    UsageError
        If there is no such method, or the overrides do not fit it or its benchmark.

    """
    plugin = PluginClass.of("methods", method)
    found = run(CLASS_CHECKS, plugin, plugin.source)
    if faults(found):
        return [*found, Finding("note", "training", "not checked: mend the class first")]
    subject = MethodSubject.of(plugin, overrides)
    reason, where = subject.outcome, subject.benchmark.name
    if isinstance(reason, UsageError):
        raise reason
    if isinstance(reason, UnsupportedError):
        raise UsageError(
            f"benchmark: {plugin.name} cannot be checked on {where}: {reason}; "
            "name another one, such as benchmark=stories"
        )
    return found + run(CHECKS, subject, plugin.source)
