"""GenARM: its decoding rule in a bandit whose optima are known, its loss, and trained."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from exact_bandit import mean_regret, normalised, policies

from paretosteer import Control, Draws, make_benchmark, make_method, make_trainer
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.simplex import lattice
from paretosteer.training.reference_free import ReferenceFree

MU = np.array([[0.5, 0.125, 0.375], [0.0, 1.0, 0.0]])  # exact in float32, as controls hold them


@pytest.mark.parametrize("beta", [0.5, 1.0, 4.0])
def test_ideal_reward_models_give_the_optimum_of_the_weighted_reward(beta: float) -> None:
    rng = np.random.default_rng(0)
    start, rewards, beta_r = np.log(rng.dirichlet(np.ones(7))), rng.normal(size=(3, 7)), 0.7
    reward_models = normalised(rewards / beta_r)
    method = make_method("genarm", beta=beta)
    for mu in MU:
        control = method.control(mu[None])
        used = [reward_models[i] for i in range(3) if mu[i]]
        logs = [torch.as_tensor(log)[None] for log in (start, *used)]
        assert control.passes == len(logs)
        found = normalised(control.combine(logs)[0].numpy())
        best = normalised(start + mu @ rewards / (beta * beta_r))
        np.testing.assert_allclose(found, best, rtol=0, atol=1e-9)


def test_a_large_beta_is_the_start_model_and_each_row_has_its_own() -> None:
    method = make_method("genarm")
    control = method.control(np.array([[0.5, 0.5]] * 2), [{"beta": 1e12}, {}])
    assert control.values is not None
    np.testing.assert_allclose(control.values, [[1, 0, 0], [1, 0.5, 0.5]], atol=1e-9)
    assert method.points(lattice(2)) == make_method("genarm", beta=3.0).points(lattice(2))
    assert len(make_method("genarm", dial=(0.5, 2.0)).points(lattice(2))) == 3 * len(lattice(2))


def test_the_loss_has_no_reference_and_the_preferred_answer_gains() -> None:
    bandit = make_benchmark("bandit")
    method = make_method("genarm")
    method.build_policy(bandit, seed=0)
    torch.manual_seed(0)
    for parameter in method.policy.parameters():
        torch.nn.init.normal_(parameter)
    feedback, draws = ReferenceFree(bandit, 2, 0.3), Draws(np.tile([0.0, 1.0], (6, 1)))
    control = Control.bank([1] * 6)
    batch = feedback.collect(method.policy, draws, control, np.random.default_rng(0))
    assert batch.lists is not None
    log_probs = method.policy.list_log_probs(batch.lists.candidates, control)
    apart = 0.3 * (log_probs[:, 0] - log_probs[:, 1])
    won = batch.lists.labels[:, 0, 1]
    expected = won * torch.log1p((-apart).exp()) + (1 - won) * torch.log1p(apart.exp())
    found = feedback.loss(method.policy, batch, draws, control)
    torch.testing.assert_close(found, expected.mean())


def test_it_trains_near_the_optimum_of_a_table() -> None:
    bandit = make_benchmark("bandit")
    method = make_method("genarm")
    method.train(bandit, make_trainer(bandit, seed=0))
    assert mean_regret(bandit, method, lattice(2)) < 1e-3
    # A reward model is exp(r / beta_r), whatever the start policy.
    contexts = bandit.prompts("test")
    z = bandit.normaliser.apply(bandit.outcomes(contexts))
    with torch.no_grad():
        bank = method.policy.log_policy(contexts, Control.bank([1] * len(contexts)))  # type: ignore[attr-defined]
    ideal = np.exp(normalised(z[..., 1] / bandit.kl_coefficient))
    assert np.abs(bank.exp().numpy() - ideal).sum(axis=1).mean() < 0.05


@pytest.mark.slow
def test_with_three_objectives_it_needs_as_many_steps_for_each_reward_model() -> None:
    bandit = make_benchmark("bandit", objectives=3)
    method = make_method("genarm")
    method.train(bandit, make_trainer(bandit, seed=0, steps=4000))
    assert mean_regret(bandit, method, lattice(3)) < 1e-3


@pytest.mark.parametrize("name", ["genarm", "parm"])
def test_more_weight_gives_more_of_an_objective(name: str) -> None:
    bandit = make_benchmark("bandit", policy="mlp", objectives=3, contexts=32)
    method = make_method(name)
    method.train(bandit, make_trainer(bandit, seed=0, steps=300))
    contexts = bandit.prompts("test")
    rewards = bandit.normaliser.apply(bandit.outcomes(contexts))  # (contexts, K, m)
    table = np.einsum("kxa,xam->km", np.exp(policies(bandit, method, np.eye(3))), rewards)
    assert (table.argmax(axis=0) == np.arange(3)).all()


# -- PARM -----------------------------------------------------------------------------------


def test_parm_mixes_the_start_model_with_one_reward_model() -> None:
    method = make_method("parm", beta=2.0)
    control = method.control(MU, [{}, {"beta": 4.0}])
    assert control.passes == 2 and control.values is not None
    np.testing.assert_allclose(control.values, [[1, 0.5], [1, 0.25]])
    start, reward_model = control.parts
    assert (start.kind, reward_model.kind) == ("start", "soup")
    assert reward_model.values is not None
    np.testing.assert_allclose(reward_model.values, MU)


def test_parm_draws_one_preference_for_each_step() -> None:
    bandit = make_benchmark("bandit", policy="mlp", contexts=8)
    method, drawn = make_method("parm"), []
    kept = Control.soup

    def soup(weights: object) -> Control:
        drawn.append(np.unique(np.asarray(weights), axis=0))
        return kept(weights)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Control, "soup", staticmethod(soup))
        method.train(bandit, make_trainer(bandit, seed=0, steps=5))
    assert [len(each) for each in drawn] == [1] * 5
    assert len({float(each[0, 0]) for each in drawn}) == 5


def test_converged_parm_at_one_objective_is_genarm() -> None:
    """Few contexts, so that both networks can hold the optimum."""
    bandit = make_benchmark("bandit", policy="mlp", contexts=2, actions=3)
    contexts = bandit.prompts("train")
    z = bandit.normaliser.apply(bandit.outcomes(contexts))
    ends = np.eye(2)
    found = []
    for name in ("genarm", "parm"):
        method = make_method(name)
        method.train(bandit, make_trainer(bandit, seed=0, steps=600))
        for mu in ends:
            control = method.control(np.tile(mu, (2, 1)))
            with torch.no_grad():
                found.append(method.policy.log_policy(contexts, control).exp().numpy())  # type: ignore[attr-defined]
    first, second, *parm = found
    np.testing.assert_allclose(parm, [first, second], atol=0.02)
    with torch.no_grad():
        start = method.policy.log_policy(contexts, Control.start(2)).double().numpy()  # type: ignore[attr-defined]
    best = [np.exp(normalised(start + z[..., i] / bandit.kl_coefficient)) for i in range(2)]
    np.testing.assert_allclose(parm, best, atol=0.03)
    assert np.abs(best[0] - np.exp(start)).max() > 0.1


def test_a_table_cannot_carry_parm() -> None:
    bandit = make_benchmark("bandit")
    trainer = make_trainer(bandit, seed=0, steps=5)
    with pytest.raises(UnsupportedError, match="no factors to tie"):
        make_method("parm").train(bandit, trainer)
    assert trainer.account.steps == 0


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("genarm", {"beta": 0.0}, "method.beta: found 0.0, expected above 0"),
        ("genarm", {"beta_r": -1.0}, "method.beta_r: found -1.0, expected above 0"),
        ("parm", {"rank": 0}, "method.rank: found 0, expected at least 1"),
        ("parm", {"scope": "head"}, "method.scope: "),
    ],
)
def test_bad_options_are_named(name: str, values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_method(name, **values)
