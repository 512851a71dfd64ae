"""The bandit as a benchmark: exact figures, splits, feedback of every kind, and what it refuses."""

import numpy as np
import pytest
import torch

from paretosteer import make_benchmark, make_method, make_trainer
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.interfaces import Exact
from paretosteer.metrics import oracle_regret, somers_d
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.simplex import lattice
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Expectation, Reward
from paretosteer.training.rollout import roll_out


def bandit(**values):
    return make_benchmark("bandit", **values)


@pytest.fixture(scope="module")
def tabular():
    return bandit()


@pytest.fixture(scope="module")
def three():
    return bandit(objectives=3, contexts=32)


def points_of(benchmark, policy, control):
    """Regularised points (k, m) on test contexts, as a cell measures them."""
    prompts = benchmark.prompts("test")
    total = np.zeros((control.rows, len(benchmark.objectives)))
    for cells, rows, answers in roll_out(
        policy, prompts, control, seed=0, samples=1, batch_rows=999
    ):
        kl = policy.drift(answers, rows).kl
        z = benchmark.normaliser.apply(benchmark.score(answers))
        np.add.at(total, cells.point, z - benchmark.kl_coefficient * kl[:, None])
    return total / len(prompts)


def regret(benchmark, policy, control, mu):
    points, best = points_of(benchmark, policy, control), benchmark.oracle(mu)
    return oracle_regret((mu * points).sum(axis=1), (mu * best.points).sum(axis=1), mu @ best.start)


def optimal_soup(benchmark):
    """Banks r_i / kappa, which are the whole optimum of objective i."""
    m = len(benchmark.objectives)
    policy = benchmark.start_policy(Banks(m, 8, 8.0), seed=0)
    z = benchmark.normaliser.apply(benchmark.outcomes(benchmark.prompts("train")))
    for i, delta in enumerate(policy.table.deltas):
        delta.data.copy_(torch.as_tensor(z[..., i] / benchmark.kl_coefficient))
    return policy


def test_it_is_a_world_of_exact_expectations(tabular):
    assert isinstance(tabular, Exact)
    assert tabular.normaliser.mean == pytest.approx((0, 0), abs=1e-9)
    assert tabular.normaliser.std == pytest.approx((1, 1), abs=1e-9)


@pytest.mark.parametrize("name", ["tabular", "three"])
def test_a_soup_of_optimal_banks_is_optimal_at_every_preference(name, request):
    benchmark = request.getfixturevalue(name)
    mu = lattice(len(benchmark.objectives))
    assert abs(regret(benchmark, optimal_soup(benchmark), Control.soup(mu), mu)) < 1e-6


def test_trained_rewarded_soup_comes_near_the_truth(tabular):
    method = make_method("rewarded_soup")
    method.train(tabular, make_trainer(tabular, seed=0))
    mu = lattice(2)
    assert regret(tabular, method.policy, method.control(mu), mu) < 1e-3


FEW_SECONDS = [("rewarded_soup", "tabular"), ("clp", "tabular"), ("clp", "mlp"), ("cos_dpo", "mlp")]
MANY_SECONDS = [
    *((name, "tabular") for name in ("bone_soup", "cos_dpo", "interpolation", "morl")),
    *((name, "mlp") for name in ("rewarded_soup", "bone_soup", "interpolation", "morl")),
]


@pytest.mark.parametrize(
    ("name", "policy"),
    [*FEW_SECONDS, *(pytest.param(*each, marks=pytest.mark.slow) for each in MANY_SECONDS)],
)
def test_more_weight_gives_more_reward(name, policy):
    benchmark = bandit(policy=policy, objectives=3, contexts=32)
    method = make_method(name)
    method.train(benchmark, make_trainer(benchmark, seed=0, steps=300))
    mu = np.eye(3)
    points = points_of(benchmark, method.policy, method.control(mu))
    assert (somers_d(mu, points) == 1).all()


def test_the_start_policy_has_the_start_points(tabular):
    policy = tabular.start_policy(Banks(2, 8, 8.0), seed=0)
    found = points_of(tabular, policy, Control.start(1))
    np.testing.assert_allclose(found, tabular.oracle(lattice(2)).start[None], atol=1e-6)


def test_the_exact_gradient_is_the_mean_of_sampled_ones(tabular):
    """Expectation against the general policy gradient, whose noise averages out."""
    kappa, rows = tabular.kl_coefficient, 64
    policy = tabular.start_policy(Banks(1, 8, 8.0), seed=0)
    policy.table.deltas[0].data.normal_(generator=torch.Generator().manual_seed(0))
    draws = Draws(np.tile([0.3, 0.7], (rows, 1)))
    control = Control.bank([0] * rows)

    def gradient(feedback, rng):
        batch = feedback.collect(policy, draws, control, rng)
        loss = feedback.loss(policy, batch, draws, control)
        return torch.autograd.grad(loss, policy.parameters())[0], batch.figures

    rng = np.random.default_rng(0)
    exact, figures = gradient(Expectation(tabular, kappa), rng)
    sampled = [gradient(Reward(tabular, 64, kappa), rng) for _ in range(60)]
    mean = torch.stack([g for g, _ in sampled]).mean(dim=0)
    assert torch.cosine_similarity(exact.flatten(), mean.flatten(), dim=0) > 0.98
    assert float(mean.norm()) == pytest.approx(float(exact.norm()), rel=0.05)
    for name, value in figures.items():
        assert np.mean([f[name] for _, f in sampled]) == pytest.approx(value, abs=0.05)


