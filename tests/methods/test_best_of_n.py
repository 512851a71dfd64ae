"""Best of n: identities in closed form, by simulation, and on a tiny language model."""

import json
import math
from itertools import product

import numpy as np
import pytest
import torch
from small_model import SMALL, write_model

from paretosteer import make_benchmark, make_method, make_trainer, restore_cell
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.policies.control import Control
from paretosteer.simplex import lattice
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, run_one
from paretosteer.training import candidate_selection
from paretosteer.training.rollout import roll_out

MU = np.array([[0.3, 0.7]])
PROMPTS = 4


@pytest.fixture(scope="module")
def bandit():
    return make_benchmark("bandit", contexts=8, actions=5)


def trained(benchmark, **values):
    method = make_method("best_of_n", **values)
    method.train(benchmark, make_trainer(benchmark, seed=0))
    return method


def answered(benchmark, control, policy=None):
    """Distributions (points, contexts, K) and KL (points,) of a policy in the bandit."""
    policy = policy or trained(benchmark).policy
    prompts = benchmark.prompts("test")
    shape = (control.rows, len(prompts))
    chosen, kl = np.zeros((*shape, benchmark.options.actions)), np.zeros(shape)
    for cells, rows, answers in roll_out(
        policy, prompts, control, seed=0, samples=1, batch_rows=7, benchmark=benchmark
    ):
        chosen[cells.point, cells.prompt] = answers.log_policy.exp().numpy()
        drift = candidate_selection.drift(policy, benchmark, answers, rows)
        kl[cells.point, cells.prompt] = drift.kl
    return chosen, kl.mean(axis=1)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_closed_form_is_the_sum_over_all_draws(bandit, n):
    """All K^n outcomes of n draws are listed and the best of each counted."""
    chosen, _ = answered(bandit, Control.start(1).best_of([n], MU))
    start = answered(bandit, Control.start(1))[0][0]  # (contexts, K)
    gain = bandit.normaliser.apply(bandit.outcomes(bandit.prompts("test"))) @ MU[0]
    expected = np.zeros_like(start)
    for x in range(len(start)):
        for draws in product(range(start.shape[1]), repeat=n):
            best = max(draws, key=lambda action: gain[x, action])
            expected[x, best] += np.prod(start[x, list(draws)])
    np.testing.assert_allclose(chosen[0], expected, atol=1e-12)


def test_best_of_one_is_the_start_model_to_the_bit(bandit):
    one, kl = answered(bandit, Control.start(3).best_of([1] * 3, lattice(2, 2)))
    start, _ = answered(bandit, Control.start(3))
    assert np.array_equal(one, start)
    assert (kl == 0).all()


def test_reward_never_falls_with_n_and_the_kl_keeps_its_bound(bandit):
    sizes = [1, 2, 3, 5, 16, 200, 10_000]
    for mu in lattice(2, 4):
        chosen, kl = answered(
            bandit, Control.start(len(sizes)).best_of(sizes, np.tile(mu, (len(sizes), 1)))
        )
        gain = bandit.normaliser.apply(bandit.outcomes(bandit.prompts("test"))) @ mu
        np.testing.assert_allclose(chosen.sum(axis=2), 1, atol=1e-9)
        value = (chosen * gain).sum(axis=2).mean(axis=1)
        assert (np.diff(value) >= -1e-12).all()
        assert value[-1] == pytest.approx(gain.max(axis=1).mean(), abs=1e-3)
        bounds = np.array([math.log(n) - (n - 1) / n for n in sizes])
        assert (kl <= bounds + 1e-9).all()
        assert kl[1] > 0.5 * bounds[1]


def test_the_kl_is_that_of_the_published_check():
    """PEERS.md C12: 7 actions, n = 4, a KL of 0.590 under a bound of 0.636."""
    rng = np.random.default_rng(0)
    start = rng.dirichlet(np.ones(7))
    gain = rng.normal(size=7)
    order = np.argsort(gain)
    cdf = np.concatenate([[0], start[order].cumsum()])
    expected = np.diff(cdf**4)
    log_probs, values = torch.tensor(start[None]).log(), torch.tensor(gain[None])
    found = candidate_selection.log_best_of(log_probs, values, 4)[0].exp().numpy()
    np.testing.assert_allclose(found[order], expected, atol=1e-12)
    assert candidate_selection.kl_bound(4) == pytest.approx(0.6363, abs=1e-4)


