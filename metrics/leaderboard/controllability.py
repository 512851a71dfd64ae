"""Controllability: does more weight on an objective give more of it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretosteer import metrics
from paretosteer.metrics.row_metric import RowMetric

if TYPE_CHECKING:
    from collections.abc import Callable

    from paretosteer.metrics.input_checks import FloatArray, FloatOrArray
    from paretosteer.metrics.steering import Monotonicity


def _if_steerable(
    figure: Callable[[FloatArray, FloatArray], FloatOrArray],
) -> Callable[[FloatArray, FloatArray], FloatOrArray | None]:
    """Wrap a figure of preferences and points so that it is undefined if a weight never varies."""
    return lambda preferences, points: (
        figure(preferences, points) if metrics.steerable(preferences) else None
    )


def _falls(preferences: FloatArray, points: FloatArray) -> Monotonicity | None:
    return metrics.monotonicity(preferences, points) if metrics.steerable(preferences) else None


def _range(preferences: FloatArray, points: FloatArray) -> FloatArray | None:
    at_vertex = (metrics.round_weights(preferences) == 1).any(axis=0)  # (m,)
    return metrics.steering_range(preferences, points) if at_vertex.all() else None


METRICS = (
    RowMetric(
        "controllability",
        "up",
        "Somers' D of objectives on their weights (main)",
        title="Controllability",
        meaning="Does more weight on an objective give more of it? Somers' D over all pairs of "
        "preferences, averaged over objectives: 1 always, 0 no connection, −1 always the reverse. "
        "Noise changes the order of close points, so the value is too low where neighbouring "
        "points differ by less than their noise. For the interval, each pair is confirmed, "
        "contradicted or undecided, jointly at 95 %. Undecided pairs count as wrong at its lower "
        "end and as right at its upper end; the value itself may lie below the interval.",
        format="z.2f",
        interval="pairs",
        bounds=(-1.0, 1.0),
        place=5,
        terminal=3,
        tracked=True,
        function=_if_steerable(lambda mu, points: metrics.controllability(mu, points)),
        needs=("preferences", "points"),
    ),
    RowMetric(
        "pairs_confirmed",
        "up",
        "share of pairs significantly in the order asked for",
        title="Confirmed",
        meaning="Share of pairs of preferences in which the objective with more weight is "
        "significantly higher, by paired bootstrap, jointly over all pairs and objectives at 95 %.",
        format=".3f",
        section="steering",
    ),
    RowMetric(
        "pairs_contradicted",
        "down",
        "share of pairs significantly in the reverse order",
        title="Contradicted",
        meaning="Share of pairs in which it is significantly lower.",
        format=".3f",
        section="steering",
    ),
    RowMetric(
        "pairs_undecided",
        "shown",
        "share of pairs whose order is within the noise",
        title="Undecided",
        meaning="Share of pairs whose order the noise leaves open. More test prompts make it "
        "smaller. For a method that does not steer, all pairs are undecided.",
        format=".3f",
        section="steering",
    ),
    RowMetric(
        "controllability_{objective}",
        "up",
        "Somers' D of one objective on its weight",
        title="Control of {objective}",
        meaning="Controllability of {objective} alone.",
        format="z.2f",
        section="steering",
        function=_if_steerable(lambda mu, points: metrics.somers_d(mu, points)),
        needs=("preferences", "points"),
    ),
    RowMetric(
        "range_{objective}",
        "up",
        "objective at its own vertex minus its least elsewhere",
        title="Range of {objective}",
        meaning="How far {objective} goes from the least weight to all weight on it.",
        format="z.2f",
        section="steering",
        function=_range,
        needs=("preferences", "points"),
    ),
    RowMetric(
        "order_agreement",
        "up",
        "share of pairs in the order asked for, (D + 1) / 2",
        title="Order agreement",
        meaning="Share of pairs of preferences whose points are in the order of their weights, "
        "with a tie counting one half. It is controllability expressed as a share.",
        format="z.3f",
        section="further",
        function=_if_steerable(lambda mu, points: metrics.order_agreement(mu, points)),
        needs=("preferences", "points"),
    ),
    RowMetric(
        "spearman",
        "up",
        "rank correlation of objectives with their weights",
        title="Spearman's ρ",
        meaning="Rank correlation of each objective with its own weight, averaged over objectives.",
        format="z.3f",
        section="further",
        function=_if_steerable(lambda mu, points: metrics.spearman(mu, points).mean(axis=-1)),
        needs=("preferences", "points"),
    ),
    RowMetric(
        "kendall_tau_b",
        "up",
        "Kendall's tau-b of objectives with their weights",
        title="Kendall's τ_b",
        meaning="Kendall's τ_b of each objective with its own weight, averaged over objectives. "
        "Ties among the weights keep it below 1 even for perfect order.",
        format="z.3f",
        section="further",
        function=_if_steerable(lambda mu, points: metrics.kendall_tau_b(mu, points).mean(axis=-1)),
        needs=("preferences", "points"),
    ),
    RowMetric(
        "violations",
        "down",
        "falls of an objective along lattice edges",
        title="Violations",
        meaning="Steps along an edge of the grid on which an objective falls although its weight "
        "rises.",
        format=".3g",
        section="steering",
        function=_falls,
        needs=("preferences", "points"),
        part="violations",
    ),
    RowMetric(
        "largest_backtrack",
        "down",
        "the largest fall of an objective along a lattice edge",
        title="Largest backtrack",
        meaning="The largest such fall, in standard units.",
        format="z.3f",
        section="steering",
        function=_falls,
        needs=("preferences", "points"),
        part="largest_backtrack",
    ),
)
