"""Rows are refused where reading them as texts would lose a part, or wrap it in two templates."""

import pytest
from pair_files import said, write_lines, written

from paretosteer.errors import UsageError
from paretosteer.text.dialogue import Turn
from paretosteer.text.pairs import read_pairs

ANSWERS = {"chosen": "good", "rejected": "bad"}


def read(tmp_path, rows, name="p.jsonl", **settings):
    path = write_lines(tmp_path / name, rows)
    return read_pairs({"path": path, **settings}, "x")


def rows_of(row, count=20):
    """The same row with other questions, where it has `{}`."""

    def filled(value, index):
        if isinstance(value, str):
            return value.replace("{}", f"question {index}")
        if isinstance(value, list):
            return [filled(part, index) for part in value]
        if isinstance(value, dict):
            return {name: filled(part, index) for name, part in value.items()}
        return value

    return [filled(row, index) for index in range(count)]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n", **ANSWERS},
        {"prompt": "<s>[INST] {} [/INST]", **ANSWERS},
        {"prompt": "<start_of_turn>user\n{}<end_of_turn>\n<start_of_turn>model\n", **ANSWERS},
        {"prompt": "### Instruction:\n{}\n\n### Response:", **ANSWERS},
        {"prompt": "### Human: {}\n### Answer", **ANSWERS},
        {"prompt": "<｜User｜>{}<｜Assistant｜>", **ANSWERS},
        {"prompt": "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{}<|END_OF_TURN_TOKEN|>", **ANSWERS},
        {"prompt": "[SYSTEM_PROMPT]Be kind.[/SYSTEM_PROMPT]{}", **ANSWERS},
        {"prompt": "[gMASK]<sop>{}", **ANSWERS},
        {"prompt": "<bos>{}", **ANSWERS},
        {"prompt": "Human: {}\nAI:", **ANSWERS},
        {"prompt": "{}\nChatGPT: ", **ANSWERS},
        {"prompt": "Instruct: {}\nOutput:", **ANSWERS},
        {"prompt": "User: {}", **ANSWERS},
        {"prompt": "{}", "chosen": "### Response:\ngood", "rejected": "### Response:\nbad"},
        {"prompt": "{}", "chosen": "good<eos>", "rejected": "bad<eos>"},
        {"prompt": "{}", "chosen": "good\n### Human: Thanks\n### Assistant: ok", "rejected": "bad"},
        {"prompt": "{}", "chosen": "good\nUser: Thanks\nAI: ok", "rejected": "bad"},
        {"prompt": "{}", "chosen": "good\n\nHuman: Thanks\n\nAssistant: ok", "rejected": "bad"},
        {"prompt": "Human: {}\nAssistant:", **ANSWERS},
        {"prompt": "{}", "chosen": "good<|eot_id|>", "rejected": "bad<|eot_id|>"},
        {"prompt": said("[INST] {} [/INST]"), **ANSWERS},
        {"chosen": "System: be kind\n\nHuman: {}\n\nAssistant: good", "rejected": "System: be kind"
         "\n\nHuman: {}\n\nAssistant: bad"},
        {"chosen": r"\n\nHuman: {}\n\nAssistant: good", "rejected": r"\n\nHuman: {}\n\nAssistant: "
         "bad"},
        {"chosen": "H: {}\n\nA: good", "rejected": "H: {}\n\nA: bad"},
    ],
)  # fmt: skip
def test_texts_in_a_model_s_template_are_refused(tmp_path, row):
    with pytest.raises(UsageError, match=r"in a model's template, such as .*20 of 20 pairs"):
        read(tmp_path, rows_of(row))


@pytest.mark.parametrize(
    "prompt",
    [
        "Question: {}\nAnswer:",  # completion cues that people write themselves
        "{}\n\nTL;DR:",
        "{} I need an AI assistant",
        "Is x <|y| or {} > 2?",
        "Write to the user: {}",
        "Use [CITY_NAME] for {}",
    ],
)
def test_prompts_that_people_write_are_no_templates(tmp_path, prompt):
    assert len(read(tmp_path, rows_of({"prompt": prompt, **ANSWERS})).pairs) == 20


def test_a_few_marks_of_templates_are_texts_like_any_other(tmp_path):
    rows = rows_of({"prompt": "{}", **ANSWERS})
    rows[3]["prompt"] = "What does <|im_start|> mean?"
    assert len(read(tmp_path, rows).pairs) == 20


def test_turns_of_helpsteer_are_a_dialogue(tmp_path):
    prompt = "{}<extra_id_1>Assistant\nhello<extra_id_1>User\nmore"
    rows = rows_of({"prompt": prompt, "response_1": "a", "response_2": "b", "winner": 2})
    first = read(tmp_path, rows).pairs[0]
    assert first.prompt == (
        Turn("user", "question 0"),
        Turn("assistant", "hello"),
        Turn("user", "more"),
    )
    assert first.chosen == "b"


@pytest.mark.parametrize(("name", "value"), [("images", ["a.png"]), ("tools", '[{"name": "f"}]')])
def test_content_other_than_text_is_refused_unless_it_is_unused(tmp_path, name, value):
    rows = rows_of({"prompt": "{}", **ANSWERS, name: value})
    with pytest.raises(UsageError, match=f"{name} is content other than text.*unused: {name}"):
        read(tmp_path, rows)
    assert len(read(tmp_path, rows, columns={"unused": name}).pairs) == 20
    empty = [{**row, name: value[:0]} for row in rows]
    assert len(read(tmp_path, empty, "empty.jsonl").pairs) == 20


def test_reasoning_beside_an_answer_is_refused(tmp_path):
    answer = {"role": "assistant", "content": "good", "reasoning_content": "because"}
    rows = rows_of({"prompt": said("{}"), "chosen": [answer], "rejected": "bad"})
    with pytest.raises(UsageError, match="'reasoning_content' beside its content"):
        read(tmp_path, rows)


