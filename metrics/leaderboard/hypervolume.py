"""Hypervolume, which ranks the rows, and comparisons of rows by it."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import TYPE_CHECKING

from paretosteer import metrics
from paretosteer.metrics.row_metric import RowMetric

if TYPE_CHECKING:
    from paretosteer.metrics.input_checks import FloatArray


# The reference point is a choice; hypervolumes at these show whether the ranking depends on it.
OTHER_REFERENCES = {"hypervolume_ref_1": -1.0, "hypervolume_ref_3": -3.0}


def _volume(points: FloatArray, reference: FloatArray, exact: bool) -> metrics.Volume:
    return metrics.hypervolume_with_error(points, reference, exact)


def _ratio(points: FloatArray, front: FloatArray, reference: FloatArray) -> float | None:
    if metrics.points_outside(front, reference) == len(front):
        return None
    return metrics.hypervolume_ratio(points, front, reference)


def _above(value: float, points: FloatArray, exact: bool) -> float:
    return metrics.hypervolume(points, [value] * points.shape[1], exact)


METRICS = (
    RowMetric(
        "hypervolume",
        "up",
        "volume dominated above the reference point (main)",
        title="Hypervolume",
        meaning="How much of the space of outcomes, above the reference point, the method's "
        "points cover: the main measure of how good and how wide its front is. Its interval is in "
        "brackets; it is reflected, because resampling noise inflates hypervolume. Where the "
        "hypervolume is an estimate, its standard error follows ±; rows of one table are all "
        "exact or all estimated.",
        format="z.2f",
        interval="reflected",
        bounds=(0.0, inf),
        place=1,
        terminal=1,
        tracked=True,
        function=_volume,
        needs=("points", "reference", "exact"),
        part="value",
    ),
    RowMetric(
        "hypervolume_ratio",
        "up",
        "hypervolume over the oracle's or the union front's",
        title="Ratio",
        meaning="Hypervolume as a share of that of the best front. Where the best possible front "
        "is known exactly, this is the oracle's at the same preferences. Otherwise, it is the "
        "union front: the best points of all methods and seeds in this table together, separately "
        "in each fold.",
        format="z.3f",
        place=4,
        function=_ratio,
        needs=("points", "front", "reference"),
    ),
    RowMetric(
        "hypervolume_error",
        "shown",
        "standard error of a hypervolume that is an estimate",
        title="Hypervolume's error",
        meaning="Standard error of the hypervolume where it is estimated by Monte Carlo; 0 where "
        "it is exact.",
        format=".2g",
        section="further",
        function=_volume,
        needs=("points", "reference", "exact"),
        part="error",
    ),
    RowMetric(
        "hypervolume_behind",
        "shown",
        "difference from the best hypervolume",
        title="Behind the best",
        meaning="How far the hypervolume of the row is below that of the best row under the "
        "budget, with its paired interval, over the folds and seeds that both have. The interval "
        "is for this difference alone. The column Ties decides what is significant: it corrects "
        "for the number of pairs, so a row can be tied with the best although this interval does "
        "not contain 0.",
        format="z.2f",
        interval="reflected",
        section="further",
        place=1,
    ),
    RowMetric(
        "rank",
        "shown",
        "rank by hypervolume among the rows under the budget",
        title="Rank",
        meaning="Place by hypervolume among the methods under the budget, with the interval of "
        "that place over the same resamples.",
        format="d",
        whole=True,
        interval="percentile",
        place=2,
    ),
    RowMetric(
        "tie_group",
        "shown",
        "letters that rows share if hypervolume cannot separate them",
        title="Ties",
        meaning="Rows that share a letter do not differ significantly in hypervolume: their "
        "difference, paired and corrected for the number of pairs in the table (Holm), is not "
        "significant at 5 %. A row that is tied with two rows that differ from each other has "
        "several letters.",
        format="",
        place=3,
        terminal=2,
        sparse=True,
    ),
    *(
        RowMetric(
            name,
            "up",
            f"hypervolume above {value:g} in every objective".replace("-", "−"),
            title=f"HV at {value:g}".replace("-", "−"),
            meaning=f"Hypervolume above {value:g} in every objective.".replace("-", "−"),
            format="z.2f",
            section="further",
            place=4,
            function=partial(_above, value),
            needs=("standard_points", "exact"),
        )
        for name, value in OTHER_REFERENCES.items()
    ),
)
