"""The synthetic data set: the same everywhere, learnable, and with objectives that conflict."""

from hashlib import sha256

import numpy as np
import pytest

from paretosteer.benchmarks.ranking.fold_files import rotation
from paretosteer.benchmarks.ranking.letor import join
from paretosteer.benchmarks.ranking.ndcg import ndcg
from paretosteer.benchmarks.ranking.ndcg_scores import padded_labels
from paretosteer.benchmarks.ranking.ranking_data import load_data
from paretosteer.benchmarks.ranking.synthetic import CONSTANT, synthetic
from paretosteer.errors import UsageError

AUXILIARY = {"pagerank": 41, "inlinks": 42}


@pytest.fixture(scope="module")
def whole():
    return join(list(synthetic(1).values()))


@pytest.fixture(scope="module")
def data():
    return load_data(None, 1, AUXILIARY, 5)


def reached(queries, score):
    """Mean NDCG@10 (m,) of documents ranked by a function of their inputs."""
    labels, mask = padded_labels(queries, max(len(query.labels) for query in queries))
    scores = np.zeros(mask.shape)
    scores[mask] = np.concatenate([score(query.features) for query in queries])
    return ndcg(scores, labels, mask).mean(axis=0)


def test_it_is_the_same_on_every_machine(whole):
    """Change SYNTHETIC_VERSION with this digest: figures before and after are of other data."""
    written = np.round(whole.features.astype(np.float64) * 1e6).astype("<i4").tobytes()
    rest = whole.labels.astype("<i8").tobytes() + whole.queries.astype("<i8").tobytes()
    assert (
        sha256(written + rest).hexdigest()
        == "963dd8eb27d560da48ab37018335d0f615777e089160556fb714cf72554d5aa2"
    )


def test_its_shape_is_that_of_mq2008(whole):
    sizes = np.unique(whole.queries, return_counts=True)[1]
    assert len(sizes) == 500 and sizes.min() == 5 and sizes.max() == 40
    assert np.median(sizes) == 10 < sizes.mean()
    without = 500 - len(np.unique(whole.queries[whole.labels > 0]))
    assert 0.1 < without / 500 < 0.25
    varies = np.ptp(whole.features, axis=0) > 0
    assert set(np.flatnonzero(~varies) + 1) == set(CONSTANT)


def test_features_fill_0_to_1_within_each_query(whole):
    starts = np.flatnonzero(np.diff(whole.queries, prepend=-1))
    varying = np.delete(whole.features, [column - 1 for column in CONSTANT], axis=1)
    assert (np.minimum.reduceat(varying, starts) == 0).all()
    assert (np.maximum.reduceat(varying, starts) == 1).all()


def test_parts_rotate_as_files_do():
    tested = {rotation(k)["test"][0]: set(synthetic(k)["test"].queries) for k in range(1, 6)}
    assert len(set().union(*tested.values())) == 500
    for fold in range(1, 6):
        for split, parts in rotation(fold).items():
            queries = set(synthetic(fold)[split].queries)
            assert queries == set().union(*(tested[part] for part in parts))


@pytest.mark.parametrize("fold", [0, 6])
def test_there_are_five_folds(fold):
    with pytest.raises(UsageError, match=f"benchmark.fold: fold {fold} does not exist"):
        synthetic(fold)


def test_objectives_conflict(data):
    """Labels within queries: relevance goes a little against both, which go together."""
    labels = np.concatenate(
        [q.labels - q.labels.mean(axis=0) for queries in data.splits.values() for q in queries]
    )
    found = np.corrcoef(labels.T)
    assert -0.3 < found[0, 1] < 0 and -0.3 < found[0, 2] < 0
    assert 0.4 < found[1, 2] < 0.65


def test_each_objective_can_be_learnt_and_no_feature_is_enough(data):
    ensemble = pytest.importorskip("sklearn.ensemble")
    train, test = data.splits["train"], data.splits["test"]
    features = np.concatenate([query.features for query in train])
    labels = np.concatenate([query.labels for query in train])
    best = np.max(
        [
            reached(test, lambda x, j=j, sign=sign: sign * x[:, j])
            for j in range(data.width)
            for sign in (1, -1)
        ],
        axis=0,
    )
    for i in range(3):
        model = ensemble.HistGradientBoostingRegressor(max_iter=100, random_state=0)
        learnt = reached(test, model.fit(features, labels[:, i]).predict)
        assert learnt[i] > best[i] + 0.03
        assert all(learnt[i] > learnt[j] + 0.05 for j in range(3) if j != i)
