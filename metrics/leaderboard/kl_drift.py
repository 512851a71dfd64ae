"""Drift from the start model, and quality at equal drift."""

from paretosteer.metrics.row_metric import RowMetric

METRICS = (
    RowMetric(
        "kl",
        "shown",
        "KL from the start model, nats per sample",
        title="KL",
        meaning="Drift from the start model in nats per sample, averaged over preferences. A "
        "method can always gain reward by drifting further.",
        format="z.2f",
        place=10,
        terminal=4,
        tracked=True,
        function=lambda kl: kl.mean(),
        needs=("kl",),
    ),
    RowMetric(
        "hypervolume_equal_drift",
        "up",
        "hypervolume of points below a KL common to all rows",
        title="HV at equal drift",
        meaning="Hypervolume of the points whose KL from the start model is below a threshold "
        "common to all rows of a table: the median KL of the points of competing rows, without "
        "the start model. Another threshold may order the rows differently: see the curve. Empty "
        "if a seed has no point below the threshold.",
        format="z.2f",
        optional=True,
        section="further",
        place=5,
    ),
    RowMetric(
        "equal_drift_kl",
        "shown",
        "KL threshold of hypervolume_equal_drift, nats per sample",
        title="Equal drift",
        meaning="That threshold, in nats per sample.",
        format=".3g",
        optional=True,
        section="further",
        place=6,
    ),
    RowMetric(
        "start_nll",
        "shown",
        "negative log-likelihood under the start model",
        title="Start NLL",
        meaning="Negative log-likelihood of the method's samples under the start model, nats per "
        "sample.",
        format="z.1f",
        section="further",
        place=7,
        function=lambda start_nll: start_nll.mean(),
        needs=("start_nll",),
    ),
    RowMetric(
        "tokens",
        "shown",
        "tokens per sample",
        title="Length",
        meaning="Tokens per sample.",
        format="z.1f",
        section="further",
        place=8,
        function=lambda tokens: tokens.mean(),
        needs=("tokens",),
    ),
)
