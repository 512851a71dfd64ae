"""The columns that people read: title, how a value is written, which way is better, and why."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paretosteer.plugins.row_metrics import point_metrics
from paretosteer.report.analysis.evaluate import RowResult
from paretosteer.report.analysis.measure import Figures


@dataclass(frozen=True)
class Column:
    """One column of a table for people.

    `better` is +1 where higher is better, −1 where lower is, 0 where the figure is never to be
    ranked on alone. `write` gives the text of a row that has the figure.
    """

    figure: str
    title: str
    better: int
    meaning: str
    write: Callable[[Figures], str]

    @property
    def heading(self) -> str:
        """Title with the arrow of its better direction."""
        return f"{self.title} {'↓ ↑'[self.better + 1]}".strip()

    def text(self, result: RowResult) -> str:
        """The row's value, or nothing where it does not apply."""
        return self.write(result.figures) if self.figure in result.figures else ""

    def best(self, results: Sequence[RowResult]) -> set[str]:
        """Labels of the rows that are best, ties included; the budget's exempt do not compete."""
        values = {
            result.row.label: result.figures[self.figure]
            for result in results
            if self.figure in result.figures and not result.row.exempt
        }
        if not self.better or len(values) < 2:
            return set()
        top = max(values.values(), key=lambda value: self.better * value)
        return {label for label, value in values.items() if value == top}


def present(columns: Sequence[Column], results: Sequence[RowResult]) -> list[Column]:
    """The columns of which at least one row has the figure."""
    return [each for each in columns if any(each.figure in one.figures for one in results)]


def amount(value: float) -> str:
    """A count with an SI prefix and three digits: 300 k, 1.25 M."""
    for size, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.3g}"


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


def _plain(figure: str, form: str) -> Callable[[Figures], str]:
    return lambda figures: format(figures[figure], form).replace("-", "−")


def _with_interval(figure: str, form: str) -> Callable[[Figures], str]:
    def write(figures: Figures) -> str:
        names = (figure, f"{figure}_low", f"{figure}_high")
        if names[1] not in figures:
            return _plain(figure, form)(figures)
        value, low, high = (format(figures[name], form).replace("-", "−") for name in names)
        return f"{value} [{low}, {high}]"

    return write


def _counted(figure: str, unit: str = "") -> Callable[[Figures], str]:
    def write(figures: Figures) -> str:
        text = amount(figures[figure])
        return text + unit if text[-1].isalpha() or not unit else f"{text} {unit}"

    return write


def _timed(figure: str) -> Callable[[Figures], str]:
    return lambda figures: duration(figures[figure])


def volume_error(rows: Iterable[Mapping[Any, Any]]) -> str:
    """How sure hypervolumes are that exact methods cannot reach, in a sentence; else nothing."""
    errors = [row["hypervolume_error"] / row["hypervolume"] for row in rows if estimated(row)]
    if not errors:
        return ""
    return (
        "Hypervolume is estimated by Monte Carlo (seeded, the same rays for all rows), as exact "
        "is out of reach for so many points in so many objectives: ± is the standard error, at "
        f"most {max(errors):.2%} here, and as large a share of the ratio and of hypervolumes at "
        "other references. Intervals are of the samples and leave it out; differences between "
        "rows have less of it."
    )


def estimated(row: Mapping[Any, Any]) -> bool:
    """Whether the hypervolume of a row is Monte Carlo."""
    error = row.get("hypervolume_error")
    return isinstance(error, float) and error > 0


def _volume(figures: Figures) -> str:
    """With the standard error where it is an estimate."""
    text, error = _with_interval("hypervolume", "z.2f")(figures), figures.get("hypervolume_error")
    value, _, ends = text.partition(" ")
    return f"{value} ± {error:.2g} {ends}".rstrip() if error else text


HYPERVOLUME = Column(
    "hypervolume",
    "Hypervolume",
    1,
    "How much of the space of outcomes, above the reference point, the method's points cover: "
    "the main measure of how good and how wide its front is. In brackets the interval, reflected "
    "because resampling noise inflates hypervolume. Where it is an estimate, its standard error "
    "follows ±.",
    _volume,
)

RANK = Column(
    "rank",
    "Rank",
    0,
    "Place by hypervolume among the methods under the budget, with the interval of that place "
    "over the same resamples.",
    _with_interval("rank", "d"),
)

