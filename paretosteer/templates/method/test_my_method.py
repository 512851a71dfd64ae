"""My method conforms, and more weight on an objective gives more of it."""

import numpy as np
from paretosteer import make_benchmark, make_trainer
from paretosteer.conformance import check_method, faults

from my_method import MyMethod


def test_it_conforms() -> None:
    assert not faults(check_method(MyMethod))


def test_more_weight_on_an_objective_gives_more_of_it() -> None:
    bandit = make_benchmark("bandit", budget="smoke")
    method = MyMethod(MyMethod.Options())
    method.train(bandit, make_trainer(bandit, seed=0, steps=100))
    grid = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    prompts = bandit.prompts("test")
    rewards = [
        bandit.score(
            method.policy.answer(prompts, method.steer([mu] * len(prompts)), 0, [0] * len(prompts))
        ).mean(axis=0)
        for mu in grid
    ]  # three points, (3, m)
    assert (np.diff([first for first, _ in rewards]) < 0).all()
    assert (np.diff([second for _, second in rewards]) > 0).all()
