"""COS-DPO: its optimum and its temperature identity by another minimiser, its forms."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import expit
from worlds import TableWorld

from paretosteer import make_benchmark, make_method, make_trainer
from paretosteer.benchmarks.bandit.conflicting_rewards import best_policies
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.metrics import controllability
from paretosteer.policies.control import Control
from paretosteer.policies.hyper_prompt import HyperPrompt
from paretosteer.simplex import lattice
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Preference, relabelled

MIDDLE = np.array([[0.5, 0.5]])


@pytest.fixture(scope="module")
def bandit():
    return make_benchmark("bandit", contexts=3, actions=5, world=6)


@pytest.fixture(scope="module")
def network():
    return make_benchmark("bandit", policy="mlp", contexts=8, actions=5, budget="smoke")


@pytest.fixture(scope="module")
def ranking():
    return make_benchmark("ranking", budget="smoke")


def trained(benchmark, steps=600, rows=256, **values):
    method = make_method("cos_dpo", **{"learning_rate": 0.1} | values)
    trainer = make_trainer(benchmark, seed=0, steps=steps)
    trainer.rows = rows
    method.train(benchmark, trainer)
    return method


def policy(benchmark, method, mu, dials=None):
    """Probabilities (contexts, K) that a method's policy gives the actions under one preference."""
    contexts = benchmark.prompts("train")
    rows = torch.zeros(len(contexts), dtype=torch.int64)
    control = method.control(mu, None if dials is None else [dials]).take(rows)
    return method.policy.answer(contexts, control, 0, rows.tolist()).log_policy.exp().numpy()


def best_under_the_losses(benchmark, w, temperatures):
    """Minimiser of sum_j w_j L_j, (contexts, K): expected pairwise DPO, one context at a time.

    Pairs are two actions drawn from the start policy without replacement. Nothing of the package
    takes part but the bandit's rewards and start policy.
    """
    contexts = benchmark.prompts("train")
    z = benchmark.normaliser.apply(benchmark.outcomes(contexts))  # (contexts, K, m)
    log_start = benchmark._log_start[[x.index for x in contexts]]
    beta = benchmark.options.kappa * np.asarray(temperatures)
    found = []
    for rewards, start in zip(z, log_start, strict=True):
        p = np.exp(start)
        pairs = p[:, None] * p[None] / (1 - p[:, None])  # first action, then second
        np.fill_diagonal(pairs, 0)

        def loss(change, rewards=rewards, pairs=pairs):
            total, pull = 0.0, np.zeros_like(pairs)  # the gradient of a pair's first action
            for j, weight in enumerate(w):
                wins = 1 / (1 + np.exp(rewards[None, :, j] - rewards[:, None, j]))
                margin = beta[j] * (change[:, None] - change[None])
                first = wins * np.logaddexp(0, -margin) + (1 - wins) * np.logaddexp(0, margin)
                total += weight * (pairs * first).sum()
                pull += weight * beta[j] * pairs * (expit(margin) - wins)
            return total, pull.sum(axis=1) - pull.sum(axis=0)

        best = minimize(loss, np.zeros(len(p)), jac=True, method="BFGS", options={"gtol": 1e-10}).x
        found.append(best - best.mean())
    return np.array(found), log_start


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def apart(p, q):
    """Largest total variation over contexts."""
    return abs(p - q).sum(axis=1).max() / 2


# -- optima ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["scratch", "augment"])
def test_training_ends_where_the_weighted_losses_have_their_optimum(bandit, form):
    """At a vertex that is the optimum of the reward, in the middle it is another policy."""
    method = trained(bandit, form=form)
    contexts = bandit.prompts("train")
    z, kappa = bandit.normaliser.apply(bandit.outcomes(contexts)), bandit.options.kappa
    for mu in (MIDDLE, np.eye(2)[:1]):
        change, log_start = best_under_the_losses(bandit, mu[0], [1.0, 1.0])
        own = softmax(log_start + change)
        rewarded = np.exp(best_policies(z, log_start, mu, kappa)[0])
        found = policy(bandit, method, mu)
        assert apart(found, own) < 0.05
        if mu is MIDDLE:
            assert apart(own, rewarded) > 0.15 and apart(found, rewarded) > 0.12
        else:
            np.testing.assert_allclose(own, rewarded, atol=1e-4)


