"""Data sets are read from the files that their digests cover, not from others or from a cache."""

import os
import shutil
import zipfile
from types import SimpleNamespace

import datasets
import pytest
from pair_files import ROWS, write_lines

from paretosteer.errors import UsageError
from paretosteer.text.pairs import Source, read_pairs
from paretosteer.text.pairs.hub_commit import hub_commit

SWAPPED = [{"chosen": row["rejected"], "rejected": row["chosen"]} for row in ROWS]
OLD = 1_750_000_000


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path / "cache"))


def chosen(source):
    return read_pairs(source, "x").pairs[0].chosen


def zipped(folder, rows):
    """Rows in an archive, which only `datasets` reads, with the same time whenever written."""
    folder.mkdir(exist_ok=True)
    lines = write_lines(folder.parent / "rows.jsonl", rows)
    with zipfile.ZipFile(folder / "train.zip", "w") as archive:
        archive.write(lines, "train.jsonl")
    os.utime(folder / "train.zip", (OLD, OLD))


def test_an_edited_archive_with_the_old_time_gives_the_new_rows(tmp_path):
    data = tmp_path / "set"
    zipped(data, ROWS)
    assert chosen(str(data)) == "good 0"
    zipped(data, SWAPPED)
    assert chosen(str(data)) == "bad 0"


def test_another_folder_at_the_same_path_gives_its_own_rows(tmp_path):
    """The archive is the same file to a cache keyed by path and time; its table is another."""
    for rows, expected in ((ROWS, "good 0"), (SWAPPED, "bad 0"), (ROWS, "good 0")):
        shutil.rmtree(tmp_path / "set", ignore_errors=True)
        (tmp_path / "set").mkdir()
        zipped(tmp_path / "set" / "part", rows)
        source = {"path": str(tmp_path / "set"), "folder": "part"}
        assert chosen(source) == expected


def card(folder, files):
    folder.mkdir()
    (folder / "README.md").write_text(
        f"---\nconfigs:\n- config_name: default\n  data_files: {files!r}\n---\n"
    )


def outside_card(tmp_path):
    card(tmp_path / "set", "../raw/train.jsonl")
    return str(tmp_path / "set")


def outside_archive(tmp_path):
    zipped(tmp_path / "raw", ROWS)
    card(tmp_path / "set", f"zip://train.jsonl::{tmp_path}/raw/train.zip")
    return str(tmp_path / "set")


def outside_folder(tmp_path):
    (tmp_path / "set").mkdir()
    return {"path": str(tmp_path / "set"), "folder": "../raw"}


def outside_saved(tmp_path):
    rows = datasets.Dataset.from_list(ROWS)
    rows.save_to_disk(tmp_path / "set")
    state = tmp_path / "set" / "state.json"
    (name,) = (path.name for path in (tmp_path / "set").glob("*.arrow"))
    shutil.move(tmp_path / "set" / name, tmp_path / "raw" / name)
    state.write_text(state.read_text().replace(name, f"../raw/{name}"))
    return str(tmp_path / "set")


def outside_split(tmp_path):
    parts = datasets.DatasetDict({"train": datasets.Dataset.from_list(ROWS)})
    parts.save_to_disk(tmp_path / "set")
    shutil.move(tmp_path / "set" / "train", tmp_path / "raw" / "train")
    (tmp_path / "set" / "dataset_dict.json").write_text('{"splits": ["../raw/train"]}')
    return {"path": str(tmp_path / "set"), "split": "../raw/train"}


@pytest.mark.parametrize(
    "make", [outside_card, outside_archive, outside_folder, outside_saved, outside_split]
)
def test_files_outside_the_folder_are_refused(tmp_path, make):
    (tmp_path / "raw").mkdir()
    write_lines(tmp_path / "raw" / "train.jsonl", ROWS)
    source = make(tmp_path)
    with pytest.raises(UsageError, match=r"^benchmark.pairs.x: .* is not a file of its folder"):
        read_pairs(source, "x")


