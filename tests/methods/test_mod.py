"""MOD: its rules in a bandit whose optima are known, at every token of a text, and trained."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from exact_bandit import mean_regret, normalised, policies
from scipy.optimize import brentq
from tiny_text import DECODING, PROMPTS, tiny_llama
from torch import Tensor, nn

from paretosteer import Control, Mixture, make_benchmark, make_method, make_trainer
from paretosteer.errors import UsageError
from paretosteer.interfaces import Array
from paretosteer.policies.power_mean import PowerMean
from paretosteer.simplex import lattice
from paretosteer.text.policy import TextPolicy

KAPPA, ACTIONS = 0.5, 7
RNG = np.random.default_rng(0)
START = RNG.dirichlet(np.ones(ACTIONS))
REWARDS = RNG.normal(size=(3, ACTIONS))
MU = np.array([0.5, 0.125, 0.375])  # exact in float32, in which controls hold weights


def root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(brentq(function, low, high, xtol=1e-15, rtol=1e-14))


def optimum(reward: Array, alpha: float) -> Array:
    """Maximiser of E reward - kappa D_f(pi || start) for f'(x) = (1 - x^-alpha) / alpha."""
    if alpha == 0:  # the reverse KL
        return np.exp(normalised(np.log(START) + reward / KAPPA))

    def policy(multiplier: float) -> Array:  # f'(pi / start) = (reward - multiplier) / kappa
        found: Array = START * (1 - alpha * (reward - multiplier) / KAPPA) ** (-1 / alpha)
        return found

    least = float(reward.max()) - KAPPA / alpha
    multiplier = root(lambda x: policy(x).sum() - 1, least + 1e-12, float(reward.max()))
    return policy(multiplier)


def mixed(parts: Array, mu: Array, rule: PowerMean | None) -> Array:
    """Probabilities of a mixture of the start policy (weight 0) and `parts` (m, actions)."""
    control = Control.mixture([[0.0, *mu]], rule=rule)
    every = [START, *parts] if len(control.participants) > np.count_nonzero(mu) else parts
    held = [every[k] for k in range(len(every)) if len(every) > len(mu) or mu[k]]
    logs = [torch.as_tensor(np.log(p)).unsqueeze(0) for p in held]
    return np.exp(normalised(control.combine(logs)[0].numpy()))


@pytest.mark.parametrize(
    ("alpha", "rule"),
    [(0.0, None), (1.0, PowerMean(1, True)), (0.3, PowerMean(0.3, True)), (2, PowerMean(2, True))],
)
def test_optimal_specialists_mix_to_the_optimum_of_the_weighted_reward(
    alpha: float, rule: PowerMean | None
) -> None:
    specialists = np.array([optimum(reward, alpha) for reward in REWARDS])
    np.testing.assert_allclose(
        mixed(specialists, MU, rule), optimum(MU @ REWARDS, alpha), rtol=0, atol=1e-9
    )


def test_the_harmonic_mean_is_the_published_rule_and_not_the_optimum() -> None:
    specialists = np.array([optimum(reward, 1.0) for reward in REWARDS])
    harmonic = 1 / (MU @ (1 / specialists))
    found = mixed(specialists, MU, PowerMean(1.0))
    np.testing.assert_allclose(found, harmonic / harmonic.sum(), rtol=0, atol=1e-12)
    assert np.abs(found - optimum(MU @ REWARDS, 1.0)).max() > 0.1
    # The solved rule, apart from any optimum: pi_0 / (sum_k mu_k pi_0 / pi_k + c) that sums to 1.
    h = MU @ (START / specialists)
    c = root(lambda c: (START / (h + c)).sum() - 1, -h.min() + 1e-9, 10.0)
    solved = mixed(specialists, MU, PowerMean(1.0, solve=True))
    np.testing.assert_allclose(solved, START / (h + c), rtol=0, atol=1e-9)
    assert abs(c) > 0.1


