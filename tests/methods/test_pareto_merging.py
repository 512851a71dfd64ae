"""Pareto Merging: the merge, its distance to the specialists, and what data-free learning finds."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from paretosteer import make_benchmark, make_method, make_trainer
from paretosteer.errors import UnsupportedError
from paretosteer.methods.pareto_merging import merge
from paretosteer.policies.base import Conditioned
from paretosteer.policies.conditioning import Banks
from paretosteer.training.model_distance import ModelDistance

M, RANK, SCALE = 3, 2, 1.5


class Policy(Conditioned):
    """One linear layer in float64."""

    def __init__(self, conditioning):
        super().__init__(conditioning, 0)
        torch.manual_seed(0)
        layer = conditioning.linear(nn.Linear(7, 6).double(), self.active).double()
        self.layers = {"layer": layer}
        self.initialise_banks(torch.Generator().manual_seed(0))


def merged(tensor_rank=4):
    """Specialists with random factors, and their merge with an untrained tensor."""
    method = make_method("pareto_merging", rank=RANK, alpha=SCALE * RANK, tensor_rank=tensor_rank)
    specialists = Policy(Banks(M, RANK, SCALE * RANK))
    generator = torch.Generator().manual_seed(1)
    for parameter in specialists.parameters():
        parameter.data.normal_(generator=generator)
    tied = Policy(method.conditioning(M))
    free, layers = merge(specialists, tied)
    deltas = [specialists.layers["layer"].delta(k).detach().numpy() for k in range(M)]
    return tied, free, layers, deltas


def change(policy, mu):
    a, b = policy.layers["layer"].factors(torch.tensor(mu, dtype=torch.float64))
    return (b @ a).detach().numpy()


PREFERENCES = np.random.default_rng(0).dirichlet(np.ones(M), 6)


def test_an_untrained_tensor_leaves_the_uniform_soup_at_every_preference():
    policy, _, _, deltas = merged()
    for mu in PREFERENCES:
        np.testing.assert_allclose(change(policy, mu), sum(deltas) / M, rtol=0, atol=4e-15)


def test_it_is_affine_in_the_preference_and_its_tensor_is_that_of_the_definition():
    policy, _, (layer,), deltas = merged()
    for parameter in (layer.B, *layer.C):
        parameter.data[..., -4:].normal_(generator=torch.Generator().manual_seed(2))
    a, b = layer.A.detach().numpy()[-4:], layer.B.detach().numpy()[:, -4:]
    g = [inner.detach().numpy() for inner in layer.C]
    for mu in PREFERENCES:
        mixed = sum(c * change(policy, e) for c, e in zip(mu, np.eye(M), strict=True))
        # A few units in the last place: 4e-16 where all sums are taken in one order.
        assert abs(change(policy, mu) - mixed).max() <= 1e-15 * abs(mixed).max()
        tensor = SCALE * b @ sum(c * x for c, x in zip(mu, g, strict=True)) @ a
        expected = sum(deltas) / M + tensor
        assert abs(change(policy, mu) - expected).max() <= 1e-15 * abs(expected).max()


def test_the_distance_is_that_of_the_definition_up_to_a_constant():
    policy, _, layers, deltas = merged()
    layers[0].B.data[:, -4:].normal_(generator=torch.Generator().manual_seed(3))
    for mu in PREFERENCES:
        literal = sum(
            c * ((change(policy, mu) - d) ** 2).sum() for c, d in zip(mu, deltas, strict=True)
        )
        mean = sum(c * d for c, d in zip(mu, deltas, strict=True))
        spread = sum(c * ((mean - d) ** 2).sum() for c, d in zip(mu, deltas, strict=True))
        found = float(ModelDistance(layers).distance(mu).detach())
        assert found == pytest.approx(literal - spread, rel=1e-9)


def test_a_tensor_of_enough_rank_learns_rewarded_soup_without_data():
    policy, free, layers, deltas = merged(tensor_rank=6)  # the layer has 6 outputs
    fixed = [x.detach().clone() for x in (layers[0].A[:6], layers[0].B[:, :6], layers[0].C0)]
    optimiser = torch.optim.Adam(free, lr=0.03)
    feedback = ModelDistance(layers)
    for _ in range(1500):
        optimiser.zero_grad()
        sum(feedback.distance(mu) for mu in np.eye(M)).backward()
        optimiser.step()
        optimiser.param_groups[0]["lr"] *= 0.997
    for mu in PREFERENCES:
        soup = sum(c * d for c, d in zip(mu, deltas, strict=True))
        assert abs(change(policy, mu) - soup).max() < 0.02 * abs(soup).max()
    after = layers[0].A[:6], layers[0].B[:, :6], layers[0].C0
    assert all(torch.equal(x, y) for x, y in zip(fixed, after, strict=True))


@pytest.mark.parametrize("learning", ["distance", "feedback"])
def test_specialists_and_tensor_share_the_budget(learning):
    bandit = make_benchmark("bandit", policy="mlp", contexts=16)
    method = make_method("pareto_merging", learning=learning, specialist_share=0.6)
    trainer = make_trainer(bandit, seed=0, steps=41)
    method.train(bandit, trainer)
    steps = [row["phase"] for row in trainer.log]
    assert [steps.count(phase) for phase in ("bank 0", "bank 1", "tensor")] == [13, 12, 16]
    assert [a for a, b in pairwise(steps) if a != b] == ["bank 0", "bank 1"]


def test_a_table_is_unsupported_before_training():
    bandit = make_benchmark("bandit")
    trainer = make_trainer(bandit, seed=0, steps=5)
    with pytest.raises(UnsupportedError, match="there are no factors to tie"):
        make_method("pareto_merging").train(bandit, trainer)
    assert trainer.account.steps == 0