TIES = Column(
    "tie_group",
    "Ties",
    0,
    "Rows that share a letter are not told apart in hypervolume: their difference, paired and "
    "corrected for the number of pairs in the table (Holm), is not significant at 5 %. A row may "
    "be tied with two that are themselves told apart, and then has several letters.",
    lambda figures: str(figures["tie_group"]),
)

QUALITY = (
    HYPERVOLUME,
    RANK,
    TIES,
    Column(
        "hypervolume_ratio",
        "Ratio",
        1,
        "Hypervolume as a share of that of the best front: the oracle's at the same preferences "
        "where the best possible is known exactly, else the union front, the best points of all "
        "methods in this table together, every seed's, in each fold apart.",
        _plain("hypervolume_ratio", "z.3f"),
    ),
    Column(
        "controllability",
        "Controllability",
        1,
        "Does more weight on an objective give more of it? Somers' D over all pairs of "
        "preferences, averaged over objectives: 1 always, 0 no connection, −1 always the reverse. "
        "Noise can only disorder points, so near 1 the interval reaches as far up as down; where "
        "neighbouring points differ by less than their noise, it may still be too low.",
        _with_interval("controllability", "z.2f"),
    ),
    Column(
        "oracle_regret",
        "Oracle regret",
        -1,
        "The share of what could be learnt at a preference that the method leaves, averaged over "
        "preferences: 0 is the best possible policy, 1 nothing learnt.",
        _with_interval("oracle_regret", "z.3f"),
    ),
    Column(
        "utility_loss",
        "Utility loss",
        -1,
        "What a user loses on average, in standard units, by using this method at their "
        "preference and not the best point of the oracle's or union front.",
        _plain("utility_loss", "z.3f"),
    ),
    Column(
        "steering_regret",
        "Steering regret",
        0,
        "The part of that loss which better aim alone would recover: the method has a better "
        "point for that preference, but offers it for another. 0 also for a method that never "
        "moves, so never a reason to choose one.",
        _plain("steering_regret", "z.3f"),
    ),
    Column(
        "dominated_by",
        "Dominated by",
        -1,
        "How many other rows are better in every objective at more than half of the preferences.",
        _plain("dominated_by", "d"),
    ),
    Column(
        "kl",
        "KL",
        0,
        "Drift from the start model in nats per sample, averaged over preferences. Reward can "
        "always be bought with more of it.",
        _plain("kl", "z.2f"),
    ),
)


def quality() -> tuple[Column, ...]:
    """The main columns, and one for each metric of a plug-in."""
    better = {"up": 1, "down": -1, "shown": 0}
    plugins = [
        Column(
            each.name,
            each.name,
            better[each.direction],
            f"{each.summary} (a plug-in's metric, version {each.version}).",
            _plain(each.name, "z.4g"),
        )
        for each in point_metrics()
    ]
    return (*QUALITY, *plugins)


DETAIL = (
    Column(
        "hypervolume_behind",
        "Behind the best",
        0,
        "Hypervolume that the row lacks against the best under the budget, with its paired "
        "interval, over the folds and seeds that both have. An interval that holds 0 does not tell "
        "the two apart.",
        _with_interval("hypervolume_behind", "z.2f"),
    ),
    Column(
        "expected_utility",
        "Expected utility",
        1,
        "Mean over preferences of the best utility among the method's own points.",
        _plain("expected_utility", "z.3f"),
    ),
    Column(
        "utility_loss_max",
        "Worst loss",
        -1,
        "Utility loss at the preference where it is largest.",
        _plain("utility_loss_max", "z.3f"),
    ),
    Column(
        "contribution",
        "Contribution",
        1,
        "Hypervolume that the union front would lose without this method.",
        _plain("contribution", "z.3f"),
    ),
    Column(
        "front_size",
        "Front size",
        1,
        "How many of the method's own points none of its others dominates.",
        _plain("front_size", ".3g"),
    ),
    Column(
        "violations",
        "Violations",
        -1,
        "Steps along an edge of the grid on which an objective falls although its weight rises.",
        _plain("violations", ".3g"),
    ),
    Column(
        "largest_backtrack",
        "Largest backtrack",
        -1,
        "The largest such fall, in standard units.",
        _plain("largest_backtrack", "z.3f"),
    ),
    Column(
        "hypervolume_ref_1",
        "HV at −1",
        1,
        "Hypervolume above −1 in every objective.",
        _plain("hypervolume_ref_1", "z.2f"),
    ),
    Column(
        "hypervolume_ref_3",
        "HV at −3",
        1,
        "Hypervolume above −3 in every objective.",
        _plain("hypervolume_ref_3", "z.2f"),
    ),
    Column(
        "hypervolume_equal_drift",
        "HV at equal drift",
        1,
        "Hypervolume of the points whose KL from the start model is below the same threshold for "
        "all rows of a table: the one that half of the table's points that moved are below. "
        "Another threshold may order the rows otherwise: see the curve. Nothing where no point is "
        "below.",
        _plain("hypervolume_equal_drift", "z.2f"),
    ),
    Column(
        "equal_drift_kl",
        "Equal drift",
        0,
        "That threshold, in nats per sample.",
        _plain("equal_drift_kl", ".3g"),
    ),
    Column(
        "start_nll",
        "Start NLL",
        0,
        "Negative log-likelihood of the method's samples under the start model, nats per sample.",
        _plain("start_nll", "z.1f"),
    ),
    Column("tokens", "Length", 0, "Tokens per sample.", _plain("tokens", "z.1f")),
)

