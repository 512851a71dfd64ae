"""The ranking benchmark whole: feedback, identities, orientation, real queries."""

import copy

import numpy as np
import pytest
import torch

from paretosteer import make_benchmark, make_method, make_trainer
from paretosteer.benchmarks.ranking.ndcg import ndcg
from paretosteer.benchmarks.ranking.ndcg_scores import padded_labels
from paretosteer.errors import UsageError
from paretosteer.metrics import controllability
from paretosteer.policies.control import Control
from paretosteer.simplex import lattice
from paretosteer.training.draws import Draws, fixed
from paretosteer.training.feedback import Batch, Preference
from paretosteer.training.rollout import roll_out


@pytest.fixture(scope="module")
def world():
    return make_benchmark("ranking")


def trained(world, name, steps=200, **values):
    method = make_method(name, **values)
    method.train(world, make_trainer(world, seed=0, steps=steps))
    return method


def points(world, method, mu, split="test"):
    """Normalised means (k, m) on a split's queries."""
    queries, control = world.prompts(split), method.control(mu)
    total = np.zeros((len(mu), len(world.objectives)))
    for cells, _, answers in roll_out(
        method.policy, queries, control, seed=0, samples=1, batch_rows=2048
    ):
        np.add.at(total, cells.point, world.normaliser.apply(world.score(answers)))
    return total / len(queries)


STEERED_IN_SECONDS = [("rewarded_soup", {}), ("clp", {}), ("cos_dpo", {})]
STEERED_LATER = [
    ("rewarded_soup", {"feedback": "preference"}),
    ("bone_soup", {}),
    ("cos_dpo", {"variant": "temperature"}),
    ("cos_dpo", {"condition": "banks"}),
    ("cos_dpo", {"feedback": "reward"}),
    ("morl", {}),
]


@pytest.mark.parametrize(
    ("name", "values"),
    [*STEERED_IN_SECONDS, *(pytest.param(*each, marks=pytest.mark.slow) for each in STEERED_LATER)],
)
def test_more_weight_gives_more(world, name, values):
    found = points(world, trained(world, name, **values), np.eye(3))
    assert (found.argmax(axis=0) == np.arange(3)).all(), found


@pytest.mark.slow
def test_interpolation_goes_toward_what_it_imitates(world):
    """All of lambda on one attribute; alpha's mixture of both ends moves rankings by little."""
    method = trained(world, "interpolation", steps=600, control="lambda")
    found = points(world, method, np.eye(3))
    assert (found.argmax(axis=0) == np.arange(3)).all(), found


def test_the_negative_control_does_not_steer(world):
    method = trained(world, "cos_dpo", steps=60, condition="none")
    mu = lattice(3)
    assert controllability(mu, points(world, method, mu)) == 0.0


def test_labels_of_a_list_are_shares_and_start_scores_its_own(world):
    lists = world.lists(np.random.default_rng(0), np.ones((8, 3)), None)
    torch.testing.assert_close(lists.labels.sum(dim=1), torch.ones(8, 3))
    assert not lists.labels[~lists.mask].any()
    policy = world.start_policy(make_method("cos_dpo").conditioning(3), seed=0)
    found = policy.list_log_probs(lists.candidates, Control.start(8))
    torch.testing.assert_close(found, lists.start_log_probs)


def test_weights_change_nothing_where_lists_have_labels_of_all_objectives(world):
    equal = world.lists(np.random.default_rng(0), np.ones((8, 3)), 4)
    other = world.lists(np.random.default_rng(0), np.tile([0.7, 0.3, -1.0], (8, 1)), 4)
    assert torch.equal(equal.labels, other.labels)
    assert torch.equal(equal.start_log_probs, other.start_log_probs)


def test_lists_may_be_shorter(world):
    lists = world.lists(np.random.default_rng(0), np.ones((64, 3)), 3)
    assert lists.labels.shape == (64, 3, 3)
    assert lists.mask.all()  # the shortest query has more documents
    chosen = lists.candidates.chosen
    assert (chosen.sort(dim=1).values.diff(dim=1) > 0).all()  # no document twice
    sums = lists.labels.sum(dim=1)
    assert ((sums - 1).abs() < 1e-6).logical_or(sums == 0).all()


