"""MODPO: its loss and its minimiser, computed apart from our code; anchors, margins, budget."""

from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from exact_bandit import mean_regret
from worlds import TableWorld

from paretosteer import make_benchmark, make_method, make_trainer
from paretosteer.errors import UnsupportedError
from paretosteer.interfaces import Lists
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Batch, Preference
from paretosteer.training.margin_preference import MarginPreference
from paretosteer.training.trainer import Trainer

ACTIONS, BETA = 7, 0.4
PAIRS = torch.tensor(list(permutations(range(ACTIONS), 2)))  # (pairs, 2)


class Table:
    """A softmax policy over a few actions, in float64."""

    def __init__(self, logits):
        self.logits = logits

    def list_log_probs(self, candidates, control):
        return self.logits.log_softmax(0)[candidates]


def every_pair(objectives=3, seed=0, **fields):
    """Rewards (actions, m), start log-probabilities, and all pairs with Bradley-Terry labels."""
    rng = torch.Generator().manual_seed(seed)
    r = torch.randn(ACTIONS, objectives, generator=rng, dtype=torch.float64)
    start = torch.randn(ACTIONS, generator=rng, dtype=torch.float64).log_softmax(0)
    lists = Lists(
        PAIRS, r[PAIRS].softmax(1), start[PAIRS], 2 * len(PAIRS), score=lambda: r[PAIRS], **fields
    )
    return r, start, lists


def feedback_of(m, anchor="largest", specialists=None):
    world = SimpleNamespace(objectives=range(m), name="world")
    feedback = MarginPreference(world, 2, BETA)
    feedback.anchor, feedback.specialists = anchor, specialists
    return feedback


def loss_of(feedback, policy, lists, w):
    n = len(lists.labels)
    batch = Batch(lists.candidates, torch.arange(n), n, lists=lists)
    return feedback.loss(policy, batch, Draws(np.tile(w, (n, 1))), None)


WEIGHTS = [(0.5, 0.2, 0.3), (0.2, 0.7, 0.1), (1.0, 0.0, 0.0), (0.05, 0.05, 0.9)]


@pytest.mark.parametrize("anchor", ["first", "largest"])
@pytest.mark.parametrize("w", WEIGHTS)
def test_the_minimiser_is_the_optimum_of_the_weighted_reward(w, anchor):
    """log pi_0 + w . r / beta, which is MORL's optimum at kappa = beta."""
    r, start, lists = every_pair()
    best = (start + r @ torch.tensor(w, dtype=torch.float64) / BETA).log_softmax(0)
    at_best = best.clone().requires_grad_()
    loss_of(feedback_of(3, anchor), Table(at_best), lists, w).backward()
    assert at_best.grad.abs().max() < 1e-12
    logits = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [logits], max_iter=2000, tolerance_grad=1e-13, tolerance_change=0, history_size=20,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure():
        optimiser.zero_grad()
        loss = loss_of(feedback_of(3, anchor), Table(logits), lists, w)
        loss.backward()
        return loss

    optimiser.step(closure)
    assert (logits.detach().log_softmax(0) - best).abs().max() < 2e-8


def test_the_loss_is_that_of_the_paper():
    r, start, lists = every_pair()
    w, table = np.array([0.5, 0.2, 0.3]), Table(torch.linspace(-1, 1, ACTIONS).double())
    log_ratio = (table.logits.log_softmax(0) - start).numpy()
    rho = (BETA * log_ratio - r[:, 1:].numpy() @ w[1:]) / w[0]
    terms = []
    for (one, other), label in zip(PAIRS.tolist(), lists.labels[:, 0, 0].tolist(), strict=True):
        log_sigmoid = -np.log1p(np.exp(-(rho[one] - rho[other])))
        opposite = -np.log1p(np.exp(rho[one] - rho[other]))
        terms.append(-(label * log_sigmoid + (1 - label) * opposite))
    found = loss_of(feedback_of(3, "first"), table, lists, w)
    assert float(found) == pytest.approx(np.mean(terms), rel=1e-12)


def test_a_weight_on_the_anchor_alone_is_plain_dpo():
    _, _, lists = every_pair()
    table, w = Table(torch.linspace(-1, 1, ACTIONS).double()), [1.0, 0.0, 0.0]
    plain = loss_of(Preference(None, 2, BETA), table, lists, w)
    assert float(loss_of(feedback_of(3, "first"), table, lists, w)) == pytest.approx(float(plain))


def test_constants_of_the_margins_change_nothing():
    r, _, lists = every_pair()
    table, w = Table(torch.linspace(-1, 1, ACTIONS).double()), [0.3, 0.3, 0.4]
    moved = Lists(
        PAIRS, lists.labels, lists.start_log_probs, lists.tokens,
        score=lambda: r[PAIRS] + torch.tensor([5.0, -3.0, 2.0]),
    )  # fmt: skip
    before = loss_of(feedback_of(3), table, lists, w)
    assert float(loss_of(feedback_of(3), table, moved, w)) == pytest.approx(float(before))


def test_labels_and_margins_have_one_unit():
    """Sharper labels are labels of larger rewards: the optimum sharpens for all objectives."""
    r, start, lists = every_pair()
    w = np.array([0.6, 0.3, 0.1])
    sharp = Lists(
        PAIRS, (r[PAIRS] / 0.25).softmax(1), lists.start_log_probs, lists.tokens,
        score=lambda: r[PAIRS], label_scale=4.0,
    )  # fmt: skip
    best = (start + 4 * r @ torch.tensor(w) / BETA).log_softmax(0).requires_grad_()
    loss_of(feedback_of(3), Table(best), sharp, w).backward()
    assert best.grad.abs().max() < 1e-12


