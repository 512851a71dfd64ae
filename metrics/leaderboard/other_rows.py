"""Comparisons of a row with the others of its table: dominance and the union front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from paretosteer import metrics
from paretosteer.metrics.row_metric import RowMetric

if TYPE_CHECKING:
    from paretosteer.metrics.input_checks import FloatArray
    from paretosteer.metrics.row_points import Points


def _dominated_by(rows: Sequence[Points], other_grids: Sequence[Points]) -> list[int]:
    """Compare rows at their means over replicates; those on other grids as sets of points."""
    import numpy as np

    points = np.stack([row.mean for row in rows])
    counts: list[int] = metrics.dominated_by(points).tolist()
    sets = [row.mean for row in other_grids]
    return [
        count + sum(metrics.set_dominates(other, own) for other in sets)
        for count, own in zip(counts, points, strict=True)
    ]


def _contributions(
    rows: Sequence[Points], other_grids: Sequence[Points], reference: FloatArray
) -> list[metrics.Contribution]:
    """Contribution of each row to its folds' union fronts: mean volume, total points."""
    import numpy as np

    found = []
    for place, own in enumerate(rows):
        others = [*(row for other, row in enumerate(rows) if other != place), *other_grids]
        lost = [
            metrics.contribution(
                own.of(fold),
                np.concatenate([row.of(fold) for row in others]) if others else [],
                reference,
            )
            for fold in dict.fromkeys(own.folds)
        ]
        volume = float(np.mean([each.volume for each in lost]))
        found.append(metrics.Contribution(volume, sum(each.points for each in lost)))
    return found


METRICS = (
    RowMetric(
        "dominated_by",
        "down",
        "rows that dominate this one at most preferences",
        title="Dominated by",
        meaning="How many other rows are better in every objective at more than half of the "
        "preferences. A row on another grid of preferences counts if its points cover all of this "
        "one's and are not all covered by them.",
        format="d",
        whole=True,
        place=9,
        function=_dominated_by,
        needs=("rows", "other_grids"),
    ),
    RowMetric(
        "win_rate",
        "up",
        "share of prompts won against the best at equal preference",
        title="Win rate",
        meaning="Share of test prompts on which the utility of the row's answer exceeds that of "
        "the best row under the budget at the same preference, averaged over preferences, with "
        "its paired interval. Equal utilities do not count as a win. The win rates of all pairs "
        "of rows are in report.json.",
        format=".3f",
        interval="percentile",
        section="further",
        place=1,
    ),
    RowMetric(
        "contribution",
        "up",
        "volume that the union front loses without this method",
        title="Contribution",
        meaning="Hypervolume that the union front would lose without this method.",
        format="z.3f",
        section="front",
        place=1,
        function=_contributions,
        needs=("rows", "other_grids", "reference"),
        part="volume",
    ),
    RowMetric(
        "contribution_points",
        "up",
        "own points on the union front",
        title="Points on the union front",
        meaning="How many of the method's points, over all seeds, are on the union front.",
        format="d",
        whole=True,
        section="front",
        function=_contributions,
        needs=("rows", "other_grids", "reference"),
        part="points",
    ),
    RowMetric(
        "igd_plus",
        "down",
        "distance to the oracle's or union front (IGD+)",
        title="IGD+",
        meaning="Mean distance from the points of the oracle's or union front to the region that "
        "the method's points dominate, in standard units.",
        format="z.3f",
        section="further",
        function=lambda points, front: metrics.igd_plus(points, front),
        needs=("points", "front"),
    ),
    RowMetric(
        "additive_epsilon",
        "down",
        "shift that covers the oracle's or union front",
        title="Additive ε",
        meaning="Smallest shift of all objectives, in standard units, by which the method's points "
        "would weakly dominate the oracle's or union front.",
        format="z.3f",
        section="further",
        function=lambda points, front: metrics.additive_epsilon(points, front),
        needs=("points", "front"),
    ),
)