def test_padding_takes_no_part_in_the_loss(world):
    """The same queries in one batch and alone have the same loss."""
    feedback = Preference(world, None, 0.5)
    method = make_method("rewarded_soup", feedback="preference")
    method.build_policy(world, seed=0)
    generator = torch.Generator().manual_seed(0)
    for p in method.policy.parameters():
        p.data.add_(0.2 * torch.randn(p.shape, generator=generator))
    rng = np.random.default_rng(0)
    draws = Draws(np.tile([0.2, 0.3, 0.5], (6, 1)))
    control = method.control(draws.weights)
    batch = feedback.collect(method.policy, draws, control, rng)
    together = feedback.loss(method.policy, batch, draws, control)
    alone = []
    for row, query in enumerate(batch.lists.candidates.queries):
        lists = only(world, [query]).lists(rng, np.ones((1, 3)), None)
        one = Batch(lists.candidates, torch.zeros(1, dtype=torch.int64), 1, lists=lists)
        mu = Draws(draws.weights[:1])
        alone.append(feedback.loss(method.policy, one, mu, control.take(torch.tensor([row]))))
    torch.testing.assert_close(together, torch.stack(alone).mean())


def only(world, queries):
    """The same world with these training queries, met in turn."""
    other = copy.copy(world)
    other._drawn = lambda rng, count: [queries[i % len(queries)] for i in range(count)]
    return other


@pytest.mark.slow
def test_a_common_temperature_needs_no_training(world):
    """Trained at twice the temperatures, or scaled by the identity: the same scores.

    On a few queries whose labels are all positive, so that the optimum exists and can be reached.
    """
    queries = [q for q in world.prompts("train") if 5 <= len(q.labels) <= 8][:3]
    positive = [q.__class__(q.id, q.features, q.labels + 1) for q in queries]
    few = only(world, positive)

    def scores(beta):
        method = make_method("rewarded_soup", feedback="preference", rank=32, alpha=32.0)
        method.build_policy(world, seed=0)
        trainer = make_trainer(world, seed=0, steps=1500)
        trainer.fit(
            "one",
            method.policy,
            Preference(few, None, beta),
            draw=fixed(np.array([0.2, 0.3, 0.5])),
            control=lambda draws: Control.bank([0] * len(draws.weights)),
            parameters=method.policy.parameters(0),
            steps=1500,
            optimiser=0.01,
        )
        with torch.no_grad():
            own = [method.policy.document_scores([q], Control.bank([0]))[0][0] for q in positive]
            start = [method.policy.document_scores([q], Control.start(1))[0][0] for q in positive]
        return [(s - s0) - (s - s0).mean() for s, s0 in zip(own, start, strict=True)]

    at_one, at_two = scores(0.5), scores(1.0)
    for one, two in zip(at_one, at_two, strict=True):
        torch.testing.assert_close(two, one / 2, atol=0.05, rtol=0)
        assert one.abs().max() > 0.2


def test_the_second_dial_is_an_axis_of_the_points(world):
    method = trained(world, "cos_dpo", variant="temperature", steps=60)
    dialled = method.points(lattice(3))
    dials = {tuple(sorted(p.dials.items())) for p in dialled}
    assert dials == {(), (("temperature", 0.5),), (("temperature", 2.0),)}
    mu = np.tile([[0.2, 0.4, 0.4]], (3, 1))
    control = method.control(mu, [{"temperature": k} for k in (0.5, 1.0, 4.0)])
    queries = world.prompts("test")[:20]
    drift = [
        method.policy.drift(
            method.policy.answer(queries, control.take(torch.full((20,), i)), 0, [0] * 20),
            control.take(torch.full((20,), i)),
        ).kl.mean()
        for i in range(3)
    ]
    assert drift[0] > drift[1] > drift[2] > 0  # warmer is nearer the start ranker