class Taken(torch.Tensor):
    """Candidates of lists, which can be taken apart row by row."""

    def take(self, rows):
        return self.view(-1)[list(rows)].view(-1, 2)


class Specialists:
    """Optimal DPO models of the objectives as banks; counts how often they are asked."""

    def __init__(self, start, r):
        self.log_probs = [(start + r[:, k] / BETA).log_softmax(0) for k in range(r.shape[1])]
        self.asked = 0

    def list_log_probs(self, candidates, control):
        self.asked += len(candidates)
        return self.log_probs[int(control.values[0])][candidates.as_subclass(torch.Tensor)]


def test_margins_of_models_are_their_implicit_rewards_computed_once():
    r, start, lists = every_pair()
    lists = Lists(
        PAIRS.as_subclass(Taken), lists.labels, lists.start_log_probs, lists.tokens,
        keys=[tuple(pair) for pair in PAIRS.tolist()],
    )  # fmt: skip
    policy = Specialists(start, r)
    feedback = feedback_of(3, "first", {1: 1, 2: 2})
    found = feedback.rewards(policy, lists)
    again = feedback.rewards(policy, lists)
    assert torch.equal(found, again) and policy.asked == 2 * len(PAIRS)
    assert (found[..., 0] == 0).all()
    apart = (found[:, 0] - found[:, 1])[:, 1:].double()  # constants per list cancel
    torch.testing.assert_close(apart, r[PAIRS[:, 0], 1:] - r[PAIRS[:, 1], 1:], atol=1e-5, rtol=1e-5)
    whole = Lists(PAIRS, lists.labels, lists.start_log_probs, lists.tokens)  # without keys
    torch.testing.assert_close(feedback.rewards(policy, whole), found)


# -- the method -----------------------------------------------------------------------------


def bound(m=2, **options):
    method = make_method("modpo", **options)
    method.bind(TableWorld(m).objectives)
    return method


@pytest.mark.parametrize("m", [2, 3])
def test_a_first_anchor_without_weight_has_no_model(m):
    method = bound(m, anchor="first")
    grid = method.grid(m)
    assert (grid[:, 0] > 0).all() and len(grid) == method.models(m)
    served = grid[method.control(np.eye(m)[[1]]).values[0]]
    assert served[0] == pytest.approx(1 / method.divisions(m))  # the nearest has a little of it
    assert len(bound(m).grid(m)) == bound(m).models(m)


@pytest.mark.parametrize(("anchor", "margins"), [("first", 1), ("largest", 2)])
def test_models_of_the_margin_share_the_budget_and_are_dropped(anchor, margins):
    bandit = make_benchmark("bandit", contexts=4)
    options = {"divisions": 2, "anchor": anchor, "margin": "models"}
    method = make_method("modpo", share=True, **options)
    trainer = make_trainer(bandit, seed=0, steps=40)
    method.train(bandit, trainer)
    phases = list(dict.fromkeys(row["phase"] for row in trainer.log))
    assert [p.split()[0] for p in phases] == ["margin"] * margins + ["preference"] * (
        3 - (anchor == "first")
    )
    assert trainer.account.steps == 40 == method.total_steps(40, 2)
    assert len(method.policy.state()) == method.models(2)
    apart = make_method("modpo", **options)
    assert apart.exempt and apart.total_steps(40, 2) == 40 * len(phases)
    assert not method.exempt


def test_lists_without_rewards_are_unsupported_before_training():
    trainer = Trainer(Accelerator(cpu=True), steps=20, rows=64, samples=8, seed=0)
    with pytest.raises(UnsupportedError, match=r"table has no rewards .* set method.margin=models"):
        make_method("modpo").train(TableWorld(), trainer)
    assert trainer.account.steps == 0


@pytest.mark.parametrize("options", [{}, {"margin": "models"}, {"anchor": "first"}])
def test_trained_on_the_bandit_it_is_near_the_optimum(options):
    """Regret of mu . E z - kappa KL against its closed-form maximum, as a share of the gain."""
    bandit = make_benchmark("bandit", contexts=4, actions=6)
    method, kappa = make_method("modpo", divisions=2, **options), bandit.kl_coefficient
    method.train(bandit, make_trainer(bandit, seed=0, steps=300))
    contexts = bandit.prompts("test")
    z = torch.as_tensor(bandit.normaliser.apply(bandit.outcomes(contexts)))  # (n, K, 2)
    start = torch.as_tensor(bandit._log_start[[x.index for x in contexts]])
    for mu in method.grid(2):
        control = method.control(np.tile(mu, (len(contexts), 1)))
        found = method.policy.answer(contexts, control, 0, [0] * len(contexts)).log_policy
        gain = z @ torch.as_tensor(mu)
        value = (found.exp() * (gain - kappa * (found - start))).sum(1).mean()
        best = kappa * (start + gain / kappa).logsumexp(1).mean()
        at_start = (start.exp() * gain).sum(1).mean()
        assert (best - value) / (best - at_start) < 5e-3


@pytest.mark.slow
def test_at_the_default_budget_the_default_bandit_is_near_its_optimum():
    bandit = make_benchmark("bandit")
    method = make_method("modpo", divisions=2)
    method.train(bandit, make_trainer(bandit, seed=0))
    assert mean_regret(bandit, method, method.grid(2)) < 5e-3
