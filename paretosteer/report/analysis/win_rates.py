"""Win rates at equal preference, by pairs of rows, with paired intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from paretosteer import metrics
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.metrics.measure import Figures
from paretosteer.report.analysis import bootstrap
from paretosteer.report.analysis.replicates import Replicate


class WinRate(NamedTuple):
    """Share of prompts on which a's utility exceeds b's, averaged over preferences."""

    a: str
    b: str
    rate: float
    low: float  # paired 95 % interval
    high: float


def win_rates(
    pairs: Iterable[tuple[str, str]],
    rows: Mapping[str, Sequence[Replicate]],
    preferences: FloatArray,
    outer: bool,
) -> tuple[WinRate, ...]:
    """Win rates of pairs of rows, given by label, over the replicates that both have.

    `rows` are replicates by label, `preferences` (k, m). Prompts are resampled, and replicates if
    `outer`, as everywhere.
    """
    utilities = {
        label: {each.key: _utilities(each, preferences) for each in replicates}
        for label, replicates in rows.items()
    }
    found = []
    for a, b in pairs:
        both = [each for each in rows[a] if each.key in utilities[b]]
        wins = [(utilities[a][each.key] > utilities[b][each.key]).mean(axis=0) for each in both]
        rate = float(np.mean([own.mean() for own in wins]))
        low, high = metrics.percentile_interval(bootstrap.prompt_means(both, wins, outer))
        found.append(WinRate(a, b, rate, max(low, 0.0), min(high, 1.0)))
    return tuple(found)


def against(label: str, best: str, rates: Iterable[WinRate]) -> Figures:
    """Win rate of a row against the best one, as columns; empty without that pair."""
    for each in rates:
        if (each.a, each.b) == (label, best):
            return {"win_rate": each.rate, "win_rate_low": each.low, "win_rate_high": each.high}
    return {}


def _utilities(replicate: Replicate, preferences: FloatArray) -> FloatArray:
    """Utility of every answer at its own preference, (k, prompts)."""
    return np.asarray(np.einsum("km,kpm->kp", preferences, replicate.scores))
