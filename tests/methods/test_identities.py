"""Identities of the methods on any benchmark: coefficients, gradients, orientation, budget."""

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from hypothesis import given
from hypothesis import strategies as st
from worlds import TableWorld

from paretosteer.config import options
from paretosteer.errors import (
    DivergenceError,
    ParetosteerError,
    ScoringError,
    UnsupportedError,
    UsageError,
)
from paretosteer.metrics import somers_d
from paretosteer.plugins import registry
from paretosteer.policies.control import Control
from paretosteer.policies.mixing_matrix import coefficients, mixing_matrix
from paretosteer.simplex import lattice, lattice_size
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Preference, Reward, leave_one_out
from paretosteer.training.scoring import Scorer
from paretosteer.training.trainer import Trainer

TRAINED = ["rewarded_soup", "bone_soup", "clp", "cos_dpo", "interpolation", "morl"]


def make(name, **values):
    kind = registry.load("methods", name)
    return kind(options.build(kind.Options, values, "method"))


def trainer(steps=40, rows=64, seed=0):
    return Trainer(Accelerator(cpu=True), steps=steps, rows=rows, samples=8, seed=seed)


def trained(name, world, steps=40, **values):
    method = make(name, **{"learning_rate": 0.1} | values)
    account = trainer(steps)
    method.train(world, account)
    return method, account


def state(method):
    return method.policy.state()


# -- Bone Soup ------------------------------------------------------------------------------


@given(st.integers(2, 6), st.floats(0.05, 1.0))
def test_bone_soup_closed_form_solves_its_equation(m, share):
    beta = 1 / m + share * (1 - 1 / m)
    mu = np.vstack([np.eye(m), np.random.default_rng(0).dirichlet(np.ones(m), 5)])
    c = coefficients(mu, beta)
    np.testing.assert_allclose(c @ mixing_matrix(m, beta), mu, atol=1e-9)
    np.testing.assert_allclose(c.sum(axis=1), 1, atol=1e-9)
    gamma = (1 - beta) / (m - 1)
    assert ((c < -1e-12) <= (mu < gamma)).all()


def test_bone_soup_published_coefficients():
    np.testing.assert_allclose(coefficients(np.eye(2), 0.7)[0], [1.75, -0.75])
    np.testing.assert_allclose(
        coefficients(np.eye(3), 0.7)[0], [1.5455, -0.2727, -0.2727], atol=5e-5
    )
    b = mixing_matrix(3, 0.7)
    np.testing.assert_allclose(b, b.T)
    np.testing.assert_allclose(b.sum(axis=1), 1)
    np.testing.assert_allclose(coefficients(b, 0.7), np.eye(3), atol=1e-12)  # a row of B is one-hot


def test_bone_soup_at_beta_one_is_rewarded_soup():
    world = TableWorld()
    bone, _ = trained("bone_soup", world, beta=1.0, extrapolation="none")
    soup, _ = trained("rewarded_soup", world)
    assert all(torch.equal(state(bone)[k], v) for k, v in state(soup).items())
    grid = lattice(2)
    torch.testing.assert_close(bone.control(grid).values, soup.control(grid).values)


@pytest.mark.parametrize(("form", "tried"), [("code", (1 / 0.9, 2.0)), ("paper", (1.1, 1.5))])
def test_extrapolation_scales_whole_ends(form, tried):
    bone, _ = trained("bone_soup", TableWorld(), beta=0.7, extrapolation=form)
    k = bone.selection["k"]
    assert all(tried[0] - 1e-9 <= x <= tried[1] + 1e-9 for x in k)
    mu = np.array([[0.3, 0.7]])
    expected = sum(mu[0, i] * k[i] * coefficients(np.eye(2), 0.7)[i] for i in range(2))
    np.testing.assert_allclose(bone.control(mu).values[0], expected, rtol=1e-6)


def test_bone_soup_searches_beta_inside_the_budget():
    bone, account = trained("bone_soup", TableWorld(), steps=56)
    assert account.account.steps == 56
    probes = [row for row in account.log if "beta" in str(row["phase"])]
    assert len({row["phase"] for row in probes}) == 6  # three candidates of two backbones
    assert bone.selection["beta"] in (0.6, 0.7, 0.8)
    assert len(bone.policy.banks) == 2
    assert account.account.selection_tokens > 0


def test_identity_mapping_is_the_ablation():
    bone, _ = trained("bone_soup", TableWorld(), beta=0.7, extrapolation="none", mapping="identity")
    torch.testing.assert_close(bone.control(lattice(2)).values, torch.tensor(lattice(2)).float())


