"""Formats in which preference data are published: each is read by its own rule, or refused."""

import bz2
import json
import lzma

import pytest
from pair_files import ROWS, said, write_lines, written

from paretosteer.errors import UsageError
from paretosteer.text.pairs import read_pairs


def read(tmp_path, rows, **settings):
    return read_pairs({"path": write_lines(tmp_path / "p.jsonl", rows), **settings}, "x")


def texts(found):
    """Prompt, chosen and rejected answer of every pair, as plain text."""
    return [(" | ".join(t.text for t in p.prompt), p.chosen, p.rejected) for p in found.pairs]


def gpt(text):
    return {"from": "gpt", "value": text}


PAIR = [("q", "yes", "no")]
WITH_SYSTEM = [("be brief | q", "yes", "no")]
ANSWERS = {"response_1": "yes", "response_2": "no"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"question": "q", "chosen": "yes", "rejected": "no"}, PAIR),
        ({"system": "be brief", "question": "q", "chosen": "yes", "rejected": "no"}, WITH_SYSTEM),
        (
            {"instruction": "sum up", "input": "a text", "chosen": "yes", "rejected": "no"},
            [("sum up\n\na text", "yes", "no")],
        ),
        (
            {
                "conversations": [{"from": "human", "value": "q"}],
                "chosen": gpt("yes"),
                "rejected": gpt("no"),
            },
            PAIR,
        ),
        ({"prompt": json.dumps(said("q")), "chosen": "yes", "rejected": "no"}, PAIR),
        (
            {
                "prompt": [
                    {"role": "developer", "content": "be brief"},
                    {"role": "user", "content": [{"type": "text", "text": "q"}]},
                ],
                "chosen": {"role": "assistant", "content": "yes"},
                "rejected": {"role": "assistant", "content": "no"},
            },
            WITH_SYSTEM,
        ),
        ({"prompt": "q", "chosen": 12, "rejected": 7.5}, [("q", "12", "7.5")]),
        ({"prompt": "q", "chosen": written("q", "yes"), "rejected": written("q", "no")}, PAIR),
        ({"prompt": "q", "chosen": "q yes", "rejected": "q no"}, PAIR),
        (
            {"chosen": "How are you? Fine.", "rejected": "How are you? Go away."},
            [("How are you?", "Fine.", "Go away.")],
        ),
        (
            {"history": "q", "human_ref_A": "yes", "human_ref_B": "no", "labels": 1},
            PAIR,
        ),
        (
            {"history": "q", "human_ref_A": "no", "human_ref_B": "yes", "labels": 0},
            PAIR,
        ),
        (
            {
                "question": {"dataset": "eli5", "full_text": "q"},
                **{"answer_0": "no", "answer_1": "yes", "score_0": -0.5, "score_1": 0.5},
            },
            PAIR,
        ),
        (
            {
                "info": {"post": "q", "title": "t"},
                "summaries": [{"text": "no"}, {"text": "yes"}],
                "choice": 1,
            },
            PAIR,
        ),
        (
            {
                "context": said("q"),
                **{"response1": "yes", "response2": "no", "overall_preference": -2},
            },
            PAIR,
        ),
        ({"prompt": "q", **ANSWERS, "preference_strength": -1}, PAIR),
        ({"prompt": "q", **ANSWERS, "winner": 1}, PAIR),
        ({"prompt": "q", **ANSWERS, "winner": "1"}, PAIR),
        ({"prompt": "q", **ANSWERS, "winner": "response_1"}, PAIR),
        (
            {
                "conversation_a": said("q", "no"),
                "conversation_b": said("q", "yes"),
                "winner": "model_b",
            },
            PAIR,
        ),
        (
            {"prompt": "q", "answers": [{"answer": "no", "rank": 2}, {"answer": "yes", "rank": 1}]},
            PAIR,
        ),
    ],
)
def test_a_row_of_a_published_format_gives_the_pair_it_means(tmp_path, row, expected):
    assert texts(read(tmp_path, [row])) == expected


def test_labelled_answers_are_paired_within_a_prompt(tmp_path):
    rows = [
        {"prompt": "q", "completion": "yes", "label": True},
        {"prompt": "other", "completion": "alone", "label": False},
        {"prompt": "q", "completion": "no", "label": False},
    ]
    found = read(tmp_path, rows)
    assert texts(found) == PAIR and found.format == "labelled answers, KTO"
    assert str(found) == (
        "x: 1 pairs from 3 rows are used; left out: 1 without a second answer to their prompt."
    )
    assert found.note.endswith("Format: labelled answers, KTO.")
    messages = [{"messages": said("q", text), "label": text == "yes"} for text in ("no", "yes")]
    assert texts(read(tmp_path, messages)) == PAIR


