"""Merges: formulas against a computation of their own, identities, cells and what is refused."""

import numpy as np
import pytest
import torch

from paretosteer import make_benchmark, make_method, make_trainer
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.policies.merged_banks import MergedBanks
from paretosteer.policies.merging import Merge
from paretosteer.simplex import lattice

SPARSE = ["ties", "dare_linear", "dare_ties", "della", "breadcrumbs"]
RANDOM = ["dare_linear", "dare_ties", "della"]


def drawn(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# -- formulas -------------------------------------------------------------------------------


def by_loops(deltas, weights, signs, normalise):
    """Generalised task arithmetic of PEERS.md F, one entry at a time."""
    out = np.zeros(deltas.shape[1:])
    for place in np.ndindex(out.shape):
        weighted = [w * d[place] for w, d in zip(weights, deltas, strict=True)]
        majority = 1 if sum(weighted) >= 0 else -1
        kept = [i for i, d in enumerate(weighted) if not signs or np.sign(d) == majority]
        total = sum(weights[i] for i in kept) if normalise else 1
        out[place] = sum(weighted[i] for i in kept) / (total or 1)
    return out


@pytest.mark.parametrize(
    ("kind", "signs", "normalise"),
    [
        ("ties", True, True),
        ("dare_linear", False, False),
        ("dare_ties", True, False),
        ("della", True, True),
        ("breadcrumbs", False, False),
    ],
)
def test_the_sum_is_that_of_one_entry_at_a_time(kind, signs, normalise):
    deltas = drawn(3, 4, 5)
    deltas[0, 0] = 0  # an entry that was dropped
    for mu in ([0.2, 0.3, 0.5], [0.5, 0.5, 0.0], [1.0, 0.0, 0.0]):
        found = Merge(kind).combine(deltas, torch.tensor(mu))
        expected = by_loops(deltas.numpy(), mu, signs, normalise)
        np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize("kind", SPARSE)
def test_density_one_without_conflicts_is_the_soup(kind):
    deltas = drawn(3, 6, 7).abs()
    mu = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64)
    whole = torch.stack([Merge(kind).sparsify(d, generator()) for d in deltas])
    torch.testing.assert_close(
        Merge(kind).combine(whole, mu), torch.einsum("m,mij->ij", mu, deltas), atol=1e-9, rtol=0
    )


