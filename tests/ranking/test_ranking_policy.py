"""A ranker as a policy: Plackett-Luce sampling, padding, banks, and the second dial."""

from itertools import permutations

import numpy as np
import pytest
import torch

from paretosteer.benchmarks.ranking.ndcg_scores import padded_labels, score_rankings
from paretosteer.benchmarks.ranking.policy import Documents, RankingPolicy, Rankings
from paretosteer.benchmarks.ranking.queries import Query
from paretosteer.errors import UnsupportedError
from paretosteer.policies.conditioning import Banks, Features, PromptText
from paretosteer.policies.control import Control
from paretosteer.policies.perceptron import Perceptron

WIDTH = 5


def query(name, n, seed=0):
    rng = np.random.default_rng([seed, n])
    labels = np.array([[1, 2], *rng.integers(0, 3, size=(n - 1, 2))])
    return Query(name, rng.normal(size=(n, WIDTH)).astype(np.float32), labels)


QUERIES = [query("q1", 4), query("q2", 9), query("q3", 2), query("q4", 14)]


def policy(conditioning=None, attention=False, places=10):
    network = Perceptron([WIDTH, 16, 8, 1], attention)
    network.initialise(torch.Generator().manual_seed(0))
    made = RankingPolicy(
        network.requires_grad_(False), conditioning or Banks(3, 4, 4.0), seed=1, places=places
    )
    generator = torch.Generator().manual_seed(2)
    for p in made.parameters():
        p.data.add_(0.3 * torch.randn(p.shape, generator=generator))
    return made


def soup(rows, seed=0):
    values = torch.randn(rows, 3, generator=torch.Generator().manual_seed(seed))
    return Control.soup(values)


def test_the_probabilities_of_all_orders_sum_to_one():
    made, control = policy(), soup(24)
    orders = list(permutations(range(4)))
    rows = [QUERIES[0]] * len(orders)
    one = control.take(torch.zeros(24, dtype=torch.int64))
    samples = Rankings.of(rows, [np.array(o) for o in orders], 10, torch.device("cpu"))
    total = made.log_probs(samples, one).sum(dim=1).exp().sum()
    assert total.item() == pytest.approx(1, abs=1e-5)


def test_samples_follow_their_probabilities():
    made, rows = policy(places=1), 4000
    control = soup(1).take(torch.zeros(rows, dtype=torch.int64))
    samples = made.sample([QUERIES[0]] * rows, control, 3, list(range(rows)))
    scores, _ = made.document_scores([QUERIES[0]], soup(1))
    expected = scores[0].softmax(dim=0)
    drawn = torch.bincount(samples.order[:, 0], minlength=4) / rows
    torch.testing.assert_close(drawn, expected.detach(), atol=0.03, rtol=0)
    torch.testing.assert_close(made.log_probs(samples, control), samples.log_probs)


