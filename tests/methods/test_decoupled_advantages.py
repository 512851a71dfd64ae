"""GDPO's advantages: GRPO's with one objective, and blind to the scale of any reward."""

import numpy as np
import pytest
import torch
from worlds import TableWorld

from paretosteer import make_benchmark, make_method, make_trainer
from paretosteer.errors import UnsupportedError
from paretosteer.policies.control import Control
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Reward, decoupled_advantages, leave_one_out


def grpo(rewards):
    """Advantages of groups (p, n), standardised in each group and then over the batch."""
    own = [[(r - np.mean(g)) / (np.std(g, ddof=1) + 1e-4) for r in g] for g in rewards]
    own = np.array(own)
    return (own - own.mean()) / (own.std(ddof=1) + 1e-4)


def test_one_objective_gives_batch_normalised_grpo():
    rewards = np.random.default_rng(0).normal(3.0, 2.0, size=(5, 4))
    found = decoupled_advantages(rewards[..., None], np.ones((5, 1)))
    np.testing.assert_allclose(found, grpo(rewards), atol=1e-12)
    one_hot = np.stack([rewards, rewards**2], axis=-1)
    found = decoupled_advantages(one_hot, np.tile([1.0, 0.0], (5, 1)))
    np.testing.assert_allclose(found, grpo(rewards), atol=1e-12)


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_the_scale_of_one_reward_does_not_matter(scale):
    rng = np.random.default_rng(1)
    z, weights = rng.normal(size=(6, 8, 3)), rng.dirichlet(np.ones(3), 6)
    scaled = z * [1.0, scale, 1.0]
    found = decoupled_advantages(scaled, weights)
    # Relative change of a divisor by its floor: 1e-4 / (scale * std).
    floor = 2e-4 / (min(1.0, scale) * z.std(axis=1, ddof=1).min())
    before = decoupled_advantages(z, weights)
    np.testing.assert_allclose(found, before, atol=floor * abs(before).max() * 2)
    gain = np.einsum("pnm,pm->pn", scaled, weights)
    joint = leave_one_out(gain) / leave_one_out(gain).std()
    assert abs(joint - found).max() > 0.5  # the sum of the rewards depends on the scale


def collected(kappa, decoupled, scale=1.0):
    world = TableWorld()
    world.rewards = world.rewards * torch.tensor([1.0, scale])
    policy = world.start_policy(make_method("rewarded_soup").conditioning(2), 0)
    with torch.no_grad():
        policy.banks[0].normal_(generator=torch.Generator().manual_seed(0))
    feedback = Reward(world, samples=8, kappa=kappa, decoupled=decoupled)
    draws, control = Draws(np.tile([0.4, 0.6], (5, 1))), Control.bank([0] * 5)
    batch = feedback.collect(policy, draws, control, np.random.default_rng(0))
    start = policy.log_probs(batch.samples, Control.start(40)).detach()
    return batch.advantage.double().numpy().reshape(5, 8), batch.samples.log_probs - start


def test_the_kl_stays_outside_with_its_own_baseline():
    free, log_ratio = collected(0.0, True)
    priced, _ = collected(0.7, True)
    kl = log_ratio.double().numpy().reshape(5, 8)
    others = (kl.sum(axis=1, keepdims=True) - kl) / 7
    np.testing.assert_allclose(priced, free - 0.7 * (kl - others), atol=1e-5)
    assert free.std(ddof=1) == pytest.approx(1, abs=1e-3)
    assert free.mean() == pytest.approx(0, abs=1e-6)


def test_the_option_reaches_the_training_of_every_method_on_samples():
    np.testing.assert_allclose(
        collected(0.0, True, scale=50.0)[0], collected(0.0, True)[0], atol=1e-2
    )
    assert abs(collected(0.0, False, 50.0)[0] - collected(0.0, False)[0]).max() > 1
    stories = Reward.of(
        TableWorld(), make_method("clp", kappa=0.1, advantage="decoupled").options, TrainerOf(4)
    )
    assert stories.decoupled


class TrainerOf:
    seed = 0

    def __init__(self, samples):
        self.samples = samples


def test_exact_expectations_have_no_advantages_to_decouple():
    bandit = make_benchmark("bandit")
    method = make_method("clp", advantage="decoupled")
    trainer = make_trainer(bandit, seed=0, steps=3)
    with pytest.raises(UnsupportedError, match=r"method.advantage: bandit sums over all samples"):
        method.train(bandit, trainer)
    assert trainer.account.steps == 0