def rated(text, helpfulness, brevity=0):
    return {"prompt": "q", "response": text, "helpfulness": helpfulness, "brevity": brevity}


def test_rated_answers_are_compared_by_the_attribute_that_is_set(tmp_path):
    rows = [rated("no", 1), rated("yes", 3), rated("too", 3), rated("?", None)]
    found = read(tmp_path, rows, rating="helpfulness")
    assert texts(found) == [("q", "yes", "no"), ("q", "too", "no")]
    assert (found.counts["tie"], found.counts["unrated"]) == (1, 1)
    assert " The higher helpfulness wins." in found.note
    with pytest.raises(UsageError, match="set `rating` to one of helpfulness, brevity, as in"):
        read(tmp_path, rows)


def test_the_note_says_which_end_of_the_only_rating_wins(tmp_path):
    rows = [{"prompt": "q", "response": text, "score": len(text)} for text in ("no", "yes")]
    assert read(tmp_path, rows).note.endswith(" The higher score wins.")
    row = {"instruction": "q", "completions": [answer("no", 1), answer("yes", 2)]}
    assert read(tmp_path, [row]).note.endswith(" The higher helpfulness wins.")


def answer(text, helpfulness):
    return {"response": text, "annotations": {"helpfulness": {"Rating": str(helpfulness)}}}


def test_completions_without_their_ratings_are_refused(tmp_path):
    row = {"instruction": "q", "completions": ["no", ""], "helpfulness": 3}
    with pytest.raises(UsageError, match="completions is a list of str, expected a list of obj"):
        read(tmp_path, [row], rating="helpfulness")


def test_completions_with_annotations_are_compared(tmp_path):
    def completion(text, score):
        annotations = {"helpfulness": {"Rating": score}, "honesty": {"Rating": "N/A"}}
        return {"response": text, "annotations": annotations}

    row = {"instruction": "q", "completions": [completion("no", "2"), completion("yes", "5")]}
    assert texts(read(tmp_path, [row], rating="helpfulness")) == PAIR
    with pytest.raises(UsageError, match="no usable pair; left out: 2 without a rating"):
        read(tmp_path, [row], rating="honesty")
    with pytest.raises(UsageError, match="'humour'; set `rating` to one of helpfulness, honesty"):
        read(tmp_path, [row], rating="humour")


def test_letters_with_numbers_count_from_the_smallest_of_the_file(tmp_path):
    rows = [{"prompt": f"q{n}", "answer_a": "a", "answer_b": "b", "winner": n} for n in range(3)]
    assert texts(read(tmp_path, rows[:2])) == [("q0", "a", "b"), ("q1", "b", "a")]
    assert texts(read(tmp_path, rows[1:])) == [("q1", "a", "b"), ("q2", "b", "a")]


def test_columns_of_other_names_are_mapped(tmp_path):
    rows = [{"query": "q", "good": "yes", "info": {"bad": "no"}}]
    columns = {"prompt": "query", "chosen": "good", "rejected": "info.bad"}
    assert texts(read(tmp_path, rows, columns=columns)) == PAIR
    with pytest.raises(
        UsageError, match=r"setting columns: {prompt: query, chosen: good, rejected: COLUMN}"
    ):
        read(tmp_path, rows)
    with pytest.raises(UsageError, match=r"no column holds the prompt .* add columns: {prompt: q"):
        read(tmp_path, [{"query": "q", "chosen": "I say yes", "rejected": "I say no"}])


def test_few_bad_rows_are_counted_with_the_first_and_many_refused(tmp_path):
    tool = {"prompt": "q", "chosen": [{"role": "tool", "content": "x"}], "rejected": "b"}
    rows = [{"prompt": f"q{i}", "chosen": "yes", "rejected": "no"} for i in range(20)]
    found = read(tmp_path, [*rows, tool, {"prompt": "q", "text": "x"}])
    assert len(found.pairs) == 20
    assert (found.counts["invalid"], found.counts["foreign"]) == (1, 1)
    assert "p.jsonl:21: chosen has a message of a tool, which is not supported" in str(found)
    with pytest.raises(UsageError, match=r"p\.jsonl:3: chosen has a message of a tool"):
        read(tmp_path, [*rows[:2], tool])
    with pytest.raises(UsageError, match=r"p\.jsonl:4: the columns are prompt, text, not those of"):
        read(tmp_path, [*rows[:3], {"prompt": "q", "text": "x"}])