@pytest.mark.parametrize("c", [0.5, 3.0])
def test_scaling_all_temperatures_moves_the_optimum_along_a_line(bandit, c):
    """s(c beta) = (1 - 1/c) s_0 + s(beta) / c, for temperatures that differ."""
    w, beta = [0.3, 0.7], np.array([1.4, 0.8])
    at_one, log_start = best_under_the_losses(bandit, w, beta)
    at_c, _ = best_under_the_losses(bandit, w, c * beta)
    identity = (1 - 1 / c) * log_start + (log_start + at_one) / c
    np.testing.assert_allclose(log_start + at_c, identity, rtol=0, atol=9e-8)


def test_the_temperature_variant_finds_the_optimum_at_every_temperature(bandit):
    method = trained(bandit, steps=1000, variant="temperature")
    mu = np.array([[0.3, 0.7]])
    for dials, factors in [
        ({}, [1.0, 1.0]),
        ({"temperature": 2.0}, [2.0, 2.0]),
        ({"temperature_reward_1": 1.4, "temperature_reward_2": 0.8}, [1.4, 0.8]),
    ]:
        change, log_start = best_under_the_losses(bandit, mu[0], factors)
        assert apart(policy(bandit, method, mu, dials), softmax(log_start + change)) < 0.06, dials


def test_the_norm_acts_through_the_identity_alone(network):
    """Scores of the network mixed by hand, at a norm that training never saw."""
    method = trained(network, steps=20, variant="temperature")
    mu = np.array([[0.3, 0.7]])
    plain = policy(network, method, mu)
    start = policy(network, make_started(network), mu)
    warm = policy(network, method, mu, {"temperature": 5.0})
    expected = softmax((1 - 1 / 5) * np.log(start) + np.log(plain) / 5)
    np.testing.assert_allclose(warm, expected, atol=1e-6)
    assert abs(warm - start).max() > 1e-4


def make_started(benchmark):
    method = make_method("start")
    method.train(benchmark, make_trainer(benchmark, seed=0))
    return method


def test_without_the_weights_there_is_one_policy(bandit):
    method = trained(bandit, steps=100, condition="none")
    points = np.array([policy(bandit, method, mu[None])[0, :2] for mu in lattice(2)])
    assert (points == points[0]).all()
    assert controllability(lattice(2), points) == 0.0
    assert apart(policy(bandit, method, MIDDLE), policy(bandit, make_started(bandit), MIDDLE)) > 0.1


# -- draws, labels, penalty -----------------------------------------------------------------


@pytest.mark.parametrize(("draw", "distinct"), [("step", 1), ("prompt", 32)])
def test_weights_are_drawn_once_per_step_or_for_every_prompt(bandit, monkeypatch, draw, distinct):
    batches, collect = [], Preference.collect

    def spy(self, policy, draws, control, rng):
        batches.append(np.hstack([draws.weights, draws.temperatures]))
        return collect(self, policy, draws, control, rng)

    monkeypatch.setattr(Preference, "collect", spy)
    trained(bandit, steps=3, rows=64, variant="temperature", draw=draw)
    assert [len(np.unique(batch, axis=0)) for batch in batches] == [distinct] * 3
    assert len(np.unique(np.vstack(batches), axis=0)) == 3 * distinct
    betas = np.vstack(batches)[:, 2:] / 2
    np.testing.assert_allclose(betas.sum(axis=1), 1)
    assert (betas > 0.67 / (0.67 + 1.5)).all()


def test_labels_are_shares_or_a_softmax_of_the_grades(ranking):
    lists = ranking.lists(np.random.default_rng(0), np.ones((8, 3)), None)
    assert relabelled(lists, None) is lists
    torch.testing.assert_close(relabelled(lists, "l1").labels, lists.labels)
    found = relabelled(lists, "softmax").labels.numpy()
    for row, documents in enumerate(lists.mask.sum(dim=1).tolist()):
        grades = lists.ratings[row, :documents].numpy()
        expected = np.where(grades.sum(axis=0) > 0, softmax(grades.T).T, 0)
        np.testing.assert_allclose(found[row, :documents], expected, rtol=1e-5)
        assert not found[row, documents:].any()


