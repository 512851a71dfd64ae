"""`check benchmark`: a world built on the smoke budget, and every promise that methods rely on."""

from __future__ import annotations

from paretosteer.conformance.benchmark_feedback import feedback, preference_lists
from paretosteer.conformance.benchmark_parts import (
    keys,
    normaliser,
    objectives,
    rebuilding,
    splits,
    training_defaults,
)
from paretosteer.conformance.benchmark_policy import (
    common_random_numbers,
    drift,
    rows_keep_apart,
    sampling,
    scores_of_samples,
    start_policy,
)
from paretosteer.conformance.benchmark_scores import exact, odd_samples, scores, shown_again
from paretosteer.conformance.class_checks import CLASS_CHECKS
from paretosteer.conformance.finding import Check, Finding, crash, faults, run
from paretosteer.conformance.plugin import PluginClass
from paretosteer.conformance.subject import BenchmarkSubject
from paretosteer.errors import PLUGIN_ERRORS, UsageError

DECLARED: tuple[Check, ...] = (objectives, keys, training_defaults, splits)
WORKING: tuple[Check, ...] = (
    normaliser,
    rebuilding,
    start_policy,
    sampling,
    common_random_numbers,
    scores_of_samples,
    rows_keep_apart,
    drift,
    scores,
    odd_samples,
    shown_again,
    feedback,
    preference_lists,
    exact,
)
CHECKS = (*DECLARED, *WORKING)


def check_benchmark(benchmark: str | type, *overrides: str) -> list[Finding]:
    """Every finding about a benchmark, by name or class.

    Raises
    ------
    UsageError
        If there is no such benchmark, or the overrides do not fit it.

    """
    plugin = PluginClass.of("benchmarks", benchmark)
    found = run(CLASS_CHECKS, plugin, plugin.source)
    if faults(found):
        return [*found, Finding("note", "building", "not checked: mend the class first")]
    try:
        subject = BenchmarkSubject.of(plugin, overrides)
    except UsageError:
        raise
    except PLUGIN_ERRORS as error:
        return [*found, crash("building", error, plugin.source)]
    found += run(DECLARED, subject, plugin.source)
    if any(finding.check == "splits" for finding in faults(found)):
        return [*found, Finding("note", "sampling", "not checked: mend the splits first")]
    return found + run(WORKING, subject, plugin.source)
