"""Intervals of controllability and steering regret, which noise moves away from their bounds.

Both are figures of a method's mean outcome over its replicates. `results/reference/coverage.md`
reports the coverage and the width of these intervals.
"""

from collections.abc import Sequence

import numpy as np

from paretosteer import metrics
from paretosteer.metrics.input_checks import FloatArray
from paretosteer.metrics.measure import Figures
from paretosteer.report.analysis.bootstrap import Draws, prompt_means
from paretosteer.report.analysis.replicates import Replicate


def steering_intervals(
    replicates: Sequence[Replicate], points: FloatArray, draws: Draws, preferences: FloatArray
) -> Figures:
    """Both intervals, and the shares of pairs that the first rests on.

    `points` (replicates, k, m) are the row's, `draws` their resamples, `preferences` (k, m).
    """
    regret = regret_interval(replicates, points, draws, preferences)
    figures = {"steering_regret_low": regret.low, "steering_regret_high": regret.high}
    if metrics.steerable(preferences):
        order = metrics.pair_order(preferences, points.mean(axis=0), draws.mean_points)
        figures |= {f"pairs_{name}": share for name, share in order._asdict().items()}
        figures |= {
            "controllability_low": order.interval.low,
            "controllability_high": order.interval.high,
        }
    return figures


def regret_interval(
    replicates: Sequence[Replicate], points: FloatArray, draws: Draws, preferences: FloatArray
) -> metrics.Interval:
    """Interval from the lower end of the cross-fitted regret to the upper end of the plain one.

    Noise makes the cross-fitted regret too small and the plain one, of the best noisy point, too
    large, so the truth is between their expectations. The lower end is that of the percentile
    interval of the first, and at least 0. The upper end is as far above the second as the lower end
    of its percentile interval is below the resamples' mean: its own bias is not corrected, so the
    interval is rather too wide.
    """
    gains = [metrics.gains_by_prompt(preferences, each.scores) for each in replicates]
    fitted = metrics.percentile_interval(prompt_means(replicates, gains, draws.outer))
    plain = float(np.mean([metrics.steering_regret(preferences, each) for each in points]))
    resampled = draws.mean(draws.each(lambda each: metrics.steering_regret(preferences, each)))
    reach = float(resampled.mean()) - metrics.percentile_interval(resampled).low
    return metrics.Interval(max(fitted.low, 0.0), max(fitted.high, plain + reach, 0.0))
