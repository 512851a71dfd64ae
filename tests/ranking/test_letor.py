"""LETOR files: what is read, what is refused and where, which files make a fold."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretosteer.benchmarks.ranking import letor
from paretosteer.benchmarks.ranking.fold_files import find, rotation
from paretosteer.benchmarks.ranking.letor import load, parse
from paretosteer.errors import UsageError


def write(folder, text, name="part.txt"):
    path = folder / name
    path.write_bytes(text.encode())
    return path


values = st.floats(-1e6, 1e6, width=32)
documents = st.lists(
    st.tuples(st.integers(0, 4), st.dictionaries(st.integers(1, 12), values, min_size=1)),
    min_size=1,
    max_size=12,
)


@given(documents, st.sampled_from(["\n", "\r\n"]), st.booleans())
@settings(deadline=None, max_examples=60)
def test_what_is_written_is_read(tmp_path_factory, rows, end, comments):
    """Sparse rows, comments, blank lines and either line ending."""
    lines = []
    for place, (label, pairs) in enumerate(rows):
        written = " ".join(f"{i}:{v!r}" for i, v in sorted(pairs.items()))
        lines.append(f"{label} qid:{7 + place // 3} {written}" + " # docid = x:1" * comments)
        lines += ["# a comment: qid:1 3:4", ""] * comments
    path = write(tmp_path_factory.mktemp("letor"), end.join(lines))
    found = parse(path)
    assert found.labels.tolist() == [label for label, _ in rows]
    assert found.queries.tolist() == [7 + place // 3 for place in range(len(rows))]
    assert found.width == max(max(pairs) for _, pairs in rows)
    for features, (_, pairs) in zip(found.features, rows, strict=True):
        expected = np.zeros(found.width, dtype=np.float32)
        for i, v in pairs.items():
            expected[i - 1] = v
        np.testing.assert_array_equal(features, expected)


def test_chunks_join_without_a_seam(tmp_path, monkeypatch):
    lines = [f"{i % 3} qid:{i // 4} 1:{i} 2:{i / 7:.6f}" for i in range(100)]
    path = write(tmp_path, "\n".join(lines))
    whole = parse(path)
    monkeypatch.setattr(letor, "CHUNK", 64)
    parts = parse(path)
    np.testing.assert_array_equal(whole.features, parts.features)
    np.testing.assert_array_equal(whole.queries, parts.queries)
    bad = write(tmp_path, "\n".join([*lines, "1 1:2"]), "bad.txt")
    with pytest.raises(UsageError, match=r"bad.txt:101: no qid"):
        parse(bad)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1.5 qid:1 1:2", "label '1.5' is not an integer >= 0"),
        ("-1 qid:1 1:2", "label '-1' is not an integer >= 0"),
        ("99 qid:1 1:2", "label 99 is above 30"),
        ("1 1:2", "no qid after the label"),
        ("1 qid:x 1:2", "'qid:x' is not qid: followed by an integer"),
        ("1 qid:1 2", "'2' is not an index:value pair"),
        ("1 qid:1 x:2", "'x:2' is not an index:value pair"),
        ("1 qid:1 0:2", "feature index 0 is not from 1"),
        ("1 qid:1 2:1 2:3", "feature index 2 follows 2"),
        ("1 qid:1 3:1 2:3", "feature index 2 follows 3"),
        ("1 qid:1 1:nan", "value 'nan' of feature 1 is not a finite number"),
        ("1 qid:1 1:inf", "value 'inf' of feature 1 is not a finite number"),
        ("1 qid:1 1:1e99", "value of feature 1 is too large"),
        ("1 qid:1 1:2:3", "value '2:3' of feature 1"),
        ("1 qid:1 1:", "value '' of feature 1"),
        ("1 qid:1 1:0x10", "value '0x10' of feature 1"),
        ("1 qid:1 1:1_0", "value '1_0' of feature 1"),
        ("1 qid:1 1:1 99999:1", "feature index 99999 is not from 1 to 10000"),
        ("1 qid:9007199254740992 1:2", "qid 9007199254740992 is above 2^53 - 1"),
        ("1 qid:1\x1c1:2", r"'qid:1\x1c1:2' is not qid: followed by an integer"),
        (f"1 qid:1 1:0.{'1' * 60} 2:x", "value 'x' of feature 2"),
        (f"1 qid:1 1:{'x' * 60}", f"value '{'x' * 40}...' of feature 1"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
    path = write(tmp_path, f"# head\n0 qid:1 1:1\n{line}\n0 qid:1 1:1\n")
    with pytest.raises(UsageError) as error:
        parse(path)
    told = str(error.value)
    assert told.startswith(f"benchmark.path: part.txt:3: {message}")
    assert "\n" not in told


@given(st.lists(st.text(st.sampled_from("01.:-+e qid#\t\x1cn\u00e9"), max_size=14), max_size=3))
@settings(deadline=None, max_examples=200)
def test_whatever_a_file_holds_the_answer_is_finite_or_a_line_that_helps(tmp_path_factory, tails):
    lines = ["0 qid:1 1:1", *(f"1 qid:1 {tail}" for tail in tails)]
    try:
        assert np.isfinite(
            parse(write(tmp_path_factory.mktemp("any"), "\n".join(lines))).features
        ).all()
    except UsageError as error:
        assert re.fullmatch(r"benchmark\.path: part\.txt:[2-4]: .+; .+", str(error))


def test_a_byte_order_mark_is_no_part_of_a_label(tmp_path):
    found = parse(write(tmp_path, "\ufeff1 qid:1 1:0.5\n0 qid:1 1:2\n"))
    assert found.labels.tolist() == [1, 0]


def test_a_query_must_stand_together(tmp_path):
    path = write(tmp_path, "0 qid:1 1:1\n0 qid:2 1:1\n0 qid:1 1:1\n")
    with pytest.raises(UsageError, match=r"part.txt:3: qid 1 reappears after other queries"):
        parse(path)


@pytest.mark.parametrize("text", ["", "# only a comment\n\n"])
def test_an_empty_file_is_refused(tmp_path, text):
    with pytest.raises(UsageError, match=r"part.txt is empty"):
        parse(write(tmp_path, text))


def test_a_wrong_feature_count_is_refused(tmp_path):
    one = write(tmp_path, "0 qid:1 1:1 2:1\n1 qid:1 1:1 2:2\n", "one.txt")
    two = write(tmp_path, "0 qid:2 1:1 2:1 3:1\n1 qid:2 1:1 2:2 3:1\n", "two.txt")
    with pytest.raises(UsageError, match=r"two.txt has 3 features, but one.txt has 2"):
        load([one, two])


def test_a_file_without_features_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"part.txt has no feature in any line"):
        parse(write(tmp_path, "0 qid:1\n1 qid:1\n"))


def test_sparse_files_get_the_largest_width(tmp_path):
    one = write(tmp_path, "0 qid:1 1:1\n1 qid:1 2:2\n", "one.txt")
    two = write(tmp_path, "0 qid:2 4:1\n1 qid:2\n", "two.txt")
    first, second = load([one, two])
    assert first.features.tolist() == [[1, 0, 0, 0], [0, 2, 0, 0]]
    assert second.features.tolist() == [[0, 0, 0, 1], [0, 0, 0, 0]]


def test_a_dense_file_says_the_width_of_a_sparse_one(tmp_path):
    dense = write(tmp_path, "0 qid:1 1:1 2:1 3:1\n", "dense.txt")
    narrow = write(tmp_path, "0 qid:2 1:1\n1 qid:2 2:1\n", "narrow.txt")
    wide = write(tmp_path, "0 qid:3 4:1\n1 qid:3 2:1\n", "wide.txt")
    assert [part.width for part in load([narrow, dense])] == [3, 3]
    with pytest.raises(UsageError, match=r"wide.txt has 4 features, but dense.txt has 3"):
        load([wide, dense])


def test_a_query_in_two_files_is_a_leak(tmp_path):
    one = write(tmp_path, "0 qid:1 1:1\n", "one.txt")
    two = write(tmp_path, "0 qid:1 1:1\n", "two.txt")
    with pytest.raises(UsageError, match=r"qid 1 is in one.txt and in two.txt"):
        load([one, two])


def test_a_file_is_parsed_once(tmp_path, monkeypatch):
    path = write(tmp_path, "0 qid:5501 1:0.25\n2 qid:5501 1:0.75\n")
    first = load([path])[0]
    monkeypatch.setattr(letor, "parse", lambda path: pytest.fail("parsed again"))
    again = load([path])[0]
    np.testing.assert_array_equal(first.features, again.features)
    assert again.labels.tolist() == [0, 2]


def five_parts(folder):
    for part in range(1, 6):
        write(folder, f"0 qid:{part} 1:1\n", f"S{part}.txt")


def test_five_parts_rotate(tmp_path):
    five_parts(tmp_path)
    first, third = find(tmp_path, 1), find(tmp_path, 3)
    assert [p.name for p in first.splits["train"]] == ["S1.txt", "S2.txt", "S3.txt"]
    assert first.splits["validation"][0].name == "S4.txt"
    assert first.splits["test"][0].name == "S5.txt"
    assert [p.name for p in third.splits["train"]] == ["S3.txt", "S4.txt", "S5.txt"]
    assert third.splits["test"][0].name == "S2.txt"
    assert first.folds == 5 and len(first.everything) == 5
    assert sorted(rotation(k)["test"][0] for k in range(1, 6)) == [1, 2, 3, 4, 5]


def test_folders_of_folds_and_single_folders(tmp_path):
    for fold in (1, 2):
        folder = tmp_path / f"Fold{fold}"
        folder.mkdir()
        for name in ("train.txt", "vali.txt", "test.txt"):
            write(folder, "0 qid:1 1:1\n", name)
    assert find(tmp_path, 2).splits["test"] == (tmp_path / "Fold2" / "test.txt",)
    assert find(tmp_path, 1).folds == 2
    assert find(tmp_path / "Fold1", 1).folds == 1


@pytest.mark.parametrize(
    ("fold", "message"),
    [(6, "fold 6 does not exist; use a fold from 1 to 5"), (0, "fold 0 does not exist")],
)
def test_a_fold_that_is_not_there(tmp_path, fold, message):
    five_parts(tmp_path)
    with pytest.raises(UsageError, match=message):
        find(tmp_path, fold)


def test_a_layout_with_a_gap_names_what_is_not_there(tmp_path):
    write(tmp_path, "", "S1.txt")
    with pytest.raises(UsageError, match=r"has no S2.txt, S3.txt, S4.txt, S5.txt; use"):
        find(tmp_path, 1)
    (tmp_path / "S1.txt").unlink()
    (tmp_path / "Fold2").mkdir()
    with pytest.raises(UsageError, match=r"has no Fold1; use"):
        find(tmp_path, 1)
    write(tmp_path / "Fold2", "", "train.txt")
    with pytest.raises(UsageError, match=r"has no vali.txt \(or val.txt, valid.txt, .*\); use"):
        find(tmp_path / "Fold2", 1)


@pytest.mark.parametrize("loose", ["train.txt", "vali.txt.gz", "rank.test"])
@pytest.mark.parametrize("several", ["parts", "folders"])
def test_files_of_one_fold_beside_those_of_several(tmp_path, several, loose):
    if several == "parts":
        five_parts(tmp_path)
    else:
        (tmp_path / "Fold1").mkdir()
        for name in ("train.txt", "vali.txt", "test.txt"):
            write(tmp_path / "Fold1", "", name)
    find(tmp_path, 1)
    write(tmp_path, "", loose)
    with pytest.raises(UsageError, match=rf"has {loose} beside the files of several folds"):
        find(tmp_path, 1)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("Fold1/test.txt", "has Fold1 beside S1.txt, and only one of the two data sets"),
        ("S6.txt", "has S6.txt beside S1.txt ... S5.txt"),
        ("S10.txt.gz", "has S10.txt.gz beside S1.txt ... S5.txt"),
    ],
)
def test_parts_beside_another_data_set(tmp_path, other, message):
    five_parts(tmp_path)
    find(tmp_path, 1)
    folder = tmp_path / "Fold1"
    if other.startswith(folder.name):
        folder.mkdir()
        write(tmp_path / folder, "", "train.txt")
        write(tmp_path / folder, "", "vali.txt")
    write(tmp_path, "", other)
    with pytest.raises(UsageError, match=message):
        find(tmp_path, 1)


def test_two_validation_files_are_one_too_many(tmp_path):
    for name in ("train.txt", "vali.txt", "valid.txt", "test.txt"):
        write(tmp_path, "", name)
    with pytest.raises(UsageError, match=r"has vali.txt and valid.txt; keep one of them"):
        find(tmp_path, 1)
    (tmp_path / "vali.txt").rename(tmp_path / "validation.txt")
    (tmp_path / "valid.txt").unlink()
    assert find(tmp_path, 1).splits["validation"] == (tmp_path / "validation.txt",)


def test_folders_of_another_kind(tmp_path):
    with pytest.raises(UsageError, match=r"benchmark.path: .*use a folder with S1.txt"):
        find(tmp_path, 1)
    with pytest.raises(UsageError, match="does not exist"):
        find(tmp_path / "nowhere", 1)
    with pytest.raises(UsageError, match=r"benchmark.path"):
        find(write(tmp_path, "x"), 1)


def test_mq2008_is_what_it_is_known_to_be(shared_data):
    parts = load([shared_data / "mq2008" / f"S{i}.txt" for i in range(1, 6)])
    together = letor.join(parts)
    assert len(together.labels) == 15_211
    assert together.width == 46
    assert len(np.unique(together.queries)) == 784
    with_relevant = np.unique(together.queries[together.labels > 0])
    assert len(with_relevant) == 564


def test_labels_may_be_written_as_floats(tmp_path):
    path = write(tmp_path, "2.0 qid:1 1:1\n1e0 qid:1 1:2\n0.000 qid:1 1:3\n")
    assert parse(path).labels.tolist() == [2, 1, 0]


@pytest.mark.parametrize("suffix", [".query", ".group"])
def test_sizes_of_queries_stand_in_a_file_beside(tmp_path, suffix):
    one = write(tmp_path, "1 1:1 2:5\n0 1:2\n2 1:3\n", "one.txt")
    two = write(tmp_path, "1 1:1\n0 2:2\n", "two.txt")
    write(tmp_path, "1\n2\n", f"one.txt{suffix}")
    write(tmp_path, "2\n", f"two{suffix}")
    first, second = load([one, two])
    assert first.features.tolist() == [[1, 5], [2, 0], [3, 0]]
    assert (first.queries.tolist(), second.queries.tolist()) == ([0, 1, 1], [2, 2])


@pytest.mark.parametrize(
    ("text", "sizes", "message"),
    [
        ("1 1:1\n0 1:2\n", "3\n", "part.txt.query adds up to 3 documents, but part.txt has 2"),
        ("1 1:1\n0 1:2\n", "1\nx\n", "part.txt.query:2: 'x' is not the number of documents"),
        ("1 qid:1 1:1\n0 qid:2 1:2\n", "2\n", "group the documents differently"),
        ("1 1:1\n0 qid:1 1:2\n", "2\n", "part.txt:2: 'qid:1' is not an index:value pair"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(tmp_path, text, sizes, message):
    path = write(tmp_path, text)
    write(tmp_path, sizes, "part.txt.query")
    with pytest.raises(UsageError, match=message):
        parse(path)


@pytest.mark.parametrize("kind", ["gzip", "bz2", "lzma"])
def test_compressed_files_are_read(tmp_path, kind):
    import importlib

    text = b"0 qid:1 1:1\n2 qid:1 1:2\n"
    suffix = {"gzip": ".gz", "bz2": ".bz2", "lzma": ".xz"}[kind]
    whole = importlib.import_module(kind).compress(text)
    for name in ("train", "val", "test"):
        (tmp_path / f"{name}.txt{suffix}").write_bytes(whole)
    files = find(tmp_path, 1).splits
    assert parse(files["validation"][0]).labels.tolist() == [0, 2]
    files["test"][0].write_bytes(whole[:-6])
    with pytest.raises(UsageError, match=r"test.txt\.\w+ cannot be read"):
        parse(files["test"][0])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["part.txt.query", "part.txt.group"], "part.txt.query and part.txt.group; keep one"),
        (["part.query", "part.txt.query"], "part.txt.query and part.query; keep one"),
        (["part.txt.weight"], "part.txt.weight beside part.txt would not be used"),
        (["part.txt.query", "part.init"], "part.init beside part.txt would not be used"),
    ],
)
def test_files_beside_are_read_or_refused(tmp_path, names, message):
    path = write(tmp_path, "1 1:1\n0 1:2\n")
    for name in names:
        write(tmp_path, "2\n", name)
    with pytest.raises(UsageError, match=message):
        parse(path)
