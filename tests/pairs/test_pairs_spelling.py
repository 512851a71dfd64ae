"""Cells are read as they are written, by every reader: numbers, quotes and names of columns."""

import bz2
import decimal
import gzip
import json
import lzma

import pyarrow
import pyarrow.ipc
import pyarrow.parquet
import pytest

from paretosteer.errors import UsageError
from paretosteer.text.pairs import read_pairs

SPELLINGS = ("1.50", "1e3", "10000000000000000000000", "-0.0", "2E-7", "1e999", "100.0")
OPENERS = {"": lambda p: p, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
QUOTED = '"Yes" is what I say'


def rows(answer):
    return [f'{{"prompt": "How much is {n}?", "chosen": {answer}, "rejected": {n}}}' for n in "12"]


def chosen(path, **settings):
    pairs = read_pairs({"path": str(path), **settings}, "helpful").pairs
    return {pair.chosen for pair in pairs}


@pytest.mark.parametrize("answer", SPELLINGS)
@pytest.mark.parametrize("suffix", OPENERS)
def test_numbers_of_json_lines_keep_their_spelling(tmp_path, answer, suffix):
    path = tmp_path / f"pairs.jsonl{suffix}"
    path.write_bytes(OPENERS[suffix]("\n".join(rows(answer)).encode()))
    assert chosen(path) == {answer}


@pytest.mark.parametrize("answer", SPELLINGS)
@pytest.mark.parametrize("form", ["[{}]", '{{"data": [{}]}}', '{{"train": [{}]}}'])
def test_numbers_of_json_documents_keep_their_spelling(tmp_path, answer, form):
    path = tmp_path / "pairs.json"
    path.write_text(form.format(", ".join(rows(answer))))
    assert chosen(path) == {answer}


def test_numbers_in_messages_written_as_json_keep_their_spelling(tmp_path):
    message = json.dumps('[{"role": "assistant", "content": 1.50}]')
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(rows(message)))
    assert chosen(path) == {"1.50"}


@pytest.mark.parametrize("answer", [*SPELLINGS, "007", "NA", "1,000"])
@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_cells_of_tables_keep_their_spelling(tmp_path, answer, kind):
    mark = "," if kind == "csv" else "\t"
    lines = [mark.join(("prompt", "chosen", "rejected"))]
    lines += [mark.join((f"How much is {n}?", f'"{answer}"', n)) for n in "12"]
    path = tmp_path / f"pairs.{kind}"
    path.write_text("\n".join(lines))
    assert chosen(path) == {answer}


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("value", "form", "answer"),
    [
        (decimal.Decimal("1.50"), pyarrow.decimal128(5, 2), "1.50"),
        (0.1, pyarrow.float32(), "0.1"),
        (10**15, pyarrow.int64(), "1000000000000000"),
    ],
)
def test_numbers_of_arrow_tables_keep_their_digits(tmp_path, kind, value, form, answer):
    names = {"prompt": pyarrow.array(["a?", "b?"]), "rejected": pyarrow.array(["no", "no"])}
    table = pyarrow.table({**names, "chosen": pyarrow.array([value, value], form)})
    path = tmp_path / f"pairs.{kind}"
    if kind == "parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        with pyarrow.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    assert chosen(path) == {answer}


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_folder_is_read_as_its_files_are(tmp_path, kind):
    lines = ["prompt,chosen,rejected", "a?,1.50,1", "b?,007,1"]
    if kind == "jsonl":
        lines = ['{"prompt": "a?", "chosen": 1.50, "rejected": 1}']
        lines += ['{"prompt": "b?", "chosen": 10000000000000000000000, "rejected": 1}']
    (tmp_path / f"train.{kind}").write_text("\n".join(lines))
    (tmp_path / f"test.{kind}").write_text("\n".join(lines).replace("1.50", "2.50"))
    last = "007" if kind == "csv" else "10000000000000000000000"
    assert chosen(tmp_path) == {"1.50", last}
    assert chosen(tmp_path, split="test") == {"2.50", last}