@pytest.mark.parametrize("solve", [False, True])
def test_a_small_alpha_is_the_geometric_mean(solve: bool) -> None:
    specialists = np.array([optimum(reward, 0.0) for reward in REWARDS])
    geometric = mixed(specialists, MU, None)
    apart = [
        np.abs(mixed(specialists, MU, PowerMean(alpha, solve)) - geometric).max()
        for alpha in (1e-2, 1e-3, 1e-4)
    ]
    assert apart[2] < 1e-3
    np.testing.assert_allclose(np.array(apart[:2]) / apart[1:], 10, rtol=0.2)  # linear in alpha


@pytest.mark.parametrize("spread", [1.0, 60.0])
@pytest.mark.parametrize("alpha", [1e-3, 0.5, 3.0])
def test_the_constant_is_found_however_far_apart_the_policies(spread: float, alpha: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logs = spread * torch.randn(3, 20, 200, generator=generator, dtype=torch.float64)
    start, *parts = logs.log_softmax(dim=-1)
    weights = torch.tensor([[0.25, 0.75]] * 20)
    found = PowerMean(alpha, solve=True).combine(parts, weights, start)
    assert float(found.logsumexp(dim=-1).abs().max()) < 1e-11


# -- texts ----------------------------------------------------------------------------------

RULES = {
    "reverse": None,
    "forward": PowerMean(1.0),
    "solved": PowerMean(1.0, solve=True),
    "alpha": PowerMean(0.5, solve=True),
}
WEIGHTS = torch.tensor([[0.0, 0.3, 0.7], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]])


