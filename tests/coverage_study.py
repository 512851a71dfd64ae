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

Array = npt.NDArray[np.float64]

PREFERENCES = np.array([[i / 10, 1 - i / 10] for i in range(11)])
REFERENCE = [-2.0, -2.0]
FRAME = Frame(PREFERENCES, np.array(REFERENCE), ("a", "b"))
# How many methods that do not differ are compared.
EQUAL = 6
# What a claim is about: training that could have come out otherwise, or just these seeds.
TRAINING, THESE = "any seed", "these seeds"


@dataclass(frozen=True)
class World:
    """Sources of variance, as standard deviations in start-model units; `reach` is the front's.

    `luck` moves all points of a seed, `wobble` each point; `prompts` is common to all methods and
    points, `taste` a method's own on a prompt, `noise` each sample's.
    """

    name: str
    seeds: int
    prompts: int = 100
    reach: float = 2.0
    luck: float = 0.15
    wobble: float = 0.03
    taste: float = 0.5
    noise: float = 0.5


WORLDS = (
    World("10 seeds", 10),
    World("10 seeds, training varies most", 10, luck=0.4, taste=0.2, noise=0.2),
    World("10 seeds, prompts vary most", 10, luck=0.03, wobble=0.0, taste=1.0),
    World("10 seeds, samples vary most", 10, luck=0.05, noise=2.0),
    World("5 seeds", 5),
    World("3 seeds", 3),
    World("1 seed", 1),
    World("10 seeds, weak steering", 10, reach=0.3),
)

Covered = Mapping[tuple[str, str], bool]


def main() -> None:
    """Simulate every world and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400, help="tables simulated per world")
    parser.add_argument("--out", type=Path, default=Path("results/reference/coverage.md"))
    args = parser.parse_args()
    text = report(WORLDS, args.repeats)
    args.out.write_text(text, encoding="utf-8")
    print(text)


def report(worlds: Sequence[World], repeats: int) -> str:
    """The study as Markdown: percent of intervals that hold the truth."""
    shares = [coverage(world, repeats) for world in worlds]
    alarms = [false_alarms(world, repeats // 2) for world in worlds]
    error = 100 * np.sqrt(0.95 * 0.05 / repeats)
    return "\n".join(
        [
            "# What the report's 95 % intervals cover",
            "",
            f"Percent of {repeats:,} simulated tables (two methods, {len(PREFERENCES)} "
            f"preferences, {worlds[0].prompts} prompts, {bootstrap.RESAMPLES:,} resamples) in "
            "which an interval held the truth: what training leads to with any seed, or with "
            f"these. Below {bootstrap.ENOUGH} seeds intervals are over prompts only. Monte Carlo "
            f"error at 95 %: {error:.1f}. Last line: percent of tables of {EQUAL} equal methods in "
            "which the report tells any two apart; 5 are allowed. Remade by `make coverage`.",
            "",
            f"| Interval of | with | {' | '.join(world.name for world in worlds)} |",
            f"|:--|:--|{'--:|' * len(worlds)}",
            *(
                f"| {' | '.join([*named, *(f'{100 * each[named]:.1f}' for each in shares)])} |"
                for named in sorted(shares[0], key=lambda named: named[1])
            ),
            f"| equal methods apart | {TRAINING} | "
            f"{' | '.join(f'{100 * each:.1f}' for each in alarms)} |",
            "",
        ]
    )


def coverage(world: World, repeats: int) -> dict[tuple[str, str], float]:
    """Share of intervals that hold the truth, by quantity and by what the claim is about."""
    truth = long_run(world)
    tables = [covered(world, truth, np.random.default_rng([7, n])) for n in range(repeats)]
    return {name: float(np.mean([table[name] for table in tables])) for name in tables[0]}


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
    return {
        (name, of): bool(low <= known[name] <= high)
        for name, (low, high) in intervals(sampled(world, means, rng)).items()
        for of, known in ((TRAINING, truth), (THESE, here))
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
    front = world.reach * (1 - 0.05 * place) * np.sqrt(PREFERENCES)
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


def quantities(means: Array) -> dict[str, Array]:
    """Quantities of the study, (seeds,), of means (2, seeds, k, m)."""
    utilities = metrics.inner_product(PREFERENCES, means)  # (2, seeds)
    volumes = np.stack([metrics.hypervolume_many(each, REFERENCE) for each in means])
    return {
        "mean": means[0, :, len(PREFERENCES) // 2, 0],
        "utility": utilities[0],
        "utility difference": utilities[0] - utilities[1],
        "hypervolume": volumes[0],
        "hypervolume difference": volumes[0] - volumes[1],
        "controllability": metrics.controllability(PREFERENCES, means[0]),
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
    resampled = np.stack([each.mean(each.points) for each in draws])  # (2, b, k, m)
    estimates = quantities(np.stack([own.mean(axis=0, keepdims=True) for own in points]))
    drawn = quantities(resampled)
    figures = bootstrap.intervals(row_metrics(), draws[0], volumes[0], points[0], FRAME)
    between = bootstrap.gap(*volumes, outer)
    assert between  # the same seeds
    linear = {
        name: bootstrap.band(estimates[name][0], drawn[name])
        for name in ("mean", "utility", "utility difference")
    }
    return {
        **{name: (float(each.low), float(each.high)) for name, each in linear.items()},
        "hypervolume difference": tuple(between.interval),
        **{name: _ends(figures, name) for name in ("hypervolume", "controllability")},
        "steering regret": _ends(figures, "steering_regret"),
    }


def _ends(figures: Mapping[str, float], name: str) -> tuple[float, float]:
    return figures[f"{name}_low"], figures[f"{name}_high"]


if __name__ == "__main__":
    main()
