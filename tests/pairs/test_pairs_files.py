"""Files, folders and names of data sets: the same pairs from each, and what is wrong said."""

import gzip
import json

import pyarrow
import pyarrow.parquet
import pytest
from pair_files import ROWS, said, write_lines

from paretosteer.errors import UsageError
from paretosteer.text.pairs import Source, pair_source, read_pairs, split_of


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return read_pairs(write_lines(tmp_path_factory.mktemp("pairs") / "p.jsonl", ROWS), "x").pairs


@pytest.mark.parametrize("name", ["p.jsonl.gz", "p.json", "p.json.gz"])
def test_lines_are_read_plain_and_packed(tmp_path, expected, name):
    assert read_pairs(write_lines(tmp_path / name, ROWS), "x").pairs == expected


def test_a_json_array_is_read(tmp_path, expected):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(ROWS, indent=1))
    assert read_pairs(str(path), "x").pairs == expected


def test_blank_lines_are_no_rows(tmp_path, expected):
    path = tmp_path / "p.jsonl"
    path.write_text("\n" + "\n\n".join(map(json.dumps, ROWS)))
    found = read_pairs(str(path), "x")
    assert (found.pairs, found.counts["read"]) == (expected, len(ROWS))


def test_parquet_is_read_with_messages_and_absent_winners(tmp_path, expected):
    path = tmp_path / "p.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)
    assert read_pairs(str(path), "x").pairs == expected
    rows = [
        {"prompt": said("q"), "response_0": "a", "response_1": "b", "safer": i} for i in (0, None)
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "q.parquet")
    found = read_pairs({"path": str(tmp_path / "q.parquet"), "winner": "safer"}, "x")
    assert (len(found.pairs), found.counts["tie"]) == (1, 1)


def test_what_save_to_disk_wrote_is_read(tmp_path, expected):
    from datasets import Dataset, DatasetDict

    Dataset.from_list(ROWS).save_to_disk(tmp_path / "one")
    DatasetDict({"test": Dataset.from_list(ROWS)}).save_to_disk(tmp_path / "parts")
    assert read_pairs(str(tmp_path / "one"), "x").pairs == expected
    parts = {"path": str(tmp_path / "parts"), "split": "test"}
    assert read_pairs(parts, "x").pairs == expected
    with pytest.raises(UsageError, match=r"pairs\.x\.split: .* no split 'train'; use one of test"):
        read_pairs(str(tmp_path / "parts"), "x")


def test_a_folder_of_data_files_is_read_by_its_parts(tmp_path, monkeypatch, expected):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "set" / "helpful-base").mkdir(parents=True)
    write_lines(tmp_path / "set" / "helpful-base" / "test.jsonl.gz", ROWS)
    source = {"path": str(tmp_path / "set"), "folder": "helpful-base", "split": "test"}
    assert read_pairs(source, "x").pairs == expected


@pytest.mark.parametrize("saved", [False, True])
def test_splits_that_are_not_read_are_named(tmp_path, monkeypatch, saved, expected):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "set"
    if saved:
        part = datasets.Dataset.from_list(ROWS)
        datasets.DatasetDict({"train": part, "test": part}).save_to_disk(folder)
    else:
        folder.mkdir()
        for name in ("train", "test"):
            write_lines(folder / f"{name}.jsonl", ROWS)
    found = read_pairs(str(folder), "x")
    assert found.pairs == expected and "; splits that are not read: test." in str(found)
    assert "not read" not in str(read_pairs({"path": str(folder), "split": "train"}, "x"))


def test_a_name_without_a_network_spells_out_the_file_option():
    with pytest.raises(UsageError) as error:
        read_pairs({"path": "someone/pairs-that-are-not-here", "split": "test"}, "helpful")
    assert "benchmark.pairs.helpful=/path/to/file.jsonl.gz" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"chosen": "a", "rejected": "b"}\n{"chosen": \n', r"p\.jsonl:2: not JSON \("),
        (b'{"chosen": "\xff"}\n', r"p\.jsonl:1: chosen has half of a surrogate pair, or a byte"),
        (b"3\n", r"p\.jsonl:1: found int; use an object"),
        (b"[3, 4]", r"p\.jsonl:1: found int; use an object"),
        (b"", "the file is empty"),
        (b'{"chosen": "", "rejected": "b"}\n', "has no usable pair"),
    ],
)
def test_unreadable_lines_are_named(tmp_path, content, expected):
    path = tmp_path / "p.jsonl"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"^benchmark.pairs.x: .*{expected}") as error:
        read_pairs(str(path), "x")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", ["cut", "plain", "flipped"])
def test_a_damaged_archive_is_named_with_the_line_reached(tmp_path, damage):
    whole = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in ROWS))
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    path = tmp_path / "p.jsonl.gz"
    path.write_bytes({"cut": whole[:-4], "plain": b"{}\n", "flipped": flipped}[damage])
    with pytest.raises(
        UsageError, match=r"^benchmark.pairs.x: .*gz:\d+: cannot be read \(.*complete"
    ):
        read_pairs(str(path), "x")