def text_policy() -> TextPolicy:
    policy = TextPolicy(tiny_llama(), Mixture(2, 2, 4.0), DECODING, seed=0)
    torch.manual_seed(1)
    for parameter in policy.parameters():
        nn.init.normal_(parameter, std=0.3)
    return policy


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_one_hot_weights_are_the_bank(rule: PowerMean | None) -> None:
    policy = text_policy()
    one_hot = Control.mixture([[0.0, 0.0, 1.0]] * 3, rule=rule)
    assert one_hot.passes == 1
    samples = policy.sample(PROMPTS, Control.bank([1] * 3), 5, [0, 0, 0])
    for control in (one_hot, Control.mixture([[0.0, 0.0, 1.0]] * 2 + [[0.0, 1.0, 0.0]], rule=rule)):
        scores = policy.log_probs(samples, control)
        torch.testing.assert_close(scores[:2], samples.log_probs[:2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_equal_banks_are_that_bank_at_any_preference(rule: PowerMean | None) -> None:
    policy = text_policy()
    for layer in policy.layers.values():
        for name, value in layer.parts(1).items():
            value.data.copy_(layer.parts(0)[name].data)
    samples = policy.sample(PROMPTS, Control.bank([0] * 3), 5, [0, 0, 0])
    scores = policy.log_probs(samples, Control.mixture(WEIGHTS, rule=rule))
    torch.testing.assert_close(scores, samples.log_probs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_texts_are_sampled_from_what_is_scored_and_row_by_row(rule: PowerMean | None) -> None:
    policy, control = text_policy(), Control.mixture(WEIGHTS, rule=rule)
    samples = policy.sample(PROMPTS, control, 5, [0, 0, 0])
    assert int(samples.mask.sum()) > 10
    scores = policy.log_probs(samples, control)
    torch.testing.assert_close(samples.log_probs, scores, atol=2e-5, rtol=1e-4)
    for row in range(3):
        alone = policy.log_probs(samples.take([row]), control.take(torch.tensor([row])))
        torch.testing.assert_close(scores[row, : alone.shape[1]], alone[0], atol=2e-5, rtol=1e-4)


def test_every_participant_reads_one_token_at_a_time_from_its_own_cache() -> None:
    policy, lengths = text_policy(), []

    def seen(module: nn.Module, inputs: object, given: dict[str, Tensor]) -> None:
        x = given.get("input_ids", given.get("inputs_embeds"))
        assert x is not None
        lengths.append(x.shape[1])

    policy.network.model.register_forward_pre_hook(seen, with_kwargs=True)
    control = Control.mixture(WEIGHTS, rule=PowerMean(1.0, solve=True))
    samples = policy.sample(PROMPTS, control, 5, [0, 0, 0])
    tokens = samples.response.shape[1]
    assert control.passes == 3  # the start policy, for the constant, and both banks
    assert len(lengths) == 3 * tokens
    assert set(lengths[3:]) == {1} and min(lengths[:3]) > 1


# -- the method -----------------------------------------------------------------------------


def test_it_trains_near_the_optimum_of_a_table() -> None:
    bandit = make_benchmark("bandit")
    method = make_method("mod")
    method.train(bandit, make_trainer(bandit, seed=0))
    assert mean_regret(bandit, method, lattice(2)) < 1e-3


def test_its_specialists_are_rewarded_soups() -> None:
    bandit = make_benchmark("bandit", contexts=4)
    states = []
    for name in ("mod", "rewarded_soup"):
        method = make_method(name)
        method.train(bandit, make_trainer(bandit, seed=0, steps=20))
        states.append(method.policy.state())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())


@pytest.mark.parametrize("policy", ["tabular", "mlp"])
@pytest.mark.parametrize(
    "values", [{}, {"divergence": "forward"}, {"divergence": "forward", "constant": "solve"}]
)
def test_more_weight_gives_more_of_an_objective(policy: str, values: dict[str, str]) -> None:
    bandit = make_benchmark("bandit", policy=policy, objectives=3, contexts=32)
    method = make_method("mod", **values)
    method.train(bandit, make_trainer(bandit, seed=0, steps=90))
    contexts = bandit.prompts("test")
    rewards = bandit.normaliser.apply(bandit.outcomes(contexts))  # (contexts, K, m)
    ends = np.exp(policies(bandit, method, np.eye(3) * 0.8 + 0.2 / 3))
    table = np.einsum("kxa,xam->km", ends, rewards)
    assert (table.argmax(axis=0) == np.arange(3)).all()


def test_rankers_are_mixed_by_the_probabilities_of_the_first_place() -> None:
    ranking = make_benchmark("ranking", budget="smoke")
    policy = ranking.start_policy(Mixture(2, 2, 4.0), seed=0)
    torch.manual_seed(1)
    for parameter in policy.parameters():
        nn.init.normal_(parameter, std=0.3)
    (query,) = ranking.prompts("test")[:1]
    parts = [Control.start(1), Control.bank([0]), Control.bank([1])]
    first = [policy.document_scores([query], part)[0].softmax(dim=1) for part in parts]  # type: ignore[attr-defined]
    harmonic = 1 / (0.2 / first[0] + 0.3 / first[1] + 0.5 / first[2])
    control = Control.mixture([[0.2, 0.3, 0.5]], rule=PowerMean(1.0))
    found = policy.document_scores([query], control)[0].softmax(dim=1)  # type: ignore[attr-defined]
    torch.testing.assert_close(found, harmonic / harmonic.sum())
    longer = max(ranking.prompts("test"), key=lambda other: len(other.features))
    padded, mask = policy.document_scores([query, longer], control.take(torch.tensor([0, 0])))  # type: ignore[attr-defined]
    torch.testing.assert_close(padded[0][mask[0]].softmax(dim=0), found[0])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"divergence": "alpha"}, "method.order: required with divergence=alpha"),
        ({"order": 0.5}, "method.order: has no effect with divergence=reverse"),
        ({"constant": "solve"}, "method.constant: has no effect with divergence=reverse"),
        ({"divergence": "alpha", "order": 0.0}, "method.order: found 0.0, expected above 0"),
    ],
)
def test_options_that_do_not_fit_are_refused(values: dict[str, object], message: str) -> None:
    bandit = make_benchmark("bandit")
    with pytest.raises(UsageError, match=message):
        make_method("mod", **values).bind(bandit.objectives)


def test_a_power_mean_refuses_negative_weights() -> None:
    with pytest.raises(UsageError, match="a power mean needs weights of 0 or more"):
        Control.mixture([[0.0, 1.5, -0.5]], rule=PowerMean(1.0))