@pytest.mark.parametrize("kind", [*SPARSE, "regmean"])
def test_one_hot_weights_return_the_specialist(kind):
    deltas, x = drawn(3, 6, 7), drawn(3, 40, 7, seed=1)
    grams = x.mT @ x
    for i in range(3):
        found = Merge(kind).combine(deltas, torch.eye(3)[i].double(), grams)
        torch.testing.assert_close(found, deltas[i], atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", ["ties", "dare_linear", "regmean"])
def test_negative_weights_are_refused(kind):
    with pytest.raises(UsageError, match=r"merge: found the weight -0\.75"):
        Merge(kind).combine(drawn(2, 3, 3), torch.tensor([1.75, -0.75]))


def test_ties_keeps_the_largest_entries():
    delta = drawn(10, 10)
    kept = Merge("ties", density=0.2).sparsify(delta, generator())
    assert (kept != 0).sum() == 20
    assert kept[kept != 0].abs().min() >= delta[kept == 0].abs().max()
    assert torch.equal(kept[kept != 0], delta[kept != 0])


def test_breadcrumbs_drops_both_ends():
    delta = drawn(10, 100)
    kept = Merge("breadcrumbs", density=0.9, gamma=0.01).sparsify(delta, generator())
    order = delta.abs().flatten().argsort()
    assert (kept.flatten()[order[-10:]] == 0).all()
    assert (kept.flatten()[order[90:-10]] != 0).all()
    assert (kept.flatten()[order[:90]] == 0).all()


@pytest.mark.parametrize("kind", RANDOM)
def test_random_dropping_is_seeded_and_keeps_the_norm(kind):
    delta, how = drawn(60, 60), Merge(kind, density=0.4)
    kept = how.sparsify(delta, generator(3))
    assert torch.equal(kept, how.sparsify(delta, generator(3)))
    assert not torch.equal(kept, how.sparsify(delta, generator(4)))
    assert float((kept != 0).double().mean()) == pytest.approx(0.4, abs=0.03)
    assert float(kept.abs().sum()) == pytest.approx(float(delta.abs().sum()))


def test_dropping_by_probability_is_unbiased():
    delta = drawn(4, 4)
    for kind in RANDOM:
        how = Merge(kind, density=0.5, rescale="probability")
        source = generator()
        mean = torch.stack([how.sparsify(delta, source) for _ in range(20_000)]).mean(dim=0)
        torch.testing.assert_close(mean, delta, atol=0.05, rtol=0.03)


def test_della_keeps_large_entries_more_often():
    delta = torch.arange(1.0, 2001.0).view(20, 100)
    kept = Merge("della", density=0.5, epsilon=0.3).sparsify(delta, generator()) != 0
    halves = kept.flatten().double().view(2, 1000).mean(dim=1)
    assert halves.tolist() == pytest.approx([0.35, 0.65], abs=0.04)


def test_regmean_minimises_its_regression():
    """Least squares on the stacked inputs of all specialists, each row weighted."""
    base, deltas, x = drawn(5, 4), drawn(2, 5, 4, seed=1), drawn(2, 30, 4, seed=2)
    mu = torch.tensor([0.3, 0.7], dtype=torch.float64)
    root = mu.sqrt().view(2, 1, 1)
    inputs = (root * x).reshape(60, 4)
    outputs = (root * (x @ (base + deltas).mT)).reshape(60, 5)
    expected = np.linalg.lstsq(inputs.numpy(), outputs.numpy(), rcond=None)[0].T
    found = base + Merge("regmean", off_diagonal=1.0).combine(deltas, mu, x.mT @ x)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    same = (x[0].T @ x[0]).expand(2, 4, 4)
    mean = Merge("regmean").combine(deltas, mu, same)
    torch.testing.assert_close(mean, torch.einsum("m,mij->ij", mu, deltas), atol=1e-9, rtol=0)


def test_regmean_with_an_input_that_never_varies_is_finite():
    x = drawn(2, 30, 4)
    x[..., 2] = 0
    deltas = drawn(2, 5, 4, seed=1)
    found = Merge("regmean").combine(deltas, torch.tensor([0.5, 0.5]), x.mT @ x)
    assert torch.isfinite(found).all()
    scale = x.square().sum(dim=(1, 2))  # where nothing is known, a mean by the size of the inputs
    mean = torch.einsum("m,mi->i", scale / scale.sum(), deltas[..., 2])
    torch.testing.assert_close(found[:, 2], mean, atol=1e-6, rtol=0)


# -- policies -------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["tabular", "mlp"])
def bandit(request):
    return make_benchmark("bandit", policy=request.param, contexts=16)


def trained(benchmark, steps=40, name="merge", **values):
    method = make_method(name, **values)
    method.train(benchmark, make_trainer(benchmark, seed=0, steps=steps))
    return method


def log_policy(benchmark, method, mu):
    """Log-probabilities (k * contexts, K), preferences mixed within the batch."""
    prompts = benchmark.prompts("test")[:5]
    rows = torch.arange(len(mu)).repeat(len(prompts))
    contexts = [prompt for prompt in prompts for _ in range(len(mu))]
    return method.policy.log_policy(contexts, method.control(mu).take(rows)).detach()


def test_task_arithmetic_is_rewarded_soup(bandit):
    mu = lattice(2, 4)
    soup = log_policy(bandit, trained(bandit, name="rewarded_soup"), mu)
    assert torch.equal(log_policy(bandit, trained(bandit, kind="task_arithmetic"), mu), soup)
    for kind in ("dare_linear", "breadcrumbs"):
        merged = log_policy(bandit, trained(bandit, kind=kind, density=1), mu)
        torch.testing.assert_close(merged, soup, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", SPARSE)
def test_the_ends_are_the_specialists(bandit, kind):
    soup = log_policy(bandit, trained(bandit, name="rewarded_soup"), np.eye(2))
    merged = log_policy(bandit, trained(bandit, kind=kind, density=1), np.eye(2))
    torch.testing.assert_close(merged, soup, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [*SPARSE, "regmean"])
def test_a_batch_of_preferences_equals_each_alone(bandit, kind):
    if kind == "regmean" and bandit.options.policy == "tabular":
        pytest.skip("a table has no inputs")
    method = trained(bandit, kind=kind, **({"examples": 20} if kind == "regmean" else {}))
    mu = lattice(2, 4)
    together = log_policy(bandit, method, mu).view(5, len(mu), -1)
    for row, each in enumerate(mu):
        alone = log_policy(bandit, method, each[None])
        torch.testing.assert_close(together[:, row], alone, atol=1e-6, rtol=1e-6)
    assert not torch.allclose(together[:, 1], together[:, 3], atol=1e-3)


def test_regmean_at_the_ends_is_the_specialist():
    benchmark = make_benchmark("bandit", policy="mlp", contexts=16)
    soup = log_policy(benchmark, trained(benchmark, name="rewarded_soup"), np.eye(2))
    merged = log_policy(benchmark, trained(benchmark, kind="regmean", examples=64), np.eye(2))
    torch.testing.assert_close(merged, soup, atol=1e-4, rtol=1e-4)


def test_regmean_counts_what_it_samples_and_takes_no_step():
    benchmark = make_benchmark("bandit", policy="mlp", contexts=16)
    trainer = make_trainer(benchmark, seed=0, steps=10)
    make_method("merge", kind="regmean", examples=20).train(benchmark, trainer)
    assert trainer.account.steps == 10
    assert trainer.account.selection_tokens == 2 * 20


def test_a_table_has_no_regmean():
    benchmark = make_benchmark("bandit", contexts=8)
    trainer = make_trainer(benchmark, seed=0, steps=10)
    with pytest.raises(UnsupportedError, match="a table has none"):
        make_method("merge", kind="regmean").train(benchmark, trainer)
    assert trainer.account.steps == 0


def test_one_specialist_is_refused():
    with pytest.raises(UsageError, match="merge: found 1 specialist"):
        MergedBanks(1, Merge("ties"))
    with pytest.raises(UsageError, match=r"method\.paths: found 1 adapter"):
        make_method("merge", paths=["one"]).check(2)


def test_changed_deltas_are_merged_anew():
    benchmark = make_benchmark("bandit", contexts=8)
    method = trained(benchmark, kind="ties")
    mu = np.array([[0.5, 0.5]])
    before = log_policy(benchmark, method, mu)
    method.policy.load_state({k: 2 * v for k, v in method.policy.state().items()})
    assert not torch.allclose(log_policy(benchmark, method, mu), before, atol=1e-3)