def test_a_list_without_labels_has_no_loss(ranking):
    lists = ranking.lists(np.random.default_rng(0), np.ones((8, 3)), None)
    lists.labels[2, :, 1] = lists.ratings[2, :, 1] = 0
    assert all(not relabelled(lists, form).labels[2, :, 1].any() for form in ("l1", "softmax"))


def test_the_feedback_learns_from_the_chosen_labels(ranking):
    """Minus the log-likelihood of softmax labels under the start scores, by hand."""
    method = make_method("cos_dpo", labels="softmax", form="augment")
    method.build_policy(ranking, seed=0)
    draws = Draws(np.tile([0.2, 0.5, 0.3], (4, 1)))
    feedback = method.feedback(ranking, make_trainer(ranking, seed=0), "preference")
    control = method.control(draws.weights)
    batch = feedback.collect(method.policy, draws, control, np.random.default_rng(0))
    found = feedback.loss(method.policy, batch, draws, control)  # untrained: uniform over a list
    lengths = batch.lists.mask.sum(dim=1).double()
    has = (batch.lists.labels.sum(dim=1) > 0).double()
    expected = ((has @ torch.tensor([0.2, 0.5, 0.3]).double()) * lengths.log()).mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)


def test_labels_that_a_benchmark_cannot_make_are_unsupported(bandit):
    with pytest.raises(
        UnsupportedError, match=r"method.labels: bandit cannot provide 'l1': it offer"
    ):
        trained(bandit, labels="l1")


def test_the_penalty_rewards_losses_along_the_weights(bandit):
    method = make_method("cos_dpo", penalty=0.5)
    method.build_policy(bandit, seed=0)
    trainer = make_trainer(bandit, seed=0)
    w = np.array([0.9, 0.1])
    draws = Draws(np.tile(w, (16, 1)))
    control = method.control(draws.weights)
    aligned = method._feedback(bandit, trainer)
    batch = aligned.collect(method.policy, draws, control, np.random.default_rng(0))
    losses = aligned.losses(method.policy, batch, draws, control).detach().double().numpy()
    mean = losses.mean(axis=0)
    cosine = mean @ w / np.linalg.norm(mean) / np.linalg.norm(w)
    found = aligned.loss(method.policy, batch, draws, control).item()
    assert found == pytest.approx(mean @ w - 0.5 * cosine, rel=1e-5)


# -- forms ----------------------------------------------------------------------------------


def test_forms_of_a_network_read_weights_beside_the_inputs(network):
    contexts = network.prompts("train")
    rows, start = len(contexts), network.start_policy(HyperPrompt(2), seed=0)
    base = start.log_policy(contexts, Control.start(rows))
    for scratch in (False, True):
        own = network.start_policy(HyperPrompt(2, replaces_start=scratch), seed=0)
        first = own.reader.network.linear[0]
        assert first.in_features == own.features.shape[1] + 2
        assert not own.layers  # no banks in the start network
        assert torch.equal(own.log_policy(contexts, Control.start(rows)), base)
        steered = own.log_policy(contexts, Control.features(np.tile([0.3, 0.7], (rows, 1))))
        assert torch.allclose(steered, base, atol=1e-6) != scratch
        by_hand = own.reader.network(
            torch.cat([own.features[:rows], torch.tensor([[0.3, 0.7]]).expand(rows, 2)], dim=1)
        )
        by_hand = by_hand if scratch else by_hand + own.network(own.features[:rows])
        torch.testing.assert_close(steered, by_hand.log_softmax(dim=1))


# -- options --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"variant": "temperature", "form": "scratch"}, "method.form: variant=temperature needs"),
        ({"variant": "temperature", "temperatures": (1.5, 0.67)}, "is not a range"),
        ({"variant": "temperature", "feedback": "reward"}, "temperatures need preference feedback"),
        ({"penalty": 0.1, "draw": "prompt"}, "method.penalty: has no effect with draw=prompt"),
        (
            {"penalty": 0.1, "feedback": "reward"},
            "method.penalty: has no effect with feedback=reward",
        ),
        ({"penalty": -0.1}, "method.penalty: found -0.1, expected at least 0"),
        ({"labels": "l2"}, "method.labels: found 'l2'"),
        ({"tokens": 0}, "method.tokens: found 0, expected at least 1"),
    ],
)
def test_bad_options_are_refused_before_training(values, message):
    with pytest.raises(UsageError, match=message):
        make_method("cos_dpo", **values).bind(TableWorld().objectives)
