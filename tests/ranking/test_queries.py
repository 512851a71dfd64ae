"""Queries: graded auxiliary labels, what is left out and counted, splits, scaling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretosteer.benchmarks.ranking.letor import Letor
from paretosteer.benchmarks.ranking.queries import (
    Scaling,
    check_auxiliary,
    graded,
    make_queries,
    split_training,
)
from paretosteer.benchmarks.ranking.ranking_data import data_digest, load_data
from paretosteer.benchmarks.ranking.synthetic import synthetic
from paretosteer.errors import UsageError

AUXILIARY = {"pagerank": 41, "inlinks": 42}


def letor(sizes, width=4, seed=0):
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    return Letor(
        rng.random((n, width)).astype(np.float32),
        rng.integers(1, 3, size=n),
        np.repeat(np.arange(len(sizes)), sizes),
        dense=True,
    )


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30), st.integers(2, 6))
@settings(deadline=None)
def test_a_grade_counts_what_is_lower(values, grades):
    column = np.array(values, dtype=np.float32)
    found = graded(column, np.array([len(values)]), grades)
    for value, label in zip(values, found, strict=True):
        lower = sum(other < value for other in values)
        assert label == -(-lower * (grades - 1) // len(values))
    assert (found[column == column.min()] == 0).all()
    assert (found[column > column.min()] >= 1).all()
    assert found.max() <= grades - 1


def test_grades_are_within_each_query():
    column = np.array([1, 2, 3, 30, 20, 10], dtype=np.float32)
    assert graded(column, np.array([3, 3]), 3).tolist() == [0, 1, 2, 2, 1, 0]


def test_the_auxiliary_column_is_a_label_and_no_input():
    data = letor([3, 4])
    queries, left_out = make_queries(data, {"aux": 2}, 5)
    assert not left_out
    np.testing.assert_array_equal(queries[0].features, data.features[:3][:, [0, 2, 3]])
    np.testing.assert_array_equal(queries[1].labels[:, 0], data.labels[3:])
    order = data.features[3:, 1].argsort()
    assert queries[1].labels[order, 1].tolist() == [0, 1, 2, 3]


def test_one_rule_leaves_queries_out_of_every_objective():
    data = letor([1, 3, 3, 3])
    data.labels[1:4] = 0  # no relevant document
    data.features[4:7, 1] = 0.5  # constant within the query
    queries, left_out = make_queries(data, {"aux": 2}, 5)
    assert [query.id for query in queries] == ["q3"]
    assert left_out == {"one document": 1, "no positive relevance": 1, "no positive aux": 1}


@pytest.mark.parametrize(
    ("auxiliary", "message"),
    [
        ({"a": 0}, "use a column from 1 to 4"),
        ({"a": 5}, "the data have 4 features"),
        ({"a": 1, "b": 1}, "column 1 is both a and b"),
        ({"a": 3}, r"column 3 \(a\) is constant over all documents"),
    ],
)
def test_columns_that_make_no_objective(auxiliary, message):
    data = letor([3, 3])
    data.features[:, 2] = 1
    with pytest.raises(UsageError, match=message):
        check_auxiliary([data], auxiliary)


def test_some_feature_must_stay_an_input():
    with pytest.raises(UsageError, match="all 2 features are objectives"):
        check_auxiliary([letor([3, 3], width=2)], {"a": 1, "b": 2})


def test_calibration_is_a_tenth_and_the_same_everywhere():
    queries, _ = make_queries(letor([3] * 60), {"aux": 2}, 5)
    train, calibration = split_training(queries)
    assert len(calibration) == 6 and len(train) == 54
    shuffled = [queries[i] for i in np.random.default_rng(1).permutation(60)]
    assert {q.id for q in split_training(shuffled)[1]} == {q.id for q in calibration}
    with pytest.raises(UsageError, match="calibration alone needs"):
        split_training(queries[:2])


def test_scaling_gives_mean_0_and_deviation_1_on_training_queries():
    data = letor([30, 30])
    data.features[:, 0] *= 1e6
    data.features[:, 3] = 7
    queries, _ = make_queries(data, {"aux": 2}, 5)
    scaled = np.concatenate([q.features for q in Scaling.fit(queries).scaled(queries)])
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis=0)[:2], 1, atol=1e-3)
    assert not scaled[:, 2].any()  # constant


def test_splits_share_no_query():
    data = load_data(None, 1, AUXILIARY, 5)
    ids = [query.id for queries in data.splits.values() for query in queries]
    assert len(ids) == len(set(ids))
    assert data.width == 44 and data.folds == 5


def test_every_query_of_every_split_can_be_scored():
    data = load_data(None, 2, AUXILIARY, 5)
    for queries in data.splits.values():
        for query in queries:
            assert len(query.labels) > 1
            assert (query.labels > 0).any(axis=0).all()
            assert np.isfinite(query.features).all()


def test_a_split_of_which_nothing_is_left(tmp_path):
    rows = "".join(f"1 qid:{q} 1:{q} 2:{d}\n" for q in range(9) for d in range(3))
    (tmp_path / "train.txt").write_text(rows)
    (tmp_path / "vali.txt").write_text("1 qid:20 1:1 2:2\n0 qid:20 1:1 2:1\n")
    (tmp_path / "test.txt").write_text("0 qid:30 1:1 2:2\n0 qid:30 1:1 2:1\n")
    with pytest.raises(UsageError, match=r"split test has no usable query.*relevance"):
        load_data(str(tmp_path), 1, {"aux": 2}, 3)


def test_mq2008_loses_the_queries_without_a_relevant_document(shared_data):
    data = load_data(str(shared_data / "mq2008"), 1, AUXILIARY, 5)
    assert data.excluded == {
        "train": {"no positive relevance": 132},
        "validation": {"no positive relevance": 37},
        "test": {"no positive relevance": 51},
    }
    assert data.note == (
        "220 of 784 queries left out: 220 with no positive relevance "
        "(train 132, validation 37, test 51)."
    )
    assert {split: len(queries) for split, queries in data.splits.items()} == {
        "train": 305,
        "calibration": 34,
        "validation": 120,
        "test": 105,
    }
    other = load_data(str(shared_data / "mq2008"), 2, AUXILIARY, 5)
    assert other.family == data.family


def test_folds_that_differ_far_from_their_beginning_are_another_data_set(tmp_path):
    rows = [f"{d} qid:{q} 1:{q} 2:{d}\n" for q in range(6000) for d in range(3)]
    families = []
    for last in (3, 4):
        parts = {"train": rows[:60], "vali": rows[60:120], "test": rows[120:]}
        for name, part in parts.items():
            text = "".join(part).removesuffix("2\n") + f"{last}\n"
            (tmp_path / f"{name}.txt").write_text(text)
        families.append(load_data(str(tmp_path), 1, {"aux": 2}, 3).family)
    assert families[0] != families[1]


def test_the_digest_follows_content_and_options():
    own = data_digest(None, 1, AUXILIARY, 5)
    assert own == data_digest(None, 1, dict(AUXILIARY), 5)
    others = [
        data_digest(None, 2, AUXILIARY, 5),
        data_digest(None, 1, AUXILIARY, 3),
        data_digest(None, 1, {"pagerank": 41}, 5),
    ]
    assert len({own, *others}) == 4


def test_the_digest_of_a_file_follows_its_content(tmp_path):
    for part in range(1, 6):
        (tmp_path / f"S{part}.txt").write_text(f"0 qid:{part} 1:1 2:2\n")
    before = data_digest(str(tmp_path), 1, {"a": 2}, 5)
    (tmp_path / "S1.txt").write_text("0 qid:1 1:1 2:2 # longer\n")
    assert data_digest(str(tmp_path), 1, {"a": 2}, 5) != before


def test_the_synthetic_set_has_the_shape_of_mq2008():
    splits = synthetic(1)
    data = splits["train"]
    assert data.width == 46 and set(np.unique(data.labels)) == {0, 1, 2}
    assert data.features.min() >= 0 and data.features.max() <= 1
    sizes = np.unique(data.queries, return_counts=True)[1]
    assert sizes.min() >= 5 and sizes.max() <= 40
    aux = data.features[:, [40, 41]]
    assert 0.3 < np.corrcoef(aux.T)[0, 1] < 0.7
    assert abs(np.corrcoef(aux[:, 0], data.labels)[0, 1]) < 0.25
    tests = [set(synthetic(k)["test"].queries.tolist()) for k in range(1, 6)]
    assert len(set().union(*tests)) == sum(map(len, tests)) == 500