@pytest.mark.parametrize("values", [{"beta": 0.5}, {"beta": 0.2}, {"betas": [0.4, 0.8]}])
def test_a_beta_that_inverts_the_mixing_matrix_is_refused(values):
    with pytest.raises(UsageError, match=r"method.betas?: 0\.\d with 2 objectives"):
        make("bone_soup", **values).bind(TableWorld().objectives)


# -- CLP ------------------------------------------------------------------------------------


def test_clp_at_the_vertices_has_rewarded_soups_gradients():
    """Weights drawn at the vertices only, no shared parameters, the same data."""
    world = TableWorld()
    policies, gradients = [], []
    for name in ("rewarded_soup", "clp"):
        method = make(name)
        method.build_policy(world, 0)
        policies.append(method)
    for i in range(2):
        draws = Draws(np.tile(np.eye(2)[i], (4, 1)))
        feedback = Reward(world, samples=8, kappa=0.1)
        batch = feedback.collect(
            policies[0].policy, draws, Control.bank([i] * 4), np.random.default_rng(3)
        )
        for method, control in zip(
            policies, (Control.bank([i] * 4), policies[1].control(draws.weights)), strict=True
        ):
            bank = method.policy.banks[i]
            bank.grad = None
            feedback.loss(method.policy, batch, draws, control).backward()
            gradients.append(bank.grad.clone())
        torch.testing.assert_close(gradients[-2], gradients[-1])
        assert gradients[-1].abs().sum() > 0


def test_clp_shared_bank_is_always_on_and_kappa_is_a_dial():
    world = TableWorld()
    clp = make("clp", shared=True, kappa_range=(0.01, 1.0), kappa=0.1)
    clp.bind(world.objectives)
    control = clp.control(np.eye(2), [{"kappa": 0.1}, {"kappa": 0.2}])
    torch.testing.assert_close(control.values, torch.tensor([[1.0, 0, 1], [0, 0.5, 1]]))


def test_clp_writes_the_preference_in_words():
    clp = make("clp", variant="prompt")
    clp.bind(TableWorld().objectives)
    assert clp.control(np.array([[0.3, 0.7]])).words == ("r0: 0.30; r1: 0.70. ",)


# -- COS-DPO --------------------------------------------------------------------------------


def test_common_temperature_needs_no_training():
    """The loss at k beta of the shrunken scores is the loss at beta of the scores themselves."""
    world = TableWorld()
    feedback = Preference(world, size=4, beta=0.3)
    lists = world.lists(np.random.default_rng(0), np.ones((5, 2)), 4)
    draws = Draws(np.random.default_rng(1).dirichlet(np.ones(2), 5))
    s = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))

    class Scores:
        def __init__(self, values):
            self.values = values

        def list_log_probs(self, candidates, control):
            return self.values

    batch = type("Batch", (), {"lists": lists})()
    plain = feedback.loss(Scores(s), batch, draws, None)
    shrunk = lists.start_log_probs + (s - lists.start_log_probs) / 4
    scaled = Draws(draws.weights, temperatures=np.full((5, 2), 4.0))
    torch.testing.assert_close(feedback.loss(Scores(shrunk), batch, scaled, None), plain)


def test_temperature_dial_splits_off_the_common_factor():
    cos = make("cos_dpo", variant="temperature")
    cos.bind(TableWorld().objectives)
    mu = np.array([[0.3, 0.7]] * 3)
    dials = [{}, {"temperature": 4.0}, {"temperature_r0": 4.0, "temperature_r1": 1.0}]
    control = cos.control(mu, dials)
    torch.testing.assert_close(control.sharpness, torch.tensor([1.0, 0.25, 0.4]))
    expected = torch.tensor([[-0.4, 0.4, 0, 0], [-0.4, 0.4, 0, 0], [-0.4, 0.4, 0.6, -0.6]])
    torch.testing.assert_close(control.values, expected)
    assert cos.control(mu).sharpness is None  # at 1 the start model need not run
    assert [p.dials for p in cos.points(lattice(2))][::11] == [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0},
    ]


def test_the_negative_control_never_moves():
    world = TableWorld()
    cos, _ = trained("cos_dpo", world, condition="none")
    values = world.values(cos.policy, cos.control(lattice(2)))
    assert (values == values[0]).all()


def test_pairwise_dpo_is_the_list_of_two():
    world = TableWorld()
    lists = world.lists(np.random.default_rng(0), np.ones((6, 2)), 2)
    method = make("rewarded_soup")
    method.build_policy(world, 0)
    with torch.no_grad():
        method.policy.banks[0].normal_(generator=torch.Generator().manual_seed(0))
    control, draws = Control.bank([0] * 6), Draws(np.tile([1.0, 0.0], (6, 1)))
    batch = type("Batch", (), {"lists": lists})()
    found = Preference(world, 2, 0.3).loss(method.policy, batch, draws, control)
    s = method.policy.list_log_probs(lists.candidates, control)
    ratio = s - lists.start_log_probs
    margin = 0.3 * (ratio[:, 0] - ratio[:, 1])
    p = lists.labels[:, 0, 0]
    log_sigmoid = torch.nn.functional.logsigmoid
    expected = -(p * log_sigmoid(margin) + (1 - p) * log_sigmoid(-margin)).mean()
    torch.testing.assert_close(found, expected)


