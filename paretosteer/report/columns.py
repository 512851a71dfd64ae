"""Columns of the leaderboard: those that are not metrics, and the order of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from paretosteer.metrics.catalogue import METRICS
from paretosteer.metrics.leaderboard import ROW_METRICS
from paretosteer.metrics.row_metric import OBJECTIVE, Column, RowMetric, Section
from paretosteer.plugins.row_metrics import plugin_metrics

# The contract: the first columns of leaderboard.csv, in this order.
CONTRACT = (
    "table",
    "benchmark",
    "model",
    "method",
    "variant",
    "seeds",
    "status",
    "hypervolume",
    "hypervolume_low",
    "hypervolume_high",
    "hypervolume_ratio",
    "ratio_to",
    "controllability",
    "utility_loss",
    "steering_regret",
    "oracle_regret",
    "dominated_by",
    "train_steps",
    "train_tokens",
    "stored_bytes",
    "switch_seconds",
    "kl",
)


def amount(value: float) -> str:
    """A count with an SI prefix and three digits: 300 k, 1.25 M."""
    for size, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.3g}"


def amount_of_bytes(value: float) -> str:
    """Bytes with an SI prefix and three digits: 165 kB."""
    text = amount(value)
    return f"{text}B" if text[-1].isalpha() else f"{text} B"


def duration(seconds: float) -> str:
    """A time with its unit and three digits: 15 µs, 2.5 ms, 60 s, 23.7 min."""
    for least, size, unit in (
        (7200.0, 3600.0, "h"),
        (120.0, 60.0, "min"),
        (1.0, 1.0, "s"),
        (1e-3, 1e-3, "ms"),
    ):
        if seconds >= least:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-6:.3g} µs"


# What a row is of.
_ROW = (
    Column("table", summary="Number of the table: rows of one table may be compared.", whole=True),
    Column("benchmark", summary="Benchmark."),
    Column("model", summary="Start model."),
    Column("method", summary="Method."),
    Column("variant", summary="Settings that distinguish rows of one method."),
    Column(
        "seeds",
        summary="Number of seeds.",
        title="Seeds",
        format="d",
        whole=True,
        terminal=9,
    ),
    Column("status", summary="ok, partial (some cells failed), failed or unsupported."),
    Column(
        "ratio_to", summary="Front that the hypervolume ratio divides by: oracle or union front."
    ),
    Column("label", summary="Name of the row in tables and plots."),
    Column("benchmark_version", summary="Version of the benchmark."),
    Column("exempt", summary="True if the method is exempt from the budget's cap."),
    Column(
        "cost_unknown",
        summary="True if parts of the policy were trained elsewhere, as adapters are; the costs of "
        "training are then empty.",
        optional=True,
    ),
    Column("cells", summary="Cells of the row.", whole=True),
    Column("replicates", summary="Cells with a result: seeds times folds.", whole=True),
    Column("seed_list", summary="Seeds, separated by spaces."),
    Column(
        "folds",
        summary="Number of cross-validation folds.",
        title="Folds",
        format="d",
        whole=True,
        terminal=8,
        sparse=True,
    ),
    Column("fold_list", summary="Folds, separated by spaces."),
    Column("points", summary="Preferences at which the method was evaluated.", whole=True),
    Column(
        "dialled_points",
        summary="Further points, at other values of a method's dials; plotted but not ranked.",
        whole=True,
    ),
)

STEPS = Column(
    "train_steps",
    summary="Optimiser steps over everything that a cell trained, selection included.",
    title="Steps",
    format=".0f",
    whole=True,
    section="cost",
    terminal=7,
)

DECODING_COSTS = (
    Column(
        "forward_passes_per_token",
        summary="Forward passes of a model per token of an answer; mean over preferences.",
        title="Passes per token",
        format=".3g",
        optional=True,
        section="cost",
        place=105,
    ),
    Column(
        "reward_calls_per_answer",
        summary="Candidates scored per answer; mean over preferences.",
        title="Reward calls per answer",
        format=".3g",
        optional=True,
        section="cost",
        place=106,
    ),
)

_COSTS = (
    STEPS,
    Column(
        "budget_steps",
        summary="Budget: the cap on the optimiser steps of a cell. Tokens, reward calls and "
        "validation sampling are counted but not equalised.",
        title="Cap",
        format="d",
        whole=True,
        section="cost",
    ),
    Column(
        "train_tokens",
        summary="Tokens trained on.",
        title="Train tokens",
        format=amount,
        whole=True,
        section="cost",
    ),
    Column(
        "selection_tokens",
        summary="Tokens sampled to choose options on validation prompts.",
        title="Selection tokens",
        format=amount,
        whole=True,
        section="cost",
    ),
    Column(
        "reward_calls",
        summary="Samples scored.",
        title="Reward calls",
        format=amount,
        whole=True,
        section="cost",
    ),
    Column(
        "flops",
        summary="Estimated floating-point operations.",
        title="FLOPs",
        format=amount,
        section="cost",
    ),
    Column(
        "seconds_train",
        summary="Wall time of training, which depends on the machine and on its other load.",
        title="Training",
        format=duration,
        optional=True,
        section="cost",
    ),
    Column(
        "seconds_sample",
        summary="Wall time of sampling, which depends on the machine and on its other load.",
        title="Sampling",
        format=duration,
        optional=True,
        section="cost",
    ),
    Column("seconds_normaliser", summary="Wall time of the normaliser.", optional=True),
    Column("seconds_score", summary="Wall time of scoring.", optional=True),
    Column(
        "trained_parameters",
        summary="Parameters trained.",
        title="Parameters",
        format=amount,
        whole=True,
        section="cost",
        place=102,
    ),
    Column(
        "peak_memory_bytes",
        summary="Peak memory.",
        title="Memory",
        format=amount_of_bytes,
        whole=True,
        section="cost",
        place=101,
    ),
    Column(
        "stored_bytes",
        summary="Size of the checkpoint.",
        title="Stored",
        format=amount_of_bytes,
        whole=True,
        section="cost",
        place=103,
    ),
    Column(
        "switch_seconds",
        summary="Time to switch to another preference.",
        title="Switch",
        format=duration,
        section="cost",
        place=104,
    ),
    *DECODING_COSTS,
    Column("n_total", summary="Test samples.", whole=True),
    Column("n_failed", summary="Test samples that could not be scored.", whole=True),
    Column("reason", summary="Why a row has no result."),
    Column("paths", summary="Folders of the cells."),
)

BUILT_IN: tuple[Column, ...] = (*_ROW, *ROW_METRICS, *_COSTS)

HYPERVOLUME, CONTROLLABILITY, KL = (
    next(each for each in BUILT_IN if each.name == name)
    for name in ("hypervolume", "controllability", "kl")
)


def fixed_names() -> list[str]:
    """Columns that every leaderboard.csv has, in order."""
    declared = [each for each in BUILT_IN if not each.optional and not each.per_objective]
    names = [name for each in declared for name in each.names]
    return [*CONTRACT, *(name for name in names if name not in CONTRACT)]


def documented() -> list[Column]:
    """Every built-in column in the order of leaderboard.csv."""
    first = {name: place for place, name in enumerate(CONTRACT)}
    return sorted(BUILT_IN, key=lambda each: first.get(each.name, len(first)))


def whole_names() -> list[str]:
    """Columns that hold counts."""
    return [name for each in BUILT_IN if each.whole for name in each.names]


def row_metrics() -> list[RowMetric]:
    """Metrics of a leaderboard: the built-in ones, then those of plug-ins."""
    names = {name for each in BUILT_IN for name in each.names}
    prefixes = tuple(each.name.split(OBJECTIVE)[0] for each in BUILT_IN if each.per_objective)
    return [*ROW_METRICS, *plugin_metrics(names | METRICS.keys(), (*prefixes, "seconds_"))]


def section(name: Section, objectives: Sequence[str] = ()) -> list[Column]:
    """Columns of one of the page's tables, those of single objectives included."""
    own = [each for each in (*row_metrics(), *_COSTS) if each.section == name]
    return [
        column
        for each in sorted(own, key=lambda column: column.place)
        for column in (map(each.of, objectives) if each.per_objective else (each,))
    ]


def on_terminal() -> list[Column]:
    """Columns that a terminal shows, the most important first; plug-ins' before the costs."""
    own = sorted((each for each in BUILT_IN if each.terminal), key=lambda each: each.terminal)
    added = [each for each in row_metrics() if each not in ROW_METRICS]
    costs = next(place for place, each in enumerate(own) if each is STEPS)
    return [*own[:costs], *added, *own[costs:]]


def other_columns(figures: Iterable[Mapping[str, Any]], shown: Iterable[Column]) -> list[Column]:
    """Columns for every figure of some rows that none of those shown has, under its own name."""
    names = dict.fromkeys(name for each in figures for name in each)
    declared = [each for each in (*BUILT_IN, *row_metrics()) if each.interval]
    ends = {end for each in declared for end in each.names[1:]}
    known = ends | {each.name for each in shown}
    return [Column(name, format=_any) for name in names if name not in known]


def _any(value: Any) -> str:
    if isinstance(value, int | float):
        return f"{value:z.4g}".replace("-", "−")
    return str(value)