@pytest.mark.parametrize(
    ("files", "left"),
    [
        (("a.jsonl", "b.jsonl", "c.csv"), "c.csv"),
        (("train.jsonl", "more.jsonl"), "more.jsonl"),
        (("train.jsonl", "extra/a.csv.gz"), "extra/a.csv.gz"),
        (("a.jsonl", "b.JSONL"), "b.JSONL"),
        (("pairs_train.jsonl", "pairs_extra.jsonl"), "pairs_extra.jsonl"),
        (("train.jsonl", "part-00000"), "part-00000"),
        (("train.jsonl", "old.txt"), "old.txt"),
    ],
)
def test_a_folder_of_which_only_a_part_would_be_read_is_refused(tmp_path, files, left):
    for name in files:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        write_lines(tmp_path / "set" / name, ROWS)
    told = rf"^benchmark.pairs.x: '{left}' in .* belongs to no split and would not be read"
    with pytest.raises(UsageError, match=told):
        read_pairs(str(tmp_path / "set"), "x")


def test_files_that_hold_no_rows_do_not_matter(tmp_path):
    for name in ("train.jsonl", "test.jsonl", ".cache/x.json", "._train.jsonl"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        write_lines(tmp_path / "set" / name, ROWS)
    (tmp_path / "set" / "dataset_infos.json").write_text("{}")
    for name in ("README.md", "LICENSE", "make.py"):
        (tmp_path / "set" / name).write_text("# Pairs")
    assert chosen(str(tmp_path / "set")) == "good 0"


def test_a_shard_that_a_saved_data_set_does_not_name_is_refused(tmp_path):
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "set")
    (shard,) = (tmp_path / "set").glob("*.arrow")
    shutil.copy(shard, tmp_path / "set" / "data-00001-of-00002.arrow")
    with pytest.raises(UsageError, match=r"'data-00001-of-00002\.arrow' in .* belongs to no split"):
        read_pairs(str(tmp_path / "set"), "x")


def test_what_datasets_cached_beside_its_shards_does_not_matter(tmp_path):
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "set")
    datasets.load_from_disk(tmp_path / "set").map(lambda row: {"length": len(row["chosen"])})
    assert list((tmp_path / "set").glob("cache-*.arrow"))
    assert chosen(str(tmp_path / "set")) == "good 0"


def test_a_card_that_names_files_inside_is_followed(tmp_path):
    card(tmp_path / "set", "part/train.jsonl")
    (tmp_path / "set" / "part").mkdir()
    write_lines(tmp_path / "set" / "part" / "train.jsonl", ROWS)
    assert chosen(str(tmp_path / "set")) == "good 0"
    (tmp_path / "link").symlink_to(tmp_path / "set")  # of the folder as a whole
    assert chosen(str(tmp_path / "link")) == "good 0"


def test_a_linked_file_is_digested_by_its_content(tmp_path):
    write_lines(tmp_path / "rows.jsonl", ROWS)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").symlink_to(tmp_path / "rows.jsonl")
    before = Source.of(str(tmp_path / "set"), "x").digest()
    assert chosen(str(tmp_path / "set")) == "good 0"
    write_lines(tmp_path / "rows.jsonl", SWAPPED)
    assert chosen(str(tmp_path / "set")) == "bad 0"
    assert Source.of(str(tmp_path / "set"), "x").digest() != before


def test_a_linked_folder_is_refused(tmp_path):
    (tmp_path / "raw").mkdir()
    write_lines(tmp_path / "raw" / "train.jsonl", ROWS)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "part").symlink_to(tmp_path / "raw")
    with pytest.raises(UsageError, match=r"part' is a link to a folder; copy its target"):
        read_pairs(str(tmp_path / "set"), "x")


@pytest.mark.parametrize(
    "file", ["https://host/train.jsonl", "hf://datasets/other/set@main/train.jsonl"]
)
def test_a_hub_name_that_reads_files_outside_its_commit_is_refused(monkeypatch, file):
    builder = SimpleNamespace(hash="0" * 40, config=SimpleNamespace(data_files={"train": [file]}))
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: builder)
    hub_commit.cache_clear()
    with pytest.raises(UsageError, match=r"^benchmark.pairs.x: .* its commit does not cover"):
        Source.of("owner/set", "x").digest()
    hub_commit.cache_clear()


def test_a_revision_of_a_folder_is_refused(tmp_path):
    """Such as that of the published data, where only their path is replaced."""
    write_lines(tmp_path / "train.jsonl", ROWS)
    with pytest.raises(UsageError, match=r"x\.revision: found 'v1', but .* is a folder; set"):
        Source.of({"path": str(tmp_path), "revision": "v1"}, "x")
