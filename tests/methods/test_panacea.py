"""Panacea: its change of the weights, and both aggregations, computed apart from our code."""

import numpy as np
import pytest
import torch
from torch import nn
from worlds import TableWorld

from paretosteer import make_benchmark, make_method
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.control import Control
from paretosteer.training.draws import Draws, dirichlet, one_per_batch
from paretosteer.training.feedback import Preference, leave_one_out
from paretosteer.training.tchebycheff import (
    TchebycheffExpectation,
    TchebycheffPreference,
    TchebycheffReward,
    active,
    entropy,
)


def panacea_layer(m=3, rank=5):
    torch.manual_seed(0)
    conditioning = make_method("panacea", rank=rank, alpha=2.0 * rank).conditioning(m)
    layer = conditioning.linear(nn.Linear(7, 6).double(), ActiveBanks()).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer


def small_bandit(method="panacea", **options):
    bandit = make_benchmark("bandit", policy="mlp", contexts=16)
    made = make_method(method, **options)
    made.build_policy(bandit, 0)
    torch.manual_seed(1)
    for parameter in made.policy.parameters():
        nn.init.normal_(parameter, std=0.3)
    return bandit, made


def test_the_change_is_that_of_the_definition():
    """U diag(sigma, s mu) V, with one s per layer and a constant of alpha / rank."""
    layer = panacea_layer()
    u, v = layer.B.detach().numpy(), layer.A.detach().numpy()
    sigma, (s,) = layer.C0.detach().numpy(), layer.preference_scale.tolist()
    mu = np.array([0.2, 0.5, 0.3])
    expected = 2.0 * u @ np.diag(np.concatenate([sigma, s * mu])) @ v
    a, b = layer.factors(torch.tensor(mu))
    np.testing.assert_allclose((b @ a).detach().numpy(), expected, rtol=1e-13)


def test_it_is_affine_in_the_preference():
    layer = panacea_layer()
    mu = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
    a, b = layer.factors(mu)
    mixed = sum(c * layer.delta(k) for k, c in enumerate(mu))
    assert (b @ a - mixed).abs().max() <= 4e-16 * mixed.abs().max()


def test_an_untrained_policy_is_the_start_model_at_every_preference():
    bandit = make_benchmark("bandit", policy="mlp", contexts=16)
    method = make_method("panacea")
    method.build_policy(bandit, 0)
    contexts = bandit.prompts("test")
    start = method.policy.log_policy(contexts, Control.start(16))
    mu = np.random.default_rng(0).dirichlet(np.ones(2), 16)
    assert torch.equal(method.policy.log_policy(contexts, method.control(mu)), start)


def test_a_batch_of_preferences_equals_materialised_networks():
    bandit, method = small_bandit()
    contexts = bandit.prompts("test")
    mu = np.random.default_rng(0).dirichlet(np.ones(2), len(contexts))
    rows = method.policy.logits(contexts, method.control(mu))
    features = method.policy.features[[x.index for x in contexts]]
    for row, preference, x in zip(rows, mu, features, strict=True):
        plain = method.policy.materialise(torch.tensor(preference).float())
        torch.testing.assert_close(plain(x[None, None])[0, 0], row, atol=1e-5, rtol=1e-4)


def test_a_table_is_unsupported_with_the_reason():
    with pytest.raises(UnsupportedError, match="there are no factors to tie"):
        make_method("panacea").build_policy(make_benchmark("bandit"), 0)


def test_one_draw_serves_a_whole_batch():
    draws = one_per_batch(dirichlet(3, 1.0))(np.random.default_rng(0), 5).weights
    assert draws.shape == (5, 3) and (draws == draws[0]).all()


# -- Tchebycheff ----------------------------------------------------------------------------


def test_rows_of_one_draw_share_the_active_objective():
    weights = np.array([[0.5, 0.5], [0.5, 0.5], [0.9, 0.1]])
    shortfall = np.array([[3.0, 0.0], [0.0, 1.0], [1.0, 5.0]])  # the first two: means 1.5 and 0.5
    np.testing.assert_array_equal(active(weights, shortfall), [[0.5, 0], [0.5, 0], [0.9, 0]])
    assert active(np.array([[0.9, 0.1]]), np.array([[1.0, 9.5]])).tolist() == [[0, 0.1]]


