"""MO-ODPO and MI-EPO: whose pairs win, where the loss is least, and the contrast of preferences."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from paretosteer import make_benchmark, make_method, make_trainer
from paretosteer.cells.plan import plan_cell
from paretosteer.conformance import check_method, faults
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.interfaces import Lists
from paretosteer.metrics import oracle_regret
from paretosteer.policies.control import Control
from paretosteer.simplex import lattice
from paretosteer.sweeps.compose import compose_cell
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Batch
from paretosteer.training.online_pairs import OnlinePairs
from paretosteer.training.preference_contrast import PreferenceContrast
from paretosteer.training.rollout import roll_out

BETA, ACTIONS = 0.5, 6
TEXT = ("benchmark=stories", "benchmark.max_new_tokens=6", "benchmark.min_new_tokens=0")


def bandit(**values):
    return make_benchmark("bandit", **{"contexts": 4, "actions": 4} | values)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x)))


# -- labels ---------------------------------------------------------------------------------


def test_the_higher_weighted_reward_wins_everywhere_or_each_objective_has_its_own_winner():
    z = np.array([[[1.0, 0.0], [0.0, 0.8]], [[1.0, 0.0], [0.0, 0.8]], [[2.0, 2.0], [2.0, 2.0]]])
    weights = np.array([[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]])
    rng = np.random.default_rng(0)
    first, second, tie = OnlinePairs(bandit(), BETA, "scalarised").labels(z, weights, rng)
    assert first.tolist() == [[1, 1], [0, 0]]
    assert second.tolist() == [[0, 0], [1, 1]]
    assert tie.tolist() == [[0, 0], [0, 0]]  # teaches nothing
    own = OnlinePairs(bandit(), BETA, "per_objective").labels(z, weights, rng)
    assert own[:2].tolist() == [[[1, 0], [0, 1]]] * 2
    assert own[2].tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("label", ["scalarised", "per_objective"])
def test_a_sampled_winner_wins_with_its_bradley_terry_probability(label):
    n, z = 40_000, np.array([[0.4, -1.0], [-0.3, 0.6]])
    weights = np.array([0.3, 0.7])
    feedback = OnlinePairs(bandit(), BETA, label, "sampled")
    many = np.tile(z, (n, 1, 1))
    labels = feedback.labels(many, np.tile(weights, (n, 1)), np.random.default_rng(0))
    assert (labels.sum(axis=1) == 1).all()
    ahead = z[0] - z[1]
    expected = sigmoid(ahead if label == "per_objective" else [weights @ ahead] * 2)
    np.testing.assert_allclose(labels[:, 0].mean(axis=0), expected, atol=4 * 0.5 / n**0.5)
    if label == "scalarised":
        assert (labels[..., 0] == labels[..., 1]).all()  # one winner for the whole pair


def test_expected_labels_are_the_expectation_of_the_sampled_ones():
    z, weights = np.random.default_rng(0).normal(size=(5, 2, 2)), np.tile([0.3, 0.7], (5, 1))
    labels = OnlinePairs(bandit(), BETA, "scalarised", "expected").labels(z, weights, None)
    probability = sigmoid((weights * (z[:, 0] - z[:, 1])).sum(axis=1))
    for j in range(2):
        np.testing.assert_allclose(labels[:, 0, j], probability)
        np.testing.assert_allclose(labels[:, 1, j], 1 - probability)


# -- the loss in a table of logits -----------------------------------------------------------


class Table:
    """One context, float64: rows are actions, whatever the control."""

    def __init__(self, log_policy):
        self.log_policy = log_policy

    def log_probs(self, samples, control):
        return self.log_policy[samples].unsqueeze(1)


def every_pair(label_of, start):
    """Batch of all ordered pairs of actions, labelled by `label_of(first, second)`."""
    pairs = [(a, b) for a in range(ACTIONS) for b in range(ACTIONS) if a != b]
    first = torch.tensor([label_of(a, b) for a, b in pairs], dtype=torch.float64)
    labels = torch.stack([first, 1 - first], dim=1).unsqueeze(-1).expand(-1, -1, 2)
    samples = torch.tensor(pairs).ravel()
    lists = Lists(samples, labels, start[torch.tensor(pairs)], len(samples))
    return Batch(samples, torch.arange(len(pairs)).repeat_interleave(2), len(pairs), lists=lists)


@pytest.fixture
def world():
    rng = np.random.default_rng(3)
    start = torch.log_softmax(torch.tensor(rng.normal(size=ACTIONS)), -1)
    return SimpleNamespace(start=start, z=rng.normal(size=(ACTIONS, 2)), mu=np.array([0.3, 0.7]))


def loss_at(logits, world, label_of):
    batch = every_pair(label_of, world.start)
    draws = Draws(np.tile(world.mu, (batch.terms, 1)))
    policy = Table(torch.log_softmax(logits, -1))
    return OnlinePairs(bandit(), BETA).loss(policy, batch, draws, Control.start(batch.terms))


def test_sampled_labels_have_their_optimum_at_the_optimum_of_the_weighted_reward(world):
    value = world.z @ world.mu

    def probability(a, b):
        return sigmoid(value[a] - value[b])

    best = (world.start + torch.tensor(value) / BETA).requires_grad_()
    loss = loss_at(best, world, probability)
    loss.backward()
    assert best.grad.abs().max() < 1e-9
    direction = torch.tensor(np.random.default_rng(0).normal(size=(20, ACTIONS)))
    assert all(loss_at(best.detach() + 0.1 * d, world, probability) > loss for d in direction)


def test_labels_by_the_higher_value_have_no_finite_optimum(world):
    value = world.z @ world.mu
    losses = [
        float(
            loss_at(world.start + t * torch.tensor(value), world, lambda a, b: value[a] > value[b])
        )
        for t in (1.0, 10.0, 100.0, 1000.0)
    ]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-3


# -- on the bandit ---------------------------------------------------------------------------


def collected(feedback, benchmark, weights, method=None, seed=0):
    """A policy with random banks, its batch for these weights, draws and control."""
    method = method or make_method("mo_odpo", condition="banks")
    method.build_policy(benchmark, 0)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in method.policy.parameters():
            parameter.normal_(generator=generator)
    draws, control = feedback.complete(Draws(weights)), method.control(weights)
    batch = feedback.collect(method.policy, draws, control, np.random.default_rng(seed))
    if draws.others is not None:
        batch = replace(batch, others=method.control(draws.others))
    return method.policy, batch, draws, control


@pytest.mark.parametrize("i", [0, 1])
def test_at_a_vertex_both_labels_are_online_dpo_on_that_objective(i):
    benchmark, weights = bandit(), np.tile(np.eye(2)[i], (50, 1))
    losses = []
    for label in ("scalarised", "per_objective"):
        feedback = OnlinePairs(benchmark, BETA, label)
        policy, batch, draws, control = collected(feedback, benchmark, weights)
        losses.append(feedback.loss(policy, batch, draws, control))
    assert losses[0] == losses[1]
    # By hand, from the actions: their rewards say who wins.
    contexts = batch.samples.contexts
    rows = torch.arange(100)
    actions = batch.samples.action
    moved = policy.log_policy(contexts, control.take(batch.prompt_of))[rows, actions]
    start = policy.log_policy(contexts, Control.start(100))[rows, actions]
    ratio = (moved - start).detach().double().numpy().reshape(50, 2)
    reward = benchmark.score(batch.samples)[:, i].reshape(50, 2)
    sign = np.sign(reward[:, 0] - reward[:, 1])
    by_hand = np.where(sign == 0, 0, -np.log(sigmoid(BETA * sign * (ratio[:, 0] - ratio[:, 1]))))
    assert float(losses[0].detach()) == pytest.approx(by_hand.mean(), abs=1e-6)
    assert (sign != 0).sum() > 20


def test_both_samples_of_a_prompt_are_drawn_under_its_preference_and_counted():
    benchmark, method = bandit(), make_method("mo_odpo")
    trainer = make_trainer(benchmark, seed=0, steps=3)
    method.train(benchmark, trainer)
    account = trainer.account
    assert (account.steps, account.tokens, account.reward_calls) == (
        3,
        3 * trainer.rows,
        3 * trainer.rows,
    )
    assert account.flops == 10 * method.policy.size * account.tokens


def regret(benchmark, method):
    grid, prompts = lattice(len(benchmark.objectives)), benchmark.prompts("test")
    control = method.control(grid)
    points = np.zeros((len(grid), len(benchmark.objectives)))
    for cells, rows, answers in roll_out(
        method.policy, prompts, control, seed=0, samples=1, batch_rows=999
    ):
        kl = method.policy.drift(answers, rows).kl
        z = benchmark.normaliser.apply(benchmark.score(answers))
        np.add.at(points, cells.point, z - benchmark.kl_coefficient * kl[:, None])
    oracle = benchmark.oracle(grid)
    value = (grid * points).sum(axis=1) / len(prompts)
    return oracle_regret(value, (grid * oracle.points).sum(axis=1), grid @ oracle.start)


def test_trained_on_sampled_labels_it_comes_near_the_oracle_and_on_others_it_goes_past():
    benchmark, regrets = bandit(), {}
    for winner in ("sampled", "expected", "argmax"):
        method = make_method("mo_odpo", winner=winner, condition="banks")
        method.train(benchmark, make_trainer(benchmark, seed=0, steps=200))
        regrets[winner] = regret(benchmark, method)
    assert regrets["expected"] < 0.05
    assert regrets["sampled"] < 0.1
    assert regrets["argmax"] > 3 * regrets["sampled"]


# -- MI-EPO ---------------------------------------------------------------------------------


def test_without_the_contrast_mi_epo_is_mo_odpo():
    benchmark, runs = bandit(), []
    for name, values in (
        ("mo_odpo", {"label": "per_objective"}),
        ("mi_epo", {"beta_w": 0.0}),
        ("mi_epo", {"beta_w": 0.5}),
    ):
        method, trainer = make_method(name, **values), make_trainer(benchmark, seed=0, steps=12)
        method.train(benchmark, trainer)
        log = [{k: v for k, v in row.items() if k != "seconds"} for row in trainer.log]
        runs.append((method.policy.state(), log, trainer.account))
    plain, without, contrasted = runs
    assert plain[1:] == without[1:]
    assert all(torch.equal(value, without[0][name]) for name, value in plain[0].items())
    assert any(not torch.equal(value, contrasted[0][name]) for name, value in plain[0].items())
    assert contrasted[2].flops == 1.6 * plain[2].flops


def test_the_contrast_pushes_another_preference_away_from_these_answers():
    benchmark, beta_w = bandit(), 0.3
    weights = np.random.default_rng(1).dirichlet(np.ones(2), 20)
    weights[5] = weights[4]  # nothing to contrast
    feedback = PreferenceContrast(benchmark, BETA, beta_w=beta_w)
    policy, batch, draws, control = collected(feedback, benchmark, weights)
    found = feedback.contrast(policy, batch, draws)
    banks = policy.parameters()
    gradients = torch.autograd.grad(found, banks)
    # By hand: log-probabilities of all actions under every preference, one prompt at a time.
    terms = []
    for i in range(20):
        other = (i - 1) % 20
        if i == 5:
            continue
        for row in (2 * i, 2 * i + 1):
            context, action = batch.samples.contexts[row], batch.samples.action[row]
            own, away = (
                policy.log_policy([context], Control.soup(weights[[k]]))[0, action]
                for k in (i, other)
            )
            terms.append(torch.log1p(torch.exp(-beta_w * (own.detach() - away))) / 2)
    expected = torch.stack(terms).sum() / 20
    torch.testing.assert_close(found, expected)
    for gradient, by_hand in zip(gradients, torch.autograd.grad(expected, banks), strict=True):
        torch.testing.assert_close(gradient, by_hand)
    whole = feedback.loss(policy, batch, draws, control)
    torch.testing.assert_close(
        whole - OnlinePairs.loss(feedback, policy, batch, draws, control), found
    )


def test_preferences_to_contrast_do_not_depend_on_how_memory_splits_a_batch(monkeypatch):
    benchmark, seen = bandit(), []
    contrast = PreferenceContrast.contrast

    def spy(self, policy, batch, draws):
        found = contrast(self, policy, batch, draws)
        seen[-1].append((draws.weights, draws.others, batch.others.values, float(found.detach())))
        return found

    monkeypatch.setattr(PreferenceContrast, "contrast", spy)
    for parts in (1, 3, 1000):  # 1000: every prompt alone
        seen.append([])
        method, trainer = make_method("mi_epo"), make_trainer(benchmark, seed=0, steps=1)
        trainer.parts = parts
        method.train(benchmark, trainer)
    whole, *split = seen
    ((weights, others, rows, _),) = whole
    np.testing.assert_array_equal(others, np.roll(weights, 1, axis=0))
    for parts in split:
        assert all(found > 0 for *_, found in parts)
        for expected, name in ((weights, 0), (others, 1), (rows, 2)):
            np.testing.assert_array_equal(np.concatenate([p[name] for p in parts]), expected)
    assert len(split[-1]) == len(weights)


def test_a_batch_of_one_prompt_has_nothing_to_contrast():
    benchmark = bandit()
    trainer = make_trainer(benchmark, seed=0, steps=1)
    trainer.rows = 2
    with pytest.raises(UsageError, match=r"budget\.prompts: a batch of one prompt has no other"):
        make_method("mi_epo").train(benchmark, trainer)
    assert trainer.account.steps == trainer.account.tokens == 0
    make_method("mi_epo", beta_w=0.0).train(benchmark, trainer)


# -- options and benchmarks ------------------------------------------------------------------


def test_the_preference_is_written_as_clp_writes_it():
    names = ("mo_odpo", "mi_epo", "clp")
    methods = [make_method(name) for name in names[:2]] + [make_method("clp", variant="prompt")]
    benchmark, mu = bandit(objectives=3), np.array([[0.25, 0.5, 0.25], [1.0, 0.0, 0.0]])
    for method in methods:
        method.bind(benchmark.objectives)
    words = {method.control(mu).words for method in methods}
    assert words == {
        (
            "reward_1: 0.25; reward_2: 0.50; reward_3: 0.25. ",
            "reward_1: 1.00; reward_2: 0.00; reward_3: 0.00. ",
        )
    }


def test_a_benchmark_without_prompts_is_unsupported_or_takes_features():
    benchmark = bandit()
    trainer = make_trainer(benchmark, seed=0, steps=2)
    with pytest.raises(UnsupportedError, match="no text prompt to which a preference"):
        make_method("mo_odpo", condition="prompt_text").train(benchmark, trainer)
    assert trainer.account.steps == 0
    method = make_method("mo_odpo")
    method.train(benchmark, trainer)
    assert method.control(np.eye(2)).kind == "features"


def test_a_conditioning_that_reads_no_preference_is_refused():
    with pytest.raises(
        UsageError, match=r"method\.condition: found a conditioning steered by start"
    ):
        make_method("mo_odpo", condition="unconditioned").bind(bandit().objectives)


@pytest.mark.parametrize("name", ["mo_odpo", "mi_epo"])
def test_it_conforms_on_text_and_rankings(name):
    for condition in ("shifts", "features", "prompt_text"):
        found = check_method(name, *TEXT, "budget.steps=2", f"method.condition={condition}")
        assert not faults(found), "\n".join(map(str, found))
    found = check_method(name, "benchmark=ranking", "method.condition=banks", "budget.steps=4")
    assert not faults(found), "\n".join(map(str, found))


def test_on_stories_the_preference_shifts_layers_unless_words_or_a_soft_prompt_are_chosen():
    benchmark = make_benchmark("stories", budget="smoke")
    kinds = ((None, "soup"), ("prompt_text", "text"), ("features", "features"))
    for condition, kind in kinds:
        values = {"condition": condition}
        method = make_method("mo_odpo", **values)
        method.build_policy(benchmark, 0)
        assert method.control(np.eye(2)).kind == kind


@pytest.mark.parametrize("method", ["mo_odpo", "mi_epo", "ric"])
def test_a_row_says_how_the_policy_reads_preferences(method: str) -> None:
    def variant(*overrides: str) -> str:
        return plan_cell(compose_cell([f"method={method}", *overrides])).variant

    assert variant("benchmark=stories") == "shifts"
    assert variant("benchmark=stories", "method.condition=prompt_text") == "prompt_text"
    assert variant("benchmark=bandit") == "features"