def test_half_surrogates_and_bytes_of_another_encoding_name_the_line(tmp_path):
    path = tmp_path / "p.jsonl"
    rows = [json.dumps(row).encode() for row in ROWS] * 2
    for bad in (b'{"chosen": "\\ud83d", "rejected": "b"}', '{"chosen": "é"}'.encode("latin-1")):
        path.write_bytes(b"\n".join([*rows, bad]))
        found = read_pairs(str(path), "x")
        assert len(found.pairs) == len(ROWS)
        assert "p.jsonl:13: chosen has half of a surrogate pair" in found.first["invalid"]


def test_sides_that_repeat_the_prompt_in_some_rows_only_are_refused(tmp_path):
    rows = [{"prompt": f"q{i}", "chosen": f"q{i} yes", "rejected": f"q{i} no"} for i in range(4)]
    plain = [{"prompt": f"q{i}", "chosen": "yes", "rejected": "no"} for i in range(4)]
    assert texts(read(tmp_path, rows)) == [(f"q{i}", "yes", "no") for i in range(4)]
    with pytest.raises(UsageError, match="begin with the prompt in 4 of 8 rows"):
        read(tmp_path, rows + plain)


def test_transcripts_of_other_templates_are_refused(tmp_path):
    start = "<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n"
    with pytest.raises(UsageError, match="a template that is not supported"):
        read(tmp_path, [{"chosen": f"{start}yes", "rejected": f"{start}no"}])


PLAIN = [{"prompt": f"q{i}", "chosen": "NA", "rejected": "None"} for i in range(3)]
EXPECTED = [(f"q{i}", "NA", "None") for i in range(3)]
CSV = "prompt,chosen,rejected\n" + "".join(f"q{i},NA,None\n" for i in range(3))
LINES = "".join(json.dumps(row) + "\n" for row in PLAIN)
BY_COLUMN = {name: {str(i): row[name] for i, row in enumerate(PLAIN)} for name in PLAIN[0]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.csv", CSV.encode()),
        ("p.csv", CSV.replace(",", ";").encode("utf-8-sig")),
        ("p.TSV", CSV.replace(",", "\t").encode("utf-16")),
        ("p.ndjson", LINES.encode("utf-8-sig")),
        ("p.JSONL.BZ2", bz2.compress(LINES.encode())),
        ("p.csv.xz", lzma.compress(CSV.encode())),
        ("p.json", json.dumps({"data": PLAIN}).encode()),
        ("p.json", json.dumps({"train": PLAIN, "test": PLAIN[:1]}, indent=1).encode()),
        ("p.json", json.dumps(BY_COLUMN).encode()),
        ("p.json", json.dumps({str(i): row for i, row in enumerate(PLAIN)}).encode()),
        ("p.json", "\n".join(json.dumps(row, indent=1) for row in PLAIN).encode()),
    ],
)
def test_containers_give_the_same_rows(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert texts(read_pairs(str(tmp_path / name), "x")) == EXPECTED


def test_arrow_and_zstandard_are_read(tmp_path):
    import pyarrow

    table = pyarrow.Table.from_pylist(PLAIN)
    for name, writer in (("s", pyarrow.ipc.new_stream), ("f", pyarrow.ipc.new_file)):
        path = str(tmp_path / f"{name}.arrow")
        with pyarrow.OSFile(path, "wb") as sink, writer(sink, table.schema) as out:
            out.write_table(table)
        assert texts(read_pairs(path, "x")) == EXPECTED
    with pyarrow.output_stream(str(tmp_path / "p.jsonl.zst"), compression="zstd") as out:
        out.write(LINES.encode())
    assert texts(read_pairs(str(tmp_path / "p.jsonl.zst"), "x")) == EXPECTED


def test_a_split_of_a_json_file_is_chosen(tmp_path):
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"train": PLAIN, "test": PLAIN[:1]}))
    assert len(read_pairs({"path": str(path), "split": "test"}, "x").pairs) == 1
    with pytest.raises(UsageError, match="no split 'dev'; use one of train, test"):
        read_pairs({"path": str(path), "split": "dev"}, "x")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": "q", **ANSWERS, "winner": 0}, "winner is 0, expected 1, 2, or -1"),
        ({"prompt": "q", **ANSWERS, "better": 1}, "set `winner` to the column that names"),
        (
            {"prompt": "q", "answer_a": "yes", "answer_b": "no", "winner": 1},
            "winner is 1 in all rows, which does not say whether answer_a is 0 or 1",
        ),
        (
            {"prompt": "q", "response_0": "a", "response_1": "b"}
            | {"better_response_id": 0, "safer_response_id": 1},
            "set `winner` to better_response_id or safer_response_id",
        ),
        ({"prompt": "q", **ANSWERS, "preference_strength": -100}, "expected -3 to 3"),
        (
            {"prompt": "q", **ANSWERS, "preference_strength": 3, "overall_preference": -3},
            "overall_preference and preference_strength both say which answer is better; set",
        ),
        (
            {"prompt": "q", **ANSWERS, "preference_strength": 3, "winner": 1},
            "preference_strength and winner both say which answer is better; set columns",
        ),
    ],
)
def test_an_ambiguous_winner_is_refused(tmp_path, row, expected):
    with pytest.raises(UsageError, match=expected) as error:
        read(tmp_path, [row])
    assert "\n" not in str(error.value)