@pytest.mark.parametrize("suffix", OPENERS)
@pytest.mark.parametrize(("kind", "mark"), [("tsv", "\t"), ("csv", ","), ("csv", ";")])
@pytest.mark.parametrize("answer", [QUOTED, '"I never close it', '"', '"a" or "b"'])
def test_unquoted_cell_may_begin_with_a_quote(tmp_path, suffix, kind, mark, answer):
    lines = [mark.join(("prompt", "chosen", "rejected")), mark.join(("a?", answer, "no"))]
    lines += [mark.join((f"{n}?", "yes", "no")) for n in range(20)]
    path = tmp_path / f"pairs.{kind}{suffix}"
    path.write_bytes(OPENERS[suffix]("\n".join(lines).encode()))
    assert chosen(path) == {answer, "yes"}


def test_quotes_that_meet_in_another_line_join_no_rows(tmp_path):
    lines = ["prompt\tchosen\trejected", 'a?\t"first\tno', 'b?\tlast"\tno', "c?\tyes\tno"]
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(lines))
    assert chosen(path) == {'"first', 'last"', "yes"}


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_quoted_cells_stay_quoted_despite_a_broken_row(tmp_path, kind):
    mark = "," if kind == "csv" else "\t"
    lines = ["prompt,chosen,rejected".replace(",", mark), mark.join(('"x?"', '"a"b', '"no"'))]
    lines += [mark.join((f'"{n}?"', '"He said ""yes"""', '"no"')) for n in range(20)]
    path = tmp_path / f"pairs.{kind}"
    path.write_text("\n".join(lines))
    assert chosen(path) == {'He said "yes"'}


FILES = ("jsonl", "json", "csv", "tsv", "parquet", "arrow", "jsonl.gz", "csv.bz2", "tsv.xz")


@pytest.mark.parametrize("name", [f"pairs.{kind}" for kind in FILES])
@pytest.mark.parametrize(("target", "remedy"), [("promt", "'prompt'"), ("respons_0", "response_0")])
def test_misspelt_target_of_a_mapping_is_refused(tmp_path, name, target, remedy):
    path = tmp_path / name
    path.touch()
    with pytest.raises(UsageError, match=rf"pairs\.helpful\.columns\.{target}: .*{remedy}"):
        chosen(path, columns={target: "question", "chosen": "a", "rejected": "b"})


def test_target_that_no_name_resembles_lists_the_valid_ones(tmp_path):
    path = tmp_path / "pairs.jsonl"
    path.touch()
    with pytest.raises(UsageError, match=r"known: answer, answers, .*rejected"):
        chosen(path, columns={"xyz": "question"})


@pytest.mark.parametrize(
    ("columns", "more"),
    [
        ({"response_0": "left", "response_1": "right", "winner": "best"}, {}),
        ({"answer_a": "left", "answer_b": "right", "my_choice": "best"}, {"winner": "my_choice"}),
        ({"output1": "left", "output2": "right", "choice": "best"}, {}),
        ({"response": "left", "politeness": "best", "unused": "right"}, {"rating": "politeness"}),
        ({"response": "left", "my_score": "best", "unused": "right"}, {}),
    ],
)
def test_targets_that_a_format_reads_are_accepted(tmp_path, columns, more):
    given = [{"prompt": "q?", "left": f"a{n}", "right": f"b{n}", "best": n} for n in (1, 2, 1, 2)]
    if "answer_a" in columns or "response_0" in columns:
        given = [row | {"best": row["best"] - 1} for row in given]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in given))
    assert chosen(path, columns=columns, **more)


@pytest.mark.parametrize("target", ["nothing.jsonl", "folder"])
def test_folder_with_a_link_to_no_file_is_refused(tmp_path, target):
    (tmp_path / "folder").mkdir()
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text("\n".join(rows("1")))
    (tmp_path / "set" / "train-2.jsonl").symlink_to(tmp_path / target)
    with pytest.raises(UsageError, match=r"train-2\.jsonl' is a (broken link|link to a folder)"):
        chosen(tmp_path / "set")