# -- Interpolation, MORL, start --------------------------------------------------------------


def test_interpolation_coefficients():
    alpha = make("interpolation")
    alpha.bind(TableWorld().objectives)
    control = alpha.control(np.array([[0.25, 0.75], [1.0, 0.0]]))
    expected = torch.tensor([[1 / 6, 1 / 2, 1 / 3, 0], [1 / 2, 0, 0, 1 / 2]])
    torch.testing.assert_close(control.values, expected)
    by_lambda = make("interpolation", control="lambda")
    by_lambda.bind(TableWorld().objectives)
    torch.testing.assert_close(
        by_lambda.control(np.array([[0.25, 0.75]])).values, torch.tensor([[0.25, 0.75, 0, 0]])
    )
    cube = [p for p in alpha.points(lattice(2)) if p.dials]
    assert len(cube) == 4
    rows = alpha.control(np.array([p.preference for p in cube]), [p.dials for p in cube]).values
    torch.testing.assert_close(rows[0], torch.tensor([0, 0, 0.5, 0.5]))  # both low
    torch.testing.assert_close(rows[3], torch.tensor([0.5, 0.5, 0, 0]))  # both high


def test_morl_serves_the_nearest_trained_preference_and_every_model_gets_the_budget():
    morl, account = trained("morl", TableWorld(), steps=4, divisions=2)
    assert account.account.steps == 12
    chosen = morl.control(np.array([[0.9, 0.1], [0.6, 0.4], [0.0, 1.0]])).values
    assert chosen.tolist() == [0, 1, 2]


# -- every method ---------------------------------------------------------------------------


def test_the_models_of_morl_are_counted_without_their_lattice():
    assert make("morl", divisions=10**9).total_steps(10, 2) == 10 * (10**9 + 1)
    assert [lattice_size(m) for m in range(2, 8)] == [len(lattice(m)) for m in range(2, 8)]


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("m", [2, 3])
def test_raising_a_weight_raises_its_objective(name, m):
    """Orientation: at the vertices the diagonal wins, for every trained method."""
    world = TableWorld(m)
    steps = 30 * m if name != "morl" else 30  # each of its models gets the whole budget
    method, _ = trained(name, world, steps=steps)
    values = world.values(method.policy, method.control(np.eye(m)))  # (m, m)
    assert (np.diag(values) > values.max(axis=0, where=~np.eye(m, dtype=bool), initial=-9)).all()
    grid = lattice(m)
    order = somers_d(grid, world.values(method.policy, method.control(grid)))
    assert (order > 0.4).all()


@pytest.mark.parametrize("name", ["rewarded_soup", "bone_soup", "clp", "cos_dpo", "interpolation"])
@pytest.mark.parametrize("steps", [7, 30])
def test_nobody_exceeds_the_cap_or_leaves_it_unused(name, steps):
    _, account = trained(name, TableWorld(), steps=steps)
    assert account.account.steps == steps == len(account.log)


@pytest.mark.parametrize("name", [*TRAINED, "start"])
def test_save_and_load_give_the_same_policy(name, tmp_path):
    world = TableWorld()
    method = make(name)
    method.train(world, trainer(8))
    method.save(tmp_path)
    again = make(name)
    again.load(tmp_path, world)
    grid = lattice(2)
    np.testing.assert_array_equal(
        world.values(again.policy, again.control(grid)),
        world.values(method.policy, method.control(grid)),
    )
    assert {f.suffix for f in tmp_path.iterdir()} == {".safetensors", ".json"}


@pytest.mark.parametrize("name", ["rewarded_soup", "clp"])
def test_same_seed_same_training_other_seed_another(name):
    world = TableWorld()
    runs = []
    for seed in (0, 0, 1):
        method = make(name)
        method.train(world, trainer(5, seed=seed))
        runs.append(state(method)["banks.0"])
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


@pytest.mark.parametrize("name", ["rewarded_soup", "clp", "bone_soup", "morl"])
def test_preference_feedback_where_the_method_offers_it(name):
    world = TableWorld()
    method, _ = trained(
        name,
        world,
        steps=60,
        feedback="preference",
        **({"beta": 0.7} if name == "bone_soup" else {}),
    )
    values = world.values(method.policy, method.control(np.eye(2)))
    assert values[0, 0] > values[1, 0] and values[1, 1] > values[0, 1]