def test_tiny_probabilities_and_equal_gains_stay_finite():
    log_probs = torch.tensor([[-800.0, 0.0, -40.0, -1.0]], dtype=torch.float64).log_softmax(1)
    gain = torch.tensor([[2.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    chosen = candidate_selection.log_best_of(log_probs, gain, 1000)
    assert torch.isfinite(chosen).all()
    assert float(chosen.exp().sum()) == pytest.approx(1, abs=1e-9)
    assert float(chosen[0, 0]) == pytest.approx(math.log(1000) + float(log_probs[0, 0]), abs=1e-6)


def test_points_repeat_the_grid_at_every_value_of_the_dial(bandit):
    method = trained(bandit, n=3, dial=[1, 6])
    points = method.points(lattice(2, 2))
    assert [point.dials.get("n") for point in points] == [None] * 3 + [1.0] * 3 + [6.0] * 3
    control = method.control(np.array([p.preference for p in points]), [p.dials for p in points])
    assert control.candidates.tolist() == [3] * 3 + [1] * 3 + [6] * 3
    assert control.take(torch.tensor([4])).weights.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("n", [0, -1])
def test_fewer_than_one_answer_is_refused(n):
    with pytest.raises(UsageError, match=r"method.n: .*1"):
        make_method("best_of_n", n=n)


@pytest.mark.parametrize("n", [0.5, 2.5, 0, -3])
def test_a_dial_that_is_no_count_is_refused(bandit, n):
    with pytest.raises(UsageError, match=r"dial n: found .*; use a whole number, 1 or more"):
        trained(bandit).steer(MU, [{"n": n}])


def test_scores_that_need_labels_are_unsupported(bandit):
    class Labelled(type(bandit)):
        scores_need_labels = True

    labelled = Labelled(bandit.options, bandit.setting)
    with pytest.raises(UnsupportedError, match="labels of its prompt"):
        trained(labelled)


# -- a language model -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def stories(tmp_path_factory):
    folder = write_model(tmp_path_factory.mktemp("small") / "model")
    options = {"max_new_tokens": 12, "min_new_tokens": 4}
    return make_benchmark("stories", model=str(folder), budget="smoke", device="cpu", **options)


def drawn(benchmark, control, samples=2, batch_rows=1000):
    """Texts by (point, prompt, sample), with their drift."""
    policy, prompts = trained(benchmark).policy, benchmark.prompts("test")[:PROMPTS]
    texts, kl = {}, {}
    for cells, rows, answers in roll_out(
        policy,
        prompts,
        control,
        seed=3,
        samples=samples,
        batch_rows=batch_rows,
        benchmark=benchmark,
    ):
        drift = candidate_selection.drift(policy, benchmark, answers, rows)
        for row, text in enumerate(answers.texts):
            key = (int(cells.point[row]), int(cells.prompt[row]), int(cells.sample[row]))
            texts[key], kl[key] = text, drift.kl[row]
    return texts, kl


def value(benchmark, texts, mu):
    """mu . z of every text."""
    from paretosteer.text.samples import TextSamples

    prompts = benchmark.prompts("test")
    keys = list(texts)
    samples = TextSamples.of_texts(
        [prompts[k[1]] for k in keys], [k[2] for k in keys], list(texts.values())
    )
    z = benchmark.normaliser.apply(benchmark.score(samples))
    return dict(zip(keys, z @ mu, strict=True))


def test_each_text_is_the_best_of_its_own_candidates(stories):
    """Candidates are drawn one by one under their numbers, scored apart, and compared."""
    mu = MU[0]
    best, kl = drawn(stories, Control.start(1).best_of([3], MU))
    policy, prompts = trained(stories).policy, stories.prompts("test")[:PROMPTS]
    for (_, prompt, sample), text in best.items():
        candidates = {}
        for j in range(3):
            number = sample + j * candidate_selection.STRIDE
            one = policy.sample([prompts[prompt]], Control.start(1), 3, [number])
            candidates[(0, prompt, j)] = one.texts[0]
        values = value(stories, candidates, mu)
        assert text == candidates[max(values, key=values.get)]
    assert list(kl.values()) == pytest.approx([math.log(3) - 2 / 3] * len(kl), abs=1e-4)


def test_more_candidates_never_make_a_text_worse(stories):
    control = Control.start(3).best_of([1, 2, 5], np.tile(MU, (3, 1)))
    texts, kl = drawn(stories, control)
    values = value(stories, texts, MU[0])
    gains = np.array(
        [[values[n, p, s] for p in range(PROMPTS) for s in range(2)] for n in range(3)]
    )
    assert (np.diff(gains, axis=0) >= 0).all()
    assert gains[2].mean() > gains[0].mean() + 0.3
    start, _ = drawn(stories, Control.start(1))
    assert {key[1:]: text for key, text in texts.items() if key[0] == 0} == {
        key[1:]: text for key, text in start.items()
    }
    assert all(value == pytest.approx(0, abs=1e-4) for key, value in kl.items() if key[0] == 0)


def test_texts_do_not_depend_on_the_size_of_a_batch(stories):
    control = Control.start(2).best_of([2, 4], np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert drawn(stories, control)[0] == drawn(stories, control, batch_rows=5)[0]


def test_a_cell_samples_as_it_was_evaluated_and_exports_nothing(tmp_path):
    model = write_model(tmp_path / "model")
    where = [f"sweep_dir='{tmp_path}'", "model=hf", f"model.path='{model}'"]
    config = compose_cell([*where, *SMALL, "method=best_of_n", "method.n=3", "method.dial=[2]"])
    record = run_one(PlannedCell.of(config))
    assert record.status == "ok"
    assert record.cost.train_steps == record.cost.trained_parameters == 0
    assert record.cost.forward_passes_per_token == record.cost.reward_calls_per_answer == 3
    assert any("ln n" in note for note in record.notes)
    folder = config.folder / f"seed0-{record.identity}"
    cell = restore_cell(folder)
    prompts = {prompt.id: prompt for prompt in cell.benchmark.prompts("test")}
    for line in map(json.loads, (folder / "samples.jsonl").read_text().splitlines()):
        point = record.points[line["point"]]
        control = cell.control([point.preference], point.dials)
        ((_, _, answers),) = roll_out(
            cell.method.policy,
            [prompts[line["prompt_id"]]],
            control,
            seed=0,
            samples=1,
            batch_rows=8,
            benchmark=cell.benchmark,
        )
        assert answers.texts[0] == line["text"]
    few, many = (
        cell.answer(["One day,"], [[0.5, 0.5]], samples=8, dials={"n": n}) for n in (1, 12)
    )
    mu_z = [
        cell.benchmark.normaliser.apply(np.array([list(a.scores.values()) for a in answers])).sum()
        for answers in (few, many)
    ]
    assert mu_z[1] > mu_z[0]
    for form in ("model", "peft"):
        with pytest.raises(UsageError, match=f"--as {form}: .* nothing to export"):
            cell.export([0.5, 0.5], tmp_path / "out", form=form)
    assert not (tmp_path / "out").exists()
