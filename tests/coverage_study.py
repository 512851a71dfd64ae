"""Coverage of 95 % intervals: `make coverage` writes results/reference/coverage.md.

Tables are simulated from known truths and measured by the report's own functions. Training has
luck of its own (seeds), prompts differ, methods differ on a prompt, and every sample has noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from paretosteer import metrics
from paretosteer.cells.cell import Cell
from paretosteer.metrics.leaderboard import row_metrics
from paretosteer.metrics.measure import Frame
from paretosteer.report.analysis import bootstrap
from paretosteer.report.analysis.ranks import compare
from paretosteer.report.analysis.replicates import Replicate
from paretosteer.report.analysis.steering_intervals import steering_intervals

Array = npt.NDArray[np.float64]

PREFERENCES = np.array([[i / 10, 1 - i / 10] for i in range(11)])
REFERENCE = [-2.0, -2.0]
FRAME = Frame(PREFERENCES, np.array(REFERENCE), ("a", "b"))
# Tables of the linear quantities for each of the others.
MORE_LINEAR = 4
# How many methods that do not differ are compared.
EQUAL = 6
# What a claim is about: training that could have come out otherwise, or just these seeds.
TRAINING, THESE = "any seed", "these seeds"


@dataclass(frozen=True)
class World:
    """Sources of variance, as standard deviations in start-model units; `reach` is the front's.

    `luck` moves all points of a seed, `wobble` each point; `prompts` is common to all methods and
    points, `taste` a method's own on a prompt, `noise` each sample's. A straight front is the line
    between its ends, where neighbours are equally far apart.
    """

    name: str
    seeds: int
    prompts: int = 100
    reach: float = 2.0
    luck: float = 0.15
    wobble: float = 0.03
    taste: float = 0.5
    noise: float = 0.5
    straight: bool = False


STEERING = (
    World("easy", 10, prompts=50, wobble=0.0, straight=True),
    World("weak steering", 10, prompts=50, wobble=0.0, reach=0.3, straight=True),
    World("noisy", 10, prompts=50, wobble=0.0, noise=2.0, straight=True),
    World("easy, 1 seed", 1, prompts=50, luck=0.0, wobble=0.0, straight=True),
)
WORLDS = (
    World("10 seeds", 10),
    World("10 seeds, training varies most", 10, luck=0.4, taste=0.2, noise=0.2),
    World("10 seeds, prompts vary most", 10, luck=0.03, wobble=0.0, taste=1.0),
    World("10 seeds, samples vary most", 10, luck=0.05, noise=2.0),
    World("5 seeds", 5),
    World("3 seeds", 3),
    World("1 seed", 1),
    World("10 seeds, 8 prompts", 10, prompts=8),
    World("5 seeds, 8 prompts", 5, prompts=8),
    *STEERING,
)

Covered = Mapping[tuple[str, str], float]
# What is counted for every quantity besides the coverage of its interval.
WIDTH = "mean width"


def main() -> None:
    """Simulate every world and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400, help="tables simulated per world")
    parser.add_argument("--out", type=Path, default=Path("results/reference/coverage.md"))
    args = parser.parse_args()
    text = "\n".join([report(WORLDS, args.repeats), thin_fronts(max(1, args.repeats // 10))])
    args.out.write_text(text, encoding="utf-8")
    print(text)


def report(worlds: Sequence[World], repeats: int) -> str:
    """The study as Markdown: percent of intervals that hold the truth."""
    shares = [coverage(world, repeats) for world in worlds]
    alarms = [
        "" if world in STEERING else f"{100 * false_alarms(world, repeats // 2):.1f}"
        for world in worlds
    ]
    undecided = [f"{100 * each['pairs undecided', WIDTH]:.1f}" for each in shares]
    error = 100 * np.sqrt(0.95 * 0.05 / repeats)
    return "\n".join(
        [
            "# What the report's 95 % intervals cover",
            "",
            f"Percent of {repeats:,} simulated tables (two methods, {len(PREFERENCES)} "
            f"preferences, {worlds[0].prompts} prompts unless stated, {bootstrap.RESAMPLES:,} "
            f"resamples; of mean and utilities {MORE_LINEAR} times as many) in which an interval "
            "held the truth: what training leads to with any seed, or with these. "
            f"Below {bootstrap.ENOUGH} seeds intervals are over prompts only. Monte "
            f"Carlo error at 95 %: {error:.1f}. Equal methods apart: percent of tables of {EQUAL} "
            "equal methods in which the report tells any two apart; 5 are allowed. The last lines "
            "are mean widths, and the percent of pairs whose order is undecided. In *easy*, *weak "
            "steering* and *noisy* 50 prompts and 10 seeds lie on a straight front on which every "
            "pair is in order: each objective ranges over 2, 0.3 and 2, and the noise of a sample "
            "is 0.5, 0.5 and 2. Controllability is that of the mean outcome. Remade by `make "
            "coverage`.",
            "",
            f"| Interval of | with | {' | '.join(world.name for world in worlds)} |",
            f"|:--|:--|{'--:|' * len(worlds)}",
            *(
                f"| {' | '.join([*named, *(f'{100 * each[named]:.1f}' for each in shares)])} |"
                for named in sorted(shares[0], key=lambda named: named[1])
                if named[1] != WIDTH
            ),
            f"| equal methods apart | {TRAINING} | {' | '.join(alarms)} |",
            *(
                f"| {' | '.join([*named, *(f'{each[named]:.3f}' for each in shares)])} |"
                for named in shares[0]
                if named[1] == WIDTH and named[0] != "pairs undecided"
            ),
            f"| pairs undecided | percent | {' | '.join(undecided)} |",
            "",
        ]
    )


def coverage(world: World, repeats: int) -> dict[tuple[str, str], float]:
    """Share of intervals that hold the truth, by quantity and by what the claim is about."""
    truth = long_run(world)
    tables = [covered(world, truth, np.random.default_rng([7, n])) for n in range(repeats)]
    found = {name: float(np.mean([table[name] for table in tables])) for name in tables[0]}
    return found | linear_coverage(world, truth, MORE_LINEAR * repeats)


def linear_coverage(
    world: World, truth: Mapping[str, float], repeats: int
) -> dict[tuple[str, str], float]:
    """Share of intervals of the linear quantities, which are quick, that hold the truth."""
    hits: dict[tuple[str, str], list[bool]] = {}
    for n in range(repeats):
        rng = np.random.default_rng([7, n])
        means = np.stack([trained(world, place, world.seeds, rng) for place in (0, 1)])
        here = {name: float(values.mean()) for name, values in linear(means).items()}
        rows = sampled(world, means, rng)
        points = [np.stack([each.scores.mean(axis=1) for each in row]) for row in rows]
        draws = [bootstrap.resample(row, world.seeds >= bootstrap.ENOUGH) for row in rows]
        for name, each in bands(points, draws).items():
            for of, known in ((TRAINING, truth[name]), (THESE, here[name])):
                hits.setdefault((name, of), []).append(bool(each.low <= known <= each.high))
    return {name: float(np.mean(held)) for name, held in hits.items()}


def bands(points: Sequence[Array], draws: Sequence[bootstrap.Draws]) -> dict[str, bootstrap.Band]:
    """The report's interval of each linear quantity of two rows."""
    estimates = linear(np.stack([own.mean(axis=0, keepdims=True) for own in points]))
    drawn = linear(np.stack([each.mean_points for each in draws]))
    return {name: bootstrap.band(estimates[name][0], drawn[name]) for name in drawn}


def long_run(world: World, seeds: int = 20_000) -> dict[str, float]:
    """True means of training, over seeds and all prompts."""
    means = np.stack(
        [trained(world, place, seeds, np.random.default_rng([11, place])) for place in (0, 1)]
    )
    return {name: float(values.mean()) for name, values in quantities(means).items()}


def covered(world: World, truth: Mapping[str, float], rng: np.random.Generator) -> Covered:
    """Simulate one table and see which of its intervals hold the truth."""
    means = np.stack([trained(world, place, world.seeds, rng) for place in (0, 1)])
    here = {name: float(values.mean()) for name, values in quantities(means).items()}
    ends = intervals(sampled(world, means, rng))
    undecided = ends.pop("pairs undecided")[0]
    # Sums of shares of pairs are exact up to rounding.
    return {
        **{
            (name, of): float(low - 1e-9 <= known[name] <= high + 1e-9)
            for name, (low, high) in ends.items()
            for of, known in ((TRAINING, truth), (THESE, here))
        },
        **{(name, WIDTH): high - low for name, (low, high) in ends.items()},
        ("pairs undecided", WIDTH): undecided,
    }


def false_alarms(world: World, repeats: int) -> float:
    """Share of tables of equal methods in which at least two differ significantly."""
    return float(np.mean([_alarm(world, np.random.default_rng([13, n])) for n in range(repeats)]))


def _alarm(world: World, rng: np.random.Generator) -> bool:
    means = np.stack([trained(world, 0, world.seeds, rng) for _ in range(EQUAL)])
    volumes = [measured(row)[2] for row in sampled(world, means, rng)]
    best_first = sorted(volumes, key=lambda each: -each.mean)
    named = {str(place): each for place, each in enumerate(best_first)}
    return any(
        pair.separated
        for pair in compare(named, next(iter(named)), world.seeds >= bootstrap.ENOUGH)
    )


def trained(world: World, place: int, seeds: int, rng: np.random.Generator) -> Array:
    """True means (seeds, k, m) of what training one of the two methods gave."""
    shape = PREFERENCES if world.straight else np.sqrt(PREFERENCES)
    front = world.reach * (1 - 0.05 * place) * shape
    luck = rng.normal(size=(seeds, 1, 2)) * world.luck
    return np.asarray(front + luck + rng.normal(size=(seeds, *front.shape)) * world.wobble)


def sampled(world: World, means: Array, rng: np.random.Generator) -> list[list[Replicate]]:
    """Each method's seeds as the report reads them, from true means (methods, seeds, k, m)."""
    common = rng.normal(size=(world.prompts, 2))
    made = []
    for method in means:
        own = common + rng.normal(size=common.shape) * world.taste  # (prompts, m)
        noise = rng.normal(size=(*method.shape[:2], *common.shape)) * world.noise
        scores = method[:, :, None] + own + noise  # (seeds, k, prompts, m)
        made.append([replicate(seed, each) for seed, each in enumerate(scores)])
    return made


def replicate(seed: int, scores: Array) -> Replicate:
    """Scores (k, prompts, m) as a finished cell's."""
    cell = Cell(Path(f"seed{seed}-0123456789"), "ok", "", None, {})
    return Replicate(cell, seed, None, scores, np.empty((0, 2)), {}, {}, judged=None, optimum=None)


def linear(means: Array) -> dict[str, Array]:
    """Quantities that are linear in the points, (seeds,), of means (2, seeds, k, m)."""
    utilities = metrics.inner_product(PREFERENCES, means)  # (2, seeds)
    return {
        "mean": means[0, :, len(PREFERENCES) // 2, 0],
        "utility": utilities[0],
        "utility difference": utilities[0] - utilities[1],
    }


def quantities(means: Array) -> dict[str, Array]:
    """Quantities of the study, (seeds,), of means (2, seeds, k, m)."""
    volumes = np.stack([metrics.hypervolume_many(each, REFERENCE) for each in means])
    return linear(means) | {
        "hypervolume": volumes[0],
        "hypervolume difference": volumes[0] - volumes[1],
        "controllability": metrics.controllability(PREFERENCES, means[:1].mean(axis=1)),
        "steering regret": metrics.steering_regret(PREFERENCES, means[0]),
    }


def measured(row: Sequence[Replicate]) -> tuple[Array, bootstrap.Draws, bootstrap.Volumes]:
    """A row's points (seeds, k, m), and these and hypervolume under the report's resamples."""
    points = np.stack([each.scores.mean(axis=1) for each in row])
    draws = bootstrap.resample(row, len(row) >= bootstrap.ENOUGH)
    return points, draws, bootstrap.volumes(points, draws, REFERENCE)


def intervals(rows: Sequence[Sequence[Replicate]]) -> dict[str, tuple[float, float]]:
    """The report's interval for each of `quantities`."""
    outer = len(rows[0]) >= bootstrap.ENOUGH
    points, draws, volumes = zip(*map(measured, rows), strict=True)
    figures = bootstrap.intervals(row_metrics(), draws[0], volumes[0], points[0], FRAME)
    figures |= steering_intervals(rows[0], points[0], draws[0], PREFERENCES)
    between = bootstrap.gap(*volumes, outer)
    assert between  # the same seeds
    ends = bands(points, draws).items()
    return {
        **{name: (float(each.low), float(each.high)) for name, each in ends},
        "hypervolume difference": tuple(between.interval),
        **{name: _ends(figures, name) for name in ("hypervolume", "controllability")},
        "steering regret": _ends(figures, "steering_regret"),
        "pairs undecided": (figures["pairs_undecided"],) * 2,
    }


def _ends(figures: Mapping[str, float], name: str) -> tuple[float, float]:
    return figures[f"{name}_low"], figures[f"{name}_high"]


# Objectives of thin fronts, and points on them that are half way between two objectives.
THIN = {8: 28, 10: 45, 12: 21}
FEWER_RESAMPLES = 400


def thin_fronts(repeats: int) -> str:
    """Hypervolume on thin fronts between many conflicting objectives, as Markdown."""
    lines = []
    for objectives, pairs in THIN.items():
        truth = thin_front(objectives, pairs)
        exact = metrics.hypervolume(truth, np.zeros(objectives), exact=True)
        runs = [
            metrics.monte_carlo_hypervolume(truth, np.zeros(objectives), seed)
            for seed in range(10 * repeats)
        ]
        within = np.mean([abs(run.value - exact) <= 2 * run.error for run in runs])
        worst = max(run.error for run in runs) / exact
        tables = [] if objectives > 10 else [thin_table(truth, seed) for seed in range(repeats)]
        covered = [f"{100 * each:.1f}" for each in np.mean(tables, axis=0)] if tables else [""] * 2
        values = [f"{100 * within:.1f}", f"{100 * worst:.2f}", *covered]
        lines.append(f"| {objectives} | {len(truth)} | {' | '.join(values)} |")
    return "\n".join(
        [
            "## Thin fronts in many objectives",
            "",
            "One objective is far up in each of some points, two are half way in the others. "
            f"Percent of {10 * repeats:,} seeds in which the exact hypervolume is within 2 stated "
            "errors of its estimate, the largest stated error in percent, and percent of "
            f"{repeats:,} tables of two methods (1 seed, 50 prompts, {FEWER_RESAMPLES} resamples) "
            "whose intervals hold the hypervolume of these seeds.",
            "",
            "| Objectives | Points | Within 2 errors | Largest error | Hypervolume | Difference |",
            "|--:|--:|--:|--:|--:|--:|",
            *lines,
            "",
        ]
    )


def thin_front(objectives: int, pairs: int) -> Array:
    """Front (objectives + pairs, objectives) above the reference 0."""
    axes = np.eye(objectives)
    between = [axes[i] + axes[j] for i in range(objectives) for j in range(i)][:pairs]
    return np.concatenate([1 + 3 * axes, 0.9 + 0.45 * np.array(between)])


def thin_table(truth: Array, seed: int) -> tuple[bool, bool]:
    """Simulate a table of two methods; whether intervals hold hypervolume and difference."""
    k, m = truth.shape
    rng, reference = np.random.default_rng([17, seed]), np.zeros(m)
    weights = 50 * metrics.resampled_shares(50, FEWER_RESAMPLES, seed)
    means, volumes = np.stack([truth, 0.98 * truth]), []
    common = rng.normal(size=(50, m)) * 0.3
    for method in means:
        scores = method[:, None] + common + rng.normal(size=(k, 50, m)) * 0.3
        draws = bootstrap.Draws(
            metrics.resampled_means(scores, weights)[None], ((0, 0),), outer=False
        )
        volumes.append(bootstrap.volumes(scores.mean(axis=1)[None], draws, reference))
    known = [metrics.hypervolume(each, reference, exact=True) for each in means]
    own = metrics.reflected_interval(float(volumes[0].estimates[0]), volumes[0].draws[0])
    between = bootstrap.gap(*volumes, outer=False)
    assert between  # the same seed
    return (
        own.low <= known[0] <= own.high,
        between.interval.low <= known[0] - known[1] <= between.interval.high,
    )


if __name__ == "__main__":
    main()