def test_contexts_are_shared_by_a_table_and_split_for_a_network(tabular):
    ids = {split: {x.id for x in tabular.prompts(split)} for split in ("train", "test")}
    assert ids["train"] == ids["test"]
    network = bandit(policy="mlp", contexts=20)
    splits = [network.prompts(s) for s in ("train", "calibration", "validation", "test")]
    assert len({x.id for split in splits for x in split}) == sum(map(len, splits)) == 80


def test_pairs_come_from_the_start_policy_with_bradley_terry_labels(tabular):
    lists = tabular.lists(np.random.default_rng(0), np.ones((4000, 2)), 2)
    first, second = lists.candidates.actions.T
    assert (first != second).all()
    rewards = tabular.normaliser.apply(tabular.outcomes(lists.candidates.contexts))
    rows = np.arange(4000)
    apart = rewards[rows, first] - rewards[rows, second]  # (lists, m)
    np.testing.assert_allclose(lists.labels[:, 0], 1 / (1 + np.exp(-apart)), atol=1e-6)
    policy = tabular.start_policy(Banks(2, 8, 8.0), seed=0)
    start = policy.list_log_probs(lists.candidates, Control.start(4000))
    torch.testing.assert_close(lists.start_log_probs, start)
    expected = policy.log_policy(lists.candidates.contexts, Control.start(4000)).exp().mean(dim=0)
    drawn = torch.bincount(first, minlength=16) / 4000
    torch.testing.assert_close(drawn, expected, atol=0.03, rtol=0)
    again = tabular.lists(np.random.default_rng(0), np.tile([0.0, 1.0], (4000, 1)), 2)
    assert torch.equal(again.labels, lists.labels)  # of all objectives, whatever the weights


def test_demonstrations_are_the_start_policy_cut_to_its_best(tabular):
    weights = np.tile([1.0, 0.0], (20_000, 1))
    shown = tabular.demonstrations(np.random.default_rng(0), weights, 0.3)
    z = tabular.normaliser.apply(tabular.outcomes(shown.contexts))[..., 0]  # (rows, K)
    start = tabular.start_policy(Banks(2, 8, 8.0), seed=0)
    pi = start.log_policy(shown.contexts, Control.start(len(shown))).exp().detach().numpy()
    own = z[np.arange(len(shown)), shown.action]
    better = (pi * (z > own[:, None])).sum(axis=1)  # mass of what would have been better
    assert better.max() < 0.3
    assert better.mean() > 0.05  # not the single best only


def test_noise_belongs_to_context_and_sample_number(tabular):
    policy = optimal_soup(tabular)
    prompts = tabular.prompts("test")[:8]
    control = Control.soup(np.tile([0.5, 0.5], (8, 1)))
    together = policy.sample(prompts, control, 3, [0] * 8)
    alone = policy.sample(prompts[5:6], control.take(torch.tensor([0])), 3, [0])
    assert alone.action[0] == together.action[5]
    torch.testing.assert_close(policy.log_probs(together, control), together.log_probs)


def test_a_common_temperature_needs_no_training(tabular):
    """s(w, k beta) = s_0 + (s(w, beta) - s_0) / k, up to a constant per context."""
    policy, prompts = optimal_soup(tabular), tabular.prompts("test")
    control = Control.soup(np.tile([0.4, 0.6], (len(prompts), 1)))
    start = policy.log_policy(prompts, Control.start(len(prompts)))
    moved = policy.log_policy(prompts, control) - start
    half = Control(control.kind, control.rows, control.values, sharpness=torch.full((64,), 0.5))
    apart = policy.log_policy(prompts, half) - start - 0.5 * moved
    torch.testing.assert_close(apart - apart[:, :1], torch.zeros_like(apart), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"conflict": -1.0}, r"benchmark.conflict: found -1.0 with 2 objectives"),
        (
            {"objectives": 5, "conflict": -0.3},
            r"correlation must lie between -0.25 and 1",
        ),
        ({"objectives": 9}, r"benchmark.objectives: found 9, expected at most 8"),
        ({"kappa": 0.0}, r"benchmark.kappa: found 0.0, expected at least 0.001"),
        ({"actions": 2, "contexts": 1}, r"1 contexts with 2 actions give only 2 rewards"),
        ({"dtype": "bfloat16"}, r"dtype: found 'bfloat16', but bandit computes in float32 only"),
        ({"model": "folder"}, r"model: found 'hf', but bandit makes its own start model"),
    ],
)
def test_bad_options_are_named(values, message):
    with pytest.raises(UsageError, match=message):
        bandit(**values)


def test_more_candidates_than_actions_are_refused(tabular):
    with pytest.raises(UsageError, match=r"method.list_size: 17 candidates, but there are 16"):
        tabular.lists(np.random.default_rng(0), np.ones((4, 2)), 17)


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("clp", {"variant": "prompt"}, "no text prompt to which a preference"),
        ("clp", {"variant": "attention"}, "has no attention layers"),
        ("rewarded_soup", {"merge": "factors"}, "no factors to average"),
    ],
)
def test_what_a_table_cannot_carry_is_unsupported(tabular, name, values, reason):
    method = make_method(name, **values)
    with pytest.raises(UnsupportedError, match=reason):
        method.train(tabular, make_trainer(tabular, seed=0))
