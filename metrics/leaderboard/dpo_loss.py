"""DPO loss on held-out pairs, as COS-DPO reports it (arXiv 2410.08316, table 2)."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from paretosteer import metrics
from paretosteer.metrics.row_metric import RowMetric

if TYPE_CHECKING:
    from paretosteer.metrics.input_checks import FloatArray

REFERENCE = 1.1  # loss of each objective; the start model's is ln 2


def _negated_means(losses: FloatArray, preferences: FloatArray) -> FloatArray | None:
    return -losses.mean(axis=0) if losses.shape == preferences.shape else None


def _below_reference(losses: FloatArray, preferences: FloatArray) -> float | None:
    if losses.shape != preferences.shape:
        return None
    return metrics.hypervolume(-losses, [-REFERENCE] * losses.shape[1])


METRICS = (
    RowMetric(
        "negative_dpo_loss_{objective}",
        "up",
        "negated held-out DPO loss of an objective, averaged",
        title="−DPO loss of {objective}",
        meaning="Minus the DPO loss of {objective} on held-out pairs, from the policy's "
        "log-probabilities, averaged over preferences. Not normalised: the start model's is "
        "−ln 2 ≈ −0.693.",
        format=".4f",
        section="further",
        place=9,
        function=_negated_means,
        needs=("dpo_losses", "preferences"),
    ),
    RowMetric(
        "hypervolume_dpo_loss",
        "up",
        f"hypervolume of the negated DPO losses above −{REFERENCE}",
        title="HV of DPO losses",
        meaning=f"Hypervolume of the negated DPO losses above −{REFERENCE} in each.",
        format=".4f",
        bounds=(0.0, inf),
        optional=True,
        section="further",
        place=9,
        function=_below_reference,
        needs=("dpo_losses", "preferences"),
    ),
)
