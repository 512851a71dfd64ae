"""Checks that a record follows from its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from paretosteer.cells.config_yaml import CONFIG, config_text
from paretosteer.cells.plan import CellPlan
from paretosteer.cells.record import ScoredRecord
from paretosteer.errors import UsageError, first_line
from paretosteer.findings import Finding, fault, note
from paretosteer.metrics.weight_rounding import preference_key
from paretosteer.storage.untrusted import MOST_TEXT, RefusedError, read
from paretosteer.validation.evidence import Evidence


def written(cell: Evidence) -> Iterator[Finding]:
    """Check that `config.yaml` is the record's configuration as a run writes it.

    The text is compared and not parsed, because forged YAML can take forever to parse.
    """
    try:
        found = read(cell.folder, CONFIG, MOST_TEXT)
    except RefusedError as refused:
        yield fault(str(refused))
        return
    if found != config_text(cell.record.config).encode():
        yield fault(f"{CONFIG} is not the configuration of the record")


def follows(cell: Evidence) -> Iterator[Finding]:
    """Recompute digests, variant, command and cap from the configuration.

    A difference is only a note if other code made the cell: a component's version changed.
    """
    try:
        plan = _plan(cell.record)
        expected = _expected(plan, cell.record)
    except UsageError as error:
        yield note(f"cannot be computed again here: {first_line(error)}")
        return
    if _names_files(plan):
        yield note("its digests are not computed again: they cover files outside the cell")
    else:
        expected |= {
            f"{name} digest": (made, cell.record.stages.get(name))
            for name, made in plan.digests.items()
        }
    same_code = _same_code(cell.record)
    if same_code:  # other code may have had other settings to spell out
        made, found = plan.config.command, cell.record.command
        # Files of `--plugin` and the folder of `--config-dir` may have moved.
        expected["command"] = (made, made if found.startswith(f"{made} --") else found)
    differing = [name for name, (made, found) in expected.items() if made != found]
    if not differing:
        return
    if version := _other_version(plan, cell.record):
        yield note(version)
    elif same_code:
        yield fault(f"{', '.join(differing)} do not follow from its configuration")
    else:
        yield note(
            f"{', '.join(differing)} do not follow from its configuration under this code; made by "
            "another version"
        )


def grid(cell: Evidence) -> Iterator[Finding]:
    """Check that the points without further dials are the configured preferences."""
    import numpy as np

    try:
        plan = _plan(cell.record)
    except UsageError:
        return  # reported by `follows`
    # Counted before they are computed: a record can ask for any number.
    asked = plan.config.preferences.size(len(plan.objectives))
    if asked is None:
        return  # in a file, which may be anywhere
    points = [cell.record.preferences[place] for place in cell.record.ranked_points()]
    if len(points) != asked or not np.allclose(
        points, sorted(plan.grid().tolist(), key=preference_key)
    ):
        yield fault(f"has {len(points)} points that are not the {asked} preferences asked for")


@dataclass(frozen=True)
class _Recorded(CellPlan):
    """Plan of a recorded cell, made without opening data, pairs or model."""

    versions: dict[str, str]

    @property
    def objectives(self) -> dict[str, str]:  # type: ignore[override]
        """Version of every objective, by name."""
        return self.versions


def _plan(record: ScoredRecord) -> _Recorded:
    """Plan the cell again; UsageError if its method, benchmark or an option is not known here."""
    from paretosteer.config import options
    from paretosteer.config.schema import CellConfig
    from paretosteer.plugins import in_use, registry

    if reason := in_use.missing(record.plugins):
        raise UsageError(reason)
    config = CellConfig.parse(record.config)
    method = registry.load("methods", config.method.name)
    benchmark = registry.load("benchmarks", config.benchmark.name)
    return _Recorded(
        config,
        method,
        options.build(method.Options, config.method.values, "method"),
        benchmark,
        options.build(benchmark.Options, config.benchmark.values, "benchmark"),
        record.model.digest,
        {objective.name: objective.version for objective in record.objectives},
    )


def _expected(plan: CellPlan, record: ScoredRecord) -> dict[str, tuple[object, object]]:
    """By name, each value as this installation computes it and as it was recorded."""
    capped = record.cost.train_steps <= plan.steps
    return {
        "variant": (plan.variant, record.variant),
        "exemption": (plan.method().exempt, record.exempt),
        "cost": (plan.method().cost_unknown, record.cost_unknown),
        "number of steps": (True, capped),
        "precision": (plan.config.dtype, record.dtype),
    }


def _names_files(plan: CellPlan) -> bool:
    """True if a cell's method or preferences are in files; none is opened, since it may differ."""
    from paretosteer.config import options

    places = options.places(plan.method_class.Options)
    in_file = plan.config.preferences.name == "file"
    return in_file or any(getattr(plan.method_options, name) is not None for name in places)


def _other_version(plan: CellPlan, record: ScoredRecord) -> str:
    recorded, here = record.benchmark, plan.benchmark_class.version
    if recorded.version == here:
        return ""
    return f"made by another version of {recorded.name} ({recorded.version}, here {here})"


def _same_code(record: ScoredRecord) -> bool:
    from paretosteer.cells.provenance import source_digest
    from paretosteer.plugins.in_use import installed_plugins

    return record.source_digest == source_digest(installed_plugins(record.plugins))
