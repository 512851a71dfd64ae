"""A text benchmark on an encoder-decoder start model, decoded as in long-form QA."""

from dataclasses import replace

import numpy as np
import pytest

from paretosteer import make_benchmark, make_method, make_trainer
from paretosteer.benchmarks.stories.benchmark import Stories
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.text.generate import Decoding

PAPER, GREEDY = Decoding(8, temperature=0.7, top_k=20), Decoding(8, temperature=0.0)


@pytest.fixture
def world(t5, tmp_path, monkeypatch):
    t5.network.save_pretrained(tmp_path)
    t5.tokenizer.save_pretrained(tmp_path)
    monkeypatch.setattr(Stories, "decodings", lambda self: (PAPER, GREEDY))
    return make_benchmark("stories", budget="smoke", model=str(tmp_path), pool_prompts=4)


def test_training_samples_and_answers_are_greedy(world):
    prompts = world.prompts("validation")
    policy, rows = world.start_policy(Unconditioned(), 0), Control.start(len(prompts))
    answers = [policy.answer(prompts, rows, seed, [seed] * len(prompts)) for seed in (0, 1)]
    assert answers[0].texts == answers[1].texts
    pool = world.pool
    assert all(
        len(set(pool.samples.texts[i : i + pool.count])) > 1
        for i in range(0, len(pool.samples), pool.count)
    )


def test_a_pool_is_scored_in_the_units_of_its_own_calibration(world, tmp_path, monkeypatch):
    """As with another number of calibration samples, in the same cache."""
    other = make_benchmark("stories", budget="smoke", model=str(tmp_path), pool_prompts=4)
    fitted = other.normaliser
    doubled = replace(fitted, std=tuple(2 * each for each in fitted.std))
    monkeypatch.setattr(other, "normaliser", doubled)
    shifted = (other.pool.z * 2 - world.pool.z).std()
    assert shifted < 1e-6 < world.pool.z.std()


@pytest.mark.parametrize("name", ["clp", "cos_dpo", "interpolation"])
def test_every_feedback_trains_under_top_k(world, name):
    method = make_method(name)
    trainer = make_trainer(world, seed=0)
    method.train(world, trainer)
    state = method.policy.state()
    assert all(value.isfinite().all() for value in state.values())
    assert any(value.abs().sum() > 0 for key, value in state.items() if key.endswith(".B"))
    control = method.control(np.array([[0.2, 0.8], [0.9, 0.1]]))
    answers = method.policy.answer(world.prompts("test")[:2], control, 0, [0, 0])
    assert np.isfinite(method.policy.drift(answers, control).kl).all()
    assert np.isfinite(world.score(answers)).all()
