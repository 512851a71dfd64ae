"""PBLoRA: its change of the weights, computed apart from our code, and Panacea as its case."""

import numpy as np
import pytest
import torch
from torch import nn

from paretosteer import make_benchmark, make_method
from paretosteer.errors import UnsupportedError
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.control import Control


def layer_of(method, m=3, **options):
    torch.manual_seed(0)
    conditioning = make_method(method, **options).conditioning(m)
    layer = conditioning.linear(nn.Linear(7, 6).double(), ActiveBanks()).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer


def change(layer, mu):
    a, b = layer.factors(torch.tensor(mu, dtype=torch.float64))
    return (b @ a).detach().numpy()


def test_the_change_is_that_of_the_paper_with_its_defaults():
    layer, mu = layer_of("pblora"), np.array([0.2, 0.5, 0.3])
    a1, a2 = np.split(layer.A.detach().numpy(), [4])
    b1, b2 = np.split(layer.B.detach().numpy(), [4], axis=1)
    w1, w2 = layer.C0.detach().numpy(), [c.detach().numpy() for c in layer.C]
    assert (a2.shape, b2.shape, w1.shape, w2[0].shape) == ((4, 7), (6, 4), (4, 4), (4, 4))
    mixed = sum(c * w for c, w in zip(mu, w2, strict=True))
    expected = 8 / 4 * (b1 @ w1 @ a1 + b2 @ mixed @ a2)
    np.testing.assert_allclose(change(layer, mu), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("always_on", [0, 4])
def test_it_is_affine_in_the_preference(always_on):
    layer = layer_of("pblora", always_on=always_on)
    for mu in np.random.default_rng(0).dirichlet(np.ones(3), 20):
        mixed = sum(c * change(layer, e) for c, e in zip(mu, np.eye(3), strict=True))
        # A few units in the last place: 4e-16 where all sums are taken in one order.
        assert abs(change(layer, mu) - mixed).max() <= 1e-15 * abs(mixed).max()


def test_without_its_fixed_part_and_diagonal_it_is_panaceas_preference_part():
    m, gamma = 3, 0.7
    pblora = layer_of("pblora", m, rank=m, always_on=0, alpha=float(m))
    panacea = layer_of("panacea", m, rank=2, alpha=2.0)
    with torch.no_grad():
        panacea.C0.zero_()  # sigma = 0
        panacea.preference_scale.fill_(gamma)
        panacea.A[2:], panacea.B[:, 2:] = pblora.A, pblora.B
        for k, inner in enumerate(pblora.C):
            inner.copy_(gamma * torch.diag((torch.arange(m) == k).double()))
    for mu in np.random.default_rng(0).dirichlet(np.ones(m), 5):
        np.testing.assert_allclose(change(pblora, mu), change(panacea, mu), rtol=0, atol=4e-15)


def test_an_untrained_policy_is_the_start_model_at_every_preference():
    bandit = make_benchmark("bandit", policy="mlp", contexts=16)
    method = make_method("pblora")
    method.build_policy(bandit, 0)
    contexts = bandit.prompts("test")
    mu = np.random.default_rng(0).dirichlet(np.ones(2), 16)
    found = method.policy.log_policy(contexts, method.control(mu))
    assert torch.equal(found, method.policy.log_policy(contexts, Control.start(16)))


def test_a_table_is_unsupported_with_the_reason():
    with pytest.raises(UnsupportedError, match="there are no factors to tie"):
        make_method("pblora").build_policy(make_benchmark("bandit"), 0)
