"""Power, against scipy's quantiles and a simulation."""

import numpy as np
import pytest
from scipy import stats

from paretosteer.metrics import MetricError
from paretosteer.metrics.power import (
    Variances,
    detectable,
    needed,
    students_quantile,
    variances,
)


@pytest.mark.parametrize("freedom", [1, 2, 4, 5, 7, 20, 500])
def test_the_quantile_is_that_of_student(freedom):
    assert students_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=2e-3)


def simulated(parts, seeds, prompts, rng, resamples=200):
    luck = rng.normal(size=(seeds, 1)) * np.sqrt(parts.seeds)
    shared = rng.normal(size=(1, prompts)) * np.sqrt(parts.shared)
    by_prompt = luck + shared + rng.normal(size=(seeds, prompts)) * np.sqrt(parts.own)
    counts = rng.multinomial(prompts, np.full(prompts, 1 / prompts), size=resamples)
    return by_prompt.mean(axis=1), by_prompt @ counts.T / prompts


def test_variances_are_found_again():
    rng, truth = np.random.default_rng(0), Variances(0.04, 3.0, 6.0)
    found = [variances(*simulated(truth, 6, 80, rng), 80) for _ in range(150)]
    for name in ("seeds", "shared", "own"):
        mean = np.mean([getattr(each, name) for each in found])
        assert mean == pytest.approx(getattr(truth, name), rel=0.15)


def test_the_planned_power_is_reached():
    rng, parts = np.random.default_rng(1), Variances(0.04, 1.0, 4.0)
    seeds, prompts = 10, 60
    difference = parts.smallest(seeds, prompts)
    error = parts.error(seeds, prompts)
    bound = stats.t.ppf(0.975, seeds - 1) * error
    means = [difference + simulated(parts, seeds, prompts, rng, 1)[0].mean() for _ in range(2000)]
    assert np.mean(np.array(means) > bound) == pytest.approx(0.8, abs=0.04)


def test_fewest_that_suffice():
    parts = Variances(0.02, 0.5, 4.0)
    more_seeds, more_prompts = needed(parts, 0.5, 5, 40, 10_000)
    assert parts.smallest(more_seeds, 40) <= 0.5 < parts.smallest(more_seeds - 1, 40)
    assert parts.smallest(5, more_prompts) <= 0.5 < parts.smallest(5, more_prompts - 1)
    # Prompts that all seeds share set a limit that no number of seeds passes, and the reverse.
    assert needed(Variances(0.0, 2.0, 0.0), 0.1, 5, 40, 10_000)[0] is None
    assert needed(Variances(1.0, 0.0, 0.0), 0.1, 5, 40, 10_000)[1] is None
    assert parts.smallest(1, 40) == float("inf")


def test_bad_input():
    with pytest.raises(MetricError, match="variance between seeds"):
        variances([0.1], [[0.1, 0.2]], 5)
    with pytest.raises(MetricError, match="draws: have shape"):
        variances([0.1, 0.2], [[0.1, 0.2]], 5)
    with pytest.raises(MetricError, match="difference: is 0"):
        needed(Variances(1, 1, 1), 0, 5, 5, 10)


def test_a_detectable_difference_is_found_with_the_stated_power() -> None:
    error = 0.7
    difference = detectable(stats.norm.ppf(0.975) * error)
    found = stats.norm.sf(stats.norm.ppf(0.975) - difference / error)
    assert found == pytest.approx(0.8)