def test_clipped_epochs_learn_and_count_every_step():
    world = TableWorld()
    method, account = trained("rewarded_soup", world, epochs=4)
    assert account.account.steps == 40
    assert account.account.reward_calls == 10 * 64
    values = world.values(method.policy, method.control(np.eye(2)))
    assert values[0, 0] > values[1, 0] and values[1, 1] > values[0, 1]


def test_feedback_that_the_benchmark_lacks_is_unsupported():
    world = TableWorld()
    world.feedback = {"reward": ""}
    with pytest.raises(UnsupportedError, match="table gives no preference feedback; it has reward"):
        make("cos_dpo").train(world, trainer())


# -- feedback and trainer -------------------------------------------------------------------


def test_policy_gradient_points_at_the_regularised_optimum():
    """In the table the optimum is log pi_0 + mu . r / kappa; there the exact gradient vanishes."""
    world = TableWorld()
    method = make("rewarded_soup")
    method.build_policy(world, 0)
    kappa = 0.5
    with torch.no_grad():
        method.policy.banks[0].copy_(world.rewards[..., 0] / kappa)
    feedback = Reward(world, samples=4000, kappa=kappa)
    draws, control = Draws(np.tile([1.0, 0.0], (6, 1))), Control.bank([0] * 6)
    batch = feedback.collect(method.policy, draws, control, np.random.default_rng(0))
    assert batch.advantage.abs().max() < 1e-4  # return is constant: mu . r - kappa KL has no slope


@given(st.integers(2, 6), st.integers(1, 5))
def test_leave_one_out_baseline(n, p):
    gain = np.random.default_rng(n * 10 + p).normal(size=(p, n))
    others = (gain.sum(axis=1, keepdims=True) - gain) / (n - 1)
    np.testing.assert_allclose(leave_one_out(gain), gain - others, atol=1e-12)


def test_unscored_samples_get_the_worst_value_and_too_many_are_an_error():
    world, scores = TableWorld(), np.zeros((200, 2))
    world.score = lambda samples: scores
    scores[3, 1] = np.nan
    scorer = Scorer(world)
    assert scorer.score([None] * 200)[3].tolist() == [0.0, -9.0]
    assert (scorer.total, scorer.failed) == (200, 1)
    scores[:3, 0] = np.inf
    with pytest.raises(ScoringError, match=r"benchmark.objectives: 5 of 400 .* by r0, r1"):
        scorer.score([None] * 200)
    Scorer(world, grace=1000).score([None] * 200)  # 4 in 200 may be chance, 4 in 1000 are few


def test_a_loss_that_is_not_finite_stops_the_run():
    world = TableWorld()
    world.rewards = world.rewards * 1e38
    with pytest.raises(DivergenceError, match=r"phase 'bank 0', step \d+: the loss is"):
        trained("rewarded_soup", world)


def test_collapsed_entropy_stops_the_run():
    world = TableWorld()
    world.rewards = world.rewards * 100
    with pytest.raises(DivergenceError, match="entropy has been below"):
        trained("rewarded_soup", world, steps=100, kappa=0.0, learning_rate=2.0)


def test_a_phase_beyond_the_budget_is_refused():
    world, method = TableWorld(), make("rewarded_soup")
    method.build_policy(world, 0)
    feedback = Reward(world, 8, 0.1)
    with pytest.raises(ParetosteerError, match="asks for 9 steps, the budget has 5 left"):
        method.train_bank(0, "bank 0", np.array([1.0, 0]), feedback, trainer(5), 9)


def test_the_log_of_a_bank_leads_with_its_own_objective():
    account = trained("rewarded_soup", TableWorld(), steps=4)[1]
    for row, name in zip(account.log, ["r0", "r0", "r1", "r1"], strict=True):
        assert list(row)[:4] == ["step", "phase", name, "loss"]


def test_a_phase_taken_up_again_meets_new_draws():
    account = trainer()
    first, again, other = account.rng("bank 0"), account.rng("bank 0"), trainer().rng("bank 0")
    draws = first.random(3)
    assert (draws == other.random(3)).all()
    assert (draws != again.random(3)).all()


@pytest.mark.parametrize(
    "preference", [[[0.9, 0.9]], [[float("nan"), 1.0]], [[-0.5, 1.5]], [[0.5, 0.3, 0.2]]]
)
def test_a_preference_off_the_simplex_is_refused(preference):
    method = make("rewarded_soup")
    method.bind(TableWorld().objectives)
    with pytest.raises(UsageError, match="preference: "):
        method.steer(preference)