def test_ratings_of_a_table_are_numbers_and_may_be_missing_in_its_first_row(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("prompt,response,helpfulness\nq,?,\nq,no,1\nq,yes,4\n")
    found = read_pairs({"path": str(path), "rating": "helpfulness"}, "x")
    assert texts(found) == PAIR and found.counts["unrated"] == 1


def test_a_context_beside_a_question_is_not_dropped(tmp_path):
    row = {"context": "a text", "question": "q", "chosen": "yes", "rejected": "no"}
    with pytest.raises(UsageError, match="both context and question are given"):
        read(tmp_path, [row])


ROW = {"prompt": "q", "chosen": "yes", "rejected": "no"}
TWO = {"prompt": "q", "response_a": "yes", "response_b": "no"}


@pytest.mark.parametrize(
    ("row", "settings", "expected"),
    [
        (ROW, {"columns": {"prompt": "qestion"}}, "columns.prompt: no row .* column 'qestion'"),
        (ROW | {"score": 3}, {"rating": "score"}, "rating: .* no rating is compared"),
        (
            {"prompt": "q", "answers": [{"answer": "yes", "rank": 1}, {"answer": "no", "rank": 2}]},
            {"rating": "score"},
            "rating: .* no rating is compared",
        ),
        (TWO | {"winner_model_a": 1}, {"winner": "winner_model_a"}, "does not name the better"),
        (TWO | {"is_response_b_safe": 0}, {"winner": "is_response_b_safe"}, "does not name the"),
        ({"prompt": "q", "response": "yes", "rank": 1}, {"rating": "rank"}, "lower is better"),
        ({"prompt": "q", "response": "yes", "place": 1}, {"rating": "place"}, "lower is better"),
        ({"prompt": "q", "response": "yes", "length": 3}, {}, "set `rating` to one of length"),
        ({"prompt": "q", "response": "yes", "toxicity_score": 3}, {}, "one of toxicity_score"),
        ({"prompt": "q", "response": "yes", "harmfulness_rating": 3}, {}, "one of harmfulness"),
    ],
)
def test_setting_that_would_give_other_pairs_is_refused(tmp_path, row, settings, expected):
    with pytest.raises(UsageError, match=expected):
        read(tmp_path, [row], **settings)


def test_columns_about_a_row_are_no_part_of_its_prompt(tmp_path):
    row = ROW | {"document": 3, "post": {"id": "a"}, "source": "web", "task": "qa", "user": "u1"}
    assert texts(read(tmp_path, [row])) == PAIR


@pytest.mark.parametrize(
    "other",
    [
        {"context": "a passage"},
        {"input": "a text"},
        {"instruction": "sum up"},
        {"question": "why"},
        {"query": "why"},
        {"passage": "a text"},
        {"user_input": "a text"},
    ],
)
def test_second_part_of_a_prompt_is_never_dropped(tmp_path, other):
    (name,) = other
    with pytest.raises(UsageError, match=f"both {name} and prompt are given"):
        read(tmp_path, [ROW | other])
    assert texts(read(tmp_path, [ROW | {name: "q"}])) == PAIR  # a part of the prompt already
    assert texts(read(tmp_path, [ROW | {name: None}])) == PAIR
    assert texts(read(tmp_path, [ROW | other], columns={"unused": name})) == PAIR


def test_two_system_prompts_are_refused(tmp_path):
    prompt = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "q"}]
    assert texts(read(tmp_path, [ROW | {"prompt": prompt, "system": "be brief"}])) == WITH_SYSTEM
    with pytest.raises(UsageError, match="system differs from the system turn"):
        read(tmp_path, [ROW | {"prompt": prompt, "system": "be long"}])


def test_numbers_of_answers_are_not_strengths(tmp_path):
    rows = [
        {"prompt": f"q{i}", "response1": "yes", "response2": "no", "overall_preference": 1 + i % 2}
        for i in range(20)
    ]
    with pytest.raises(UsageError, match="overall_preference is never negative"):
        read(tmp_path, rows)
    assert len(read(tmp_path, rows, winner="overall_preference").pairs) == 20