@pytest.mark.parametrize("last", ["thanks", "Human: hi"])
def test_dialogues_that_go_on_after_their_answers_are_refused(tmp_path, last):
    rows = rows_of({"chosen": written("{}", "a", last), "rejected": written("{}", "b")})
    with pytest.raises(UsageError, match=r"20 of 20 pairs .* have further turns"):
        read(tmp_path, rows)
    few = rows[:2] + rows_of({"chosen": written("{}?", "a"), "rejected": written("{}?", "b")})
    assert len(read(tmp_path, few, "few.jsonl").pairs) == 22


def test_winners_in_tables_with_gaps_are_numbers(tmp_path):
    """pandas writes 1.0 for 1 where a row of the column is empty."""
    rows = rows_of({"prompt": "{}", "response_0": "a", "response_1": "b", "winner": "1.0"})
    rows[1]["winner"] = ""
    found = read(tmp_path, rows)
    assert {pair.chosen for pair in found.pairs} == {"b"}
    assert found.counts["tie"] == 1


@pytest.mark.parametrize("label", ["label", "kto_tag"])
def test_labelled_conversations_of_llama_factory(tmp_path, label):
    def row(index):
        turns = [("human", f"question {index // 2}"), ("gpt", f"answer {index}")]
        messages = [{"from": role, "value": value} for role, value in turns]
        return {"conversations": messages, label: index % 2 == 1}

    found = read(tmp_path, [row(index) for index in range(20)])
    assert [pair.chosen for pair in found.pairs] == [f"answer {i}" for i in range(1, 20, 2)]


@pytest.mark.parametrize(
    "prompt",
    [
        "prompter: {}\nassistant: Sure.\nprompter: And then?",
        "Human: {}\nAssistant: Sure.\nHuman: And then?",
        "USER: {}\n  Bot: Sure.\nUSER: And then?",
        "System: Be kind.\nUser: {}",
    ],
)
def test_a_dialogue_with_one_line_for_each_turn_is_not_one_question(tmp_path, prompt):
    with pytest.raises(UsageError, match="use chat messages, plain texts, or a transcript"):
        read(tmp_path, rows_of({"prompt": prompt, **ANSWERS}))
    few = [*rows_of({"prompt": "{}", **ANSWERS}), *rows_of({"prompt": prompt, **ANSWERS}, 1)]
    assert len(read(tmp_path, few).pairs) == len(few)


@pytest.mark.parametrize("column", ["messages", "dialogue"])
def test_a_prompt_that_is_only_the_last_question_of_a_dialogue(tmp_path, column):
    turns = said("Where is {}?", "Here.", "And then, {}?")
    row = {"prompt": "And then, {}?", column: turns, **ANSWERS}
    with pytest.raises(UsageError, match=f"both {column} and prompt are given"):
        read(tmp_path, rows_of(row))
    whole = {"prompt": "{}", column: said("{}", "good"), **ANSWERS}
    assert len(read(tmp_path, rows_of(whole)).pairs) == 20  # as in UltraFeedback
    sides = {
        side: said("Where is {}?", "Here.", "And then, {}?", text) for side, text in ANSWERS.items()
    }
    assert {len(pair.prompt) for pair in read(tmp_path, rows_of(row | sides)).pairs} == {3}
    assert len(read(tmp_path, rows_of(row), columns={"unused": column}).pairs) == 20
    answers = {"response_a": "good", "response_b": "bad", "winner": "response_a"}
    asked = {"prompt": "And then, {}?", column: turns}
    with pytest.raises(UsageError, match=f"both {column} and prompt are given"):
        read(tmp_path, rows_of(asked | answers))


def test_answers_that_begin_with_the_name_of_their_speaker(tmp_path):
    row = {"prompt": "{}", "chosen": "assistant: good", "rejected": "assistant: bad"}
    with pytest.raises(UsageError, match=r"such as 'assistant:' \(20 of 20 pairs\)"):
        read(tmp_path, rows_of(row))


@pytest.mark.parametrize("side", ["chosen", "rejected"])
def test_one_side_that_repeats_the_prompt(tmp_path, side):
    row = {"prompt": "Is {} hard?", **ANSWERS}
    row[side] = f"Is {{}} hard? {row[side]}"
    with pytest.raises(UsageError, match=f"{side} begins with the prompt in 20 of 20 rows where"):
        read(tmp_path, rows_of(row))
    assert len(read(tmp_path, [*rows_of({"prompt": "{}", **ANSWERS}), row]).pairs) == 21


@pytest.mark.parametrize(("good", "bad"), [("True", "False"), ("true", "FALSE"), ("1", "0")])
def test_labels_that_are_texts(tmp_path, good, bad):
    """As in CSV files."""
    lines = ["prompt,completion,label"]
    lines += [f"question {i // 2},answer {i},{good if i % 2 else bad}" for i in range(20)]
    path = tmp_path / "p.csv"
    path.write_text("\n".join(lines) + "\n")
    assert [pair.chosen for pair in read_pairs(str(path), "x").pairs][:2] == [
        "answer 1",
        "answer 3",
    ]


def test_faults_of_many_rows_are_counted_in_words(tmp_path):
    rows = rows_of({"prompt": "{}", "chosen": "good", "rejected": ["bad"]})
    with pytest.raises(UsageError, match=r"\(20 of 20 rows cannot be read\)$"):
        read(tmp_path, rows)
    rows = rows_of({"prompt": "{}", **ANSWERS}) + rows_of({"text": "{}", "label": True})
    with pytest.raises(UsageError, match=r"\(20 of 40 rows have another format\)$"):
        read(tmp_path, rows)