@pytest.mark.parametrize("w", [(0.7, 0.3), (0.2, 0.8)])
def test_the_exact_gradient_is_that_of_the_largest_weighted_distance(w):
    bandit, method = small_bandit()
    contexts, n = bandit.prompts("train"), len(bandit.prompts("train"))
    draws, kappa, ideal = Draws(np.tile(w, (n, 1))), 0.5, 2.0
    control = method.control(draws.weights)
    feedback = TchebycheffExpectation(bandit, kappa)
    feedback.ideal = ideal
    batch = feedback.collect(method.policy, draws, control, np.random.default_rng(0))
    feedback.loss(method.policy, batch, draws, control).backward()
    found = [p.grad.clone() for p in method.policy.parameters()]

    method.policy.layers["linear.0"].zero_grad()
    for p in method.policy.parameters():
        p.grad = None
    log_policy = method.policy.log_policy(contexts, control)  # all contexts, in another order
    pi, start = log_policy.exp(), method.policy.log_policy(contexts, Control.start(n)).detach()
    z = torch.as_tensor(bandit.normaliser.apply(bandit.outcomes(contexts))).float()
    kl = (pi * (log_policy - start)).sum(1).mean()
    returns = [(pi * z[..., i]).sum(1).mean() - kappa * kl for i in range(2)]
    terms = [w[i] * (ideal - returns[i]) for i in range(2)]
    assert abs(terms[0].item() - terms[1].item()) > 1e-3
    max(terms, key=torch.Tensor.item).backward()
    for p, grad in zip(method.policy.parameters(), found, strict=True):
        torch.testing.assert_close(grad, p.grad, atol=1e-6, rtol=1e-4)


def test_sampled_advantages_are_of_the_objective_that_falls_short():
    world = TableWorld()
    policy = world.start_policy(make_method("rewarded_soup").conditioning(2), 0)
    feedback = TchebycheffReward(world, samples=4, kappa=0.5)
    for w in ([0.95, 0.05], [0.05, 0.95]):  # the ideal is far, so the larger weight decides
        draws, control = Draws(np.tile(w, (3, 1))), Control.bank([0] * 3)
        batch = feedback.collect(policy, draws, control, np.random.default_rng(0))
        i = int(np.argmax(w))
        z = world.score(batch.samples)[:, i].reshape(3, 4)  # at the start model the KL is 0
        np.testing.assert_allclose(batch.advantage.view(3, 4), leave_one_out(w[i] * z), rtol=1e-5)


def test_the_preference_loss_is_the_largest_weighted_excess():
    world = TableWorld()
    policy = world.start_policy(make_method("rewarded_soup").conditioning(2), 0)
    with torch.no_grad():
        policy.banks[0].normal_(generator=torch.Generator().manual_seed(0))
    n, w, beta = 6, np.array([0.4, 0.6]), 0.3
    draws, control = Draws(np.tile(w, (n, 1))), Control.bank([0] * n)
    feedback = TchebycheffPreference(world, 3, beta)
    batch = feedback.collect(policy, draws, control, np.random.default_rng(0))
    found = feedback.loss(policy, batch, draws, control)
    context, action = batch.lists.candidates
    ratio = policy.table(control)[0].detach() - world.start
    terms = []
    for i in range(2):
        total = 0.0
        for x, a in zip(context, action, strict=True):
            p = torch.softmax(world.rewards[x, a, i] / 0.5, 0)
            q = torch.softmax(beta * ratio[x, a], 0)
            total += float((p * (p / q).log()).sum())  # KL of the labels from the model
        terms.append(w[i] * total / n)
    assert float(found) == pytest.approx(max(terms), rel=1e-4)
    plain = Preference(world, 3, beta).loss(policy, batch, draws, control)
    assert float(plain) > sum(terms)  # by the entropy of the labels


def test_labels_of_any_total_have_their_least_cross_entropy():
    labels = torch.tensor([[[0.7, 0.0], [0.3, 2.0], [0.0, 0.0]]])
    least = entropy(labels)
    p = labels / labels.sum(1, keepdim=True)
    grid = torch.distributions.Dirichlet(torch.ones(3)).sample((4000,)).unsqueeze(-1)
    torch.manual_seed(0)
    cross = -(labels * grid.clamp_min(1e-12).log()).sum(1).amin(0)
    assert (least <= cross[None] + 1e-6).all()
    torch.testing.assert_close(least[0, 0], -(p[0, :2, 0] * p[0, :2, 0].log()).sum())
    assert float(least[0, 1]) == pytest.approx(0, abs=1e-5)


def test_imitation_has_no_losses_to_compare():
    method = make_method("panacea", feedback="imitation", aggregation="tchebycheff")
    with pytest.raises(UsageError, match=r"method.aggregation: tchebycheff needs a loss per obj"):
        method.bind(TableWorld().objectives)