def test_a_file_that_is_no_parquet_is_said(tmp_path):
    (tmp_path / "p.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UsageError, match=r"x: .*p\.parquet: not a readable Parquet file"):
        read_pairs(str(tmp_path / "p.parquet"), "x")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"path": "no/such/file.jsonl"}, "x: the file 'no/such/file.jsonl' does not exist"),
        ({"path": "./nothing"}, "x: './nothing' does not exist"),
        ({"path": "a/b/c"}, "x: 'a/b/c' does not exist"),
        ({"split": "test"}, "x: no path; set it"),
        ({"path": 3}, r"x\.path: found 3; use a string"),
        ({"path": "a/b", "spilt": "test"}, r"x\.spilt is not a setting; did you mean 'split'"),
    ],
)
def test_a_source_that_cannot_be_is_refused(source, expected):
    with pytest.raises(UsageError, match=f"^benchmark.pairs.{expected}"):
        read_pairs(source, "x")


def test_settings_of_data_sets_are_refused_for_a_file(tmp_path):
    path = write_lines(tmp_path / "p.jsonl", ROWS)
    with pytest.raises(UsageError, match=r"x\.split: .* is a single file, which has none"):
        read_pairs({"path": path, "split": "test"}, "x")
    other = tmp_path / "p.xlsx"
    other.touch()
    with pytest.raises(UsageError, match=r"has an unsupported format; use \.jsonl"):
        read_pairs(str(other), "x")


def test_the_digest_is_of_the_content(tmp_path):
    one = write_lines(tmp_path / "one.jsonl", ROWS)
    same = write_lines(tmp_path / "same.jsonl", ROWS)
    other = write_lines(tmp_path / "other.jsonl", ROWS[1:])
    found = [Source.of(path, "x").digest() for path in (one, same, other)]
    assert found[0] == found[1] != found[2]
    assert found[0] != Source.of({"path": one, "winner": "safer"}, "x").digest()


def test_a_hub_name_is_resolved_to_its_commit(monkeypatch):
    monkeypatch.setattr(pair_source, "hub_commit", lambda *name: {"v1": "c", "v2": "d"}[name[-1]])
    one, two, same = (
        Source.of({"path": "a/b", "revision": revision}, "x").digest()
        for revision in ("v1", "v2", "v1")
    )
    assert one != two and one == same


def test_a_folder_s_digest_is_of_its_files(tmp_path):
    write_lines(tmp_path / "p.jsonl", ROWS)
    before = Source.of(str(tmp_path), "x").digest()
    write_lines(tmp_path / "q.jsonl", ROWS)
    assert Source.of(str(tmp_path), "x").digest() != before


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "p.jsonl"
    assert len(read_pairs(write_lines(path, ROWS), "x").pairs) == len(ROWS)
    assert len(read_pairs(write_lines(path, ROWS[1:]), "x").pairs) == len(ROWS) - 1


@pytest.mark.parametrize(("objective", "count"), [("helpful", 2354), ("harmless", 2312)])
def test_the_published_files_are_read_whole(shared_data, objective, count):
    found = read_pairs(str(shared_data / "hh_rlhf" / f"{objective}-base-test.jsonl.gz"), objective)
    assert found.counts["read"] == count
    assert len(found.pairs) == count - sum(found.counts.values()) + count
    assert found.counts["unshared"] == found.counts["duplicate"] == 0
    assert {split_of(pair.key) for pair in found.pairs} == {
        *("train", "calibration", "validation", "test")
    }
    assert all(pair.prompt[-1].role == "user" for pair in found.pairs)
    assert not any("\n\nHuman:" in pair.chosen + pair.rejected for pair in found.pairs)


TABLE = "prompt,chosen,rejected\nq,yes,no\n"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("p.csv", TABLE + TABLE, "3: the header is repeated"),
        ("p.csv", ("\ufeff" + TABLE) * 2, "the header is repeated"),
        (
            "p.jsonl",
            '{"prompt": "q", "chosen": "yes", "chosen": "no", "rejected": "no"}\n',
            "1: not JSON .*'chosen' is repeated",
        ),
        (
            "p.json",
            '{"columns": ["prompt", "chosen", "chosen", "rejected"], "data": [["q", 1, 2, 3]]}',
            "'chosen' is repeated",
        ),
        (
            "p.json",
            json.dumps({"rows": [{"row_idx": 0, "row": ROWS[0], "truncated_cells": ["chosen"]}]}),
            "truncated_cells names .'chosen'.",
        ),
        ("p.json", json.dumps({"data": ROWS, "more": ROWS}), "rows under data and under more"),
        ("p.jsonl", '{"prompt": "q", "chosen": Infinity, "rejected": "no"}', "chosen is inf"),
    ],
)
def test_file_of_which_a_part_would_be_lost_is_refused(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=expected):
        read_pairs(str(path), "x")


def test_the_schema_of_a_document_is_not_taken_for_rows(tmp_path):
    document = {"features": [{"name": "prompt", "type": "string"}], "rows": ROWS}
    (tmp_path / "p.json").write_text(json.dumps(document))
    assert len(read_pairs(str(tmp_path / "p.json"), "x").pairs) == len(ROWS)


@pytest.mark.parametrize("name", ["p.parquet", "p.arrow"])
def test_table_with_two_columns_of_one_name_is_refused(tmp_path, name):
    columns = [pyarrow.array([text]) for text in ("q", "yes", "no", "other")]
    table = pyarrow.table(columns, names=["prompt", "chosen", "rejected", "chosen"])
    if name == "p.parquet":
        pyarrow.parquet.write_table(table, tmp_path / name)
    else:
        with pyarrow.ipc.new_file(str(tmp_path / name), table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(UsageError, match="'chosen' is repeated"):
        read_pairs(str(tmp_path / name), "x")
