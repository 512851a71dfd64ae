"""Units are those of the benchmark as it is configured, whatever the cache holds of others."""

import numpy as np
import pytest
from small_model import write_model

from paretosteer import make_benchmark
from paretosteer.errors import UsageError
from paretosteer.metrics import Normaliser
from paretosteer.training.scoring import Scorer


@pytest.fixture(scope="module")
def world(pair_files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "start"
    write_model(folder)

    def make(**options):
        given = {"budget": "smoke", "pairs": pair_files, "model": str(folder), "max_new_tokens": 4}
        return make_benchmark("preferences", **(given | options))

    _ = make().normaliser  # fills the cache
    return make


@pytest.mark.parametrize(
    "options",
    [
        {"template": "Once upon a time, a bear was asked: {prompt}"},
        {"max_prompt_tokens": 16},
        {"max_prompt_tokens": 16, "truncate": "right"},
        {"evaluation_prompts": 6},
    ],
)
def test_units_are_those_of_the_prompts_as_configured(world, options):
    if "truncate" in options:
        _ = world(max_prompt_tokens=16).normaliser
    found = world(**options)
    prompts, count = found.prompts("calibration"), found.setting.budget.calibration_samples
    assert prompts != world().prompts("calibration")
    raw = Scorer(found).score(found._start_samples("start model", prompts, count))
    measured = Normaliser.fit(raw, [o.name for o in found.objectives])
    np.testing.assert_allclose(found.normaliser.mean, measured.mean)
    np.testing.assert_allclose(found.normaliser.std, measured.std)


def test_a_head_of_an_unchecked_backbone_does_not_serve_a_run_that_checks(world):
    _ = world(reward_backbone="start")
    with pytest.raises(UsageError, match="predicts the pairs' answers worse"):
        world(reward_backbone="start", budget="quick")


def test_units_are_measured_once_for_equal_options(world, monkeypatch):
    again = world()
    monkeypatch.setattr(type(again), "_start_samples", None)
    assert again.normaliser == world().normaliser