@pytest.mark.parametrize("attention", [False, True])
def test_a_query_does_not_feel_its_batch(attention):
    made, control = policy(attention=attention), soup(4)
    together = made.sample(QUERIES, control, 5, [0] * 4)
    answers = made.answer(QUERIES, control, 5, [0] * 4)
    for row, one in enumerate(QUERIES):
        n = len(one.labels)
        alone = made.sample([one], control.take(torch.tensor([row])), 5, [0])
        assert alone.order[0].tolist() == together.order[row, :n].tolist()
        own = made.answer([one], control.take(torch.tensor([row])), 5, [0])
        torch.testing.assert_close(own.scores[0], answers.scores[row, :n], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attention", [False, True])
def test_batched_and_materialised_soups_agree(attention):
    made = policy(attention=attention)
    coefficients = torch.tensor([1.3, -0.6, 0.2])
    scores, _ = made.document_scores([QUERIES[3]], Control.soup(coefficients[None]))
    plain = made.materialise(coefficients)
    x = torch.from_numpy(QUERIES[3].features)[None]
    torch.testing.assert_close(scores, plain(x).squeeze(-1), atol=1e-5, rtol=1e-5)


def test_attention_sees_the_other_documents_whatever_their_order():
    made, one = policy(attention=True), QUERIES[1]
    turned = Query("q2", one.features[::-1].copy(), one.labels[::-1])
    scores, _ = made.document_scores([one], soup(1))
    other, _ = made.document_scores([turned], soup(1))
    torch.testing.assert_close(scores[0], other[0].flip(0), atol=1e-5, rtol=1e-5)
    fewer = Query("q2", one.features[:5], one.labels[:5])
    cut, _ = made.document_scores([fewer], soup(1))
    assert not torch.allclose(cut[0], scores[0, :5], atol=1e-4)


def test_switched_off_it_is_the_start_ranker():
    for conditioning in (Banks(3, 4, 4.0), Features(2, rank=4, alpha=4.0)):
        made = policy(conditioning)
        x = torch.from_numpy(QUERIES[1].features)[None]
        start = Perceptron([WIDTH, 16, 8, 1])
        start.initialise(torch.Generator().manual_seed(0))
        scores, _ = made.document_scores([QUERIES[1]], Control.start(1))
        torch.testing.assert_close(scores, start(x).squeeze(-1))


def test_features_move_the_scores_only_once_trained():
    network = Perceptron([WIDTH, 16, 8, 1])
    network.initialise(torch.Generator().manual_seed(0))
    fresh = RankingPolicy(network, Features(2, rank=4, alpha=4.0), seed=1, places=10)
    control = Control.features([[1.0, -1.0]])
    before, _ = fresh.document_scores([QUERIES[1]], control)
    start, _ = fresh.document_scores([QUERIES[1]], Control.start(1))
    torch.testing.assert_close(before, start)
    trained = policy(Features(2, rank=4, alpha=4.0))
    one, _ = trained.document_scores([QUERIES[1]], control)
    other, _ = trained.document_scores([QUERIES[1]], Control.features([[-1.0, 1.0]]))
    assert not torch.allclose(one - one.mean(), other - other.mean(), atol=1e-3)


def test_sharpness_scales_the_way_from_the_start():
    made, control = policy(), soup(4)
    half = Control(control.kind, 4, control.values, sharpness=torch.full((4,), 0.5))
    start, mask = made.document_scores(QUERIES, Control.start(4))
    full, _ = made.document_scores(QUERIES, control)
    found, _ = made.document_scores(QUERIES, half)
    torch.testing.assert_close(found[mask], (start + 0.5 * (full - start))[mask])


def test_drift_is_the_exact_kl_of_the_first_place():
    made, control = policy(), soup(4)
    answers = made.answer(QUERIES, control, 0, [0] * 4)
    drift = made.drift(answers, control)
    for row, one in enumerate(QUERIES):
        n = len(one.labels)
        start, _ = made.document_scores([one], Control.start(1))
        p, q = answers.scores[row, :n].softmax(0), start[0].double().softmax(0)
        assert drift.kl[row] == pytest.approx(float((p * (p / q).log()).sum()), abs=1e-5)
        assert drift.start_nll[row] == pytest.approx(float(-(p * q.log()).sum()), abs=1e-5)
    assert drift.tokens.tolist() == [4, 9, 2, 14]


def test_a_sampled_ranking_scores_as_its_order():
    made, control = policy(), soup(4)
    samples = made.sample(QUERIES, control, 0, [0] * 4)
    answers = made.answer(QUERIES, control, 0, [0] * 4)
    sorted_scores = answers.scores.argsort(dim=1, descending=True)
    sorted_by_hand = Rankings.of(
        QUERIES,
        [o[: len(q.labels)].numpy() for o, q in zip(sorted_scores, QUERIES, strict=True)],
        10,
        torch.device("cpu"),
    )
    np.testing.assert_allclose(score_rankings(answers), score_rankings(sorted_by_hand))
    assert (score_rankings(samples) <= 1).all()


def test_only_chosen_documents_are_compared():
    made, control = policy(), soup(2)
    chosen = torch.tensor([[3, 0], [1, 8]])
    picked = made.list_log_probs(Documents(tuple(QUERIES[:2]), chosen), control)
    every = made.list_log_probs(Documents(tuple(QUERIES[:2])), control)
    torch.testing.assert_close(picked, every.gather(1, chosen))


def test_labels_are_padded_with_nothing():
    labels, mask = padded_labels(QUERIES[:2], 9)
    assert labels.shape == (2, 9, 2)
    assert mask.sum(axis=1).tolist() == [4, 9]
    assert not labels[0, 4:].any()


@pytest.mark.parametrize(
    ("conditioning", "reason"),
    [
        (PromptText(4, 4.0), "no text prompt to which a preference"),
        (Banks(2, 4, 4.0, scope="attention"), "no attention layers to adapt"),
    ],
)
def test_what_a_ranker_cannot_carry_is_unsupported(conditioning, reason):
    with pytest.raises(UnsupportedError, match=reason):
        policy(conditioning)


def test_scopes_name_their_layers():
    every, head = policy(), policy(Banks(2, 4, 4.0, scope="head"))
    assert list(every.layers) == ["linear.0", "linear.1", "linear.2"]
    assert list(head.layers) == ["linear.2"]
    attention = policy(Banks(2, 4, 4.0, scope="attention"), attention=True)
    assert all(name.startswith("attention.") for name in attention.layers)
    assert len(attention.layers) == 4