def test_the_start_ranker_learnt_relevance(world):
    queries = world.prompts("validation")
    method = make_method("start")
    method.build_policy(world, seed=0)
    answers = method.policy.answer(queries, Control.start(len(queries)), 0, [0] * len(queries))
    labels, mask = padded_labels(queries, answers.scores.shape[1])
    chance = ndcg(np.zeros(mask.shape), labels, mask).mean(axis=0)
    reached = world.score(answers).mean(axis=0)
    assert reached[0] > chance[0] + 0.1


def test_folds_of_one_family_have_their_own_start_ranker(world):
    other = make_benchmark("ranking", fold=2)
    assert world.fold.family == other.fold.family
    assert (world.fold.index, other.fold.index, world.fold.of) == (1, 2, 5)
    assert world.setting.model_key != other.setting.model_key


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"auxiliary": ("pagerank",)}, "found 'pagerank'; use name:column"),
        ({"auxiliary": ("a:41", "a:42")}, "'a:42' repeats a name or a column"),
        ({"auxiliary": ("a:41", "b:41")}, "'b:41' repeats a name or a column"),
        ({"auxiliary": ("relevance:41",)}, "repeats a name"),
        ({"auxiliary": ()}, "benchmark.auxiliary: empty"),
        ({"auxiliary": ("x:²",)}, "use name:column"),
        ({"hidden": ()}, "benchmark.hidden: empty"),
        ({"grades": 5000}, "benchmark.grades: found 5000, expected at most 31"),
        ({"auxiliary": ("a:47",)}, "the data have 46 features"),
        ({"fold": 6}, "fold 6 does not exist"),
        ({"path": "nowhere"}, "nowhere does not exist"),
        ({"dtype": "bfloat16"}, "ranking computes in float32 only"),
    ],
)
def test_bad_options_are_named(values, message):
    with pytest.raises(UsageError, match=message):
        make_benchmark("ranking", **values)


@pytest.mark.slow
def test_real_queries(shared_data):
    world = make_benchmark("ranking", path=str(shared_data / "mq2008"))
    assert "queries left out" in world.notes[0]
    kept = sum(len(world.data.splits[s]) for s in world.data.splits)
    left_out = sum(sum(counts.values()) for counts in world.data.excluded.values())
    assert kept + left_out == 784
    assert left_out >= 220
    found = points(world, trained(world, "cos_dpo", steps=150), np.eye(3))
    assert found[1, 1] > found[0, 1] + 0.5  # PageRank can be steered, though it is no input
    assert found[2, 2] > found[0, 2] + 0.5


def letor_folder(folder, width, comment=""):
    rng = np.random.default_rng(0)
    for part, name in enumerate(("train", "val", "test")):
        lines = []
        for query in range(24):
            for document in range(6):
                values = " ".join(f"{i}:{v:.4f}" for i, v in enumerate(rng.random(width), 1))
                lines.append(f"{document % 3} qid:{100 * part + query} {values} {comment}\n")
        (folder / f"{name}.txt").write_text("".join(lines))
    return str(folder)


@pytest.mark.parametrize(
    ("width", "hint"), [(46, r"for MQ2007 or MQ2008, \["), (136, "experiment=mslr"), (60, "data$")]
)
def test_columns_of_unknown_data_are_not_named(tmp_path, width, hint):
    with pytest.raises(UsageError, match=f"benchmark.auxiliary: not set, .*{hint}"):
        make_benchmark("ranking", path=letor_folder(tmp_path, width))


def test_columns_are_named_where_the_documents_are_known(tmp_path):
    world = make_benchmark(
        "ranking", path=letor_folder(tmp_path, 46, "#docid = GX008-86-4444840 inc = 1 prob = 0.1")
    )
    assert [o.name for o in world.objectives] == ["relevance", "pagerank", "inlinks"]
    assert world.notes == [
        "Units come from only 2 calibration queries: a unit is uncertain by about 71%, so do not "
        "compare these figures with those of other data."
    ]