STEPS = Column(
    "train_steps",
    "Steps",
    0,
    "Optimiser steps over everything that a cell trained, selection included.",
    _plain("train_steps", ".0f"),
)

COSTS = (
    STEPS,
    Column(
        "budget_steps",
        "Cap",
        0,
        "The budget: the most optimiser steps a cell may take. Tokens, reward calls and "
        "validation sampling are counted but not equalised.",
        _plain("budget_steps", "d"),
    ),
    Column("train_tokens", "Train tokens", 0, "Tokens trained on.", _counted("train_tokens")),
    Column(
        "selection_tokens",
        "Selection tokens",
        0,
        "Tokens sampled to choose options on validation prompts.",
        _counted("selection_tokens"),
    ),
    Column("reward_calls", "Reward calls", 0, "Samples scored.", _counted("reward_calls")),
    Column("flops", "FLOPs", 0, "Arithmetic, estimated.", _counted("flops")),
    Column("seconds_train", "Training", 0, "Wall time of training.", _timed("seconds_train")),
    Column("seconds_sample", "Sampling", 0, "Wall time of sampling.", _timed("seconds_sample")),
    Column("peak_memory_bytes", "Memory", 0, "Peak memory.", _counted("peak_memory_bytes", "B")),
    Column(
        "trained_parameters",
        "Parameters",
        0,
        "Parameters trained.",
        _counted("trained_parameters"),
    ),
    Column("stored_bytes", "Stored", 0, "Checkpoint as measured.", _counted("stored_bytes", "B")),
    Column(
        "switch_seconds",
        "Switch",
        0,
        "Time to turn to a new preference.",
        _timed("switch_seconds"),
    ),
)


def steering_columns(names: Sequence[str]) -> list[Column]:
    """How each objective follows its own weight."""
    return [
        *(
            Column(
                f"controllability_{name}",
                f"Control of {name}",
                1,
                f"Controllability of {name} alone.",
                _plain(f"controllability_{name}", "z.2f"),
            )
            for name in names
        ),
        *(
            Column(
                f"range_{name}",
                f"Range of {name}",
                1,
                f"How far {name} goes from the least weight to all weight on it.",
                _plain(f"range_{name}", "z.2f"),
            )
            for name in names
        ),
        *(each for each in DETAIL if each.figure in ("violations", "largest_backtrack")),
    ]


def other_columns(results: Sequence[RowResult], known: Sequence[Column]) -> list[Column]:
    """Columns for every figure that none of the known ones shows, under its own name."""
    told = {column.figure for column in known}
    names = dict.fromkeys(name for each in results for name in each.figures)
    ends = {f"{name}_{end}" for name in names for end in ("low", "high")}
    return [Column(name, name, 0, "", _any(name)) for name in names if name not in told | ends]


def _any(figure: str) -> Callable[[Figures], str]:
    def write(figures: Figures) -> str:
        if isinstance(figures[figure], int | float):
            return _with_interval(figure, "z.4g")(figures)
        return str(figures[figure])

    return write
