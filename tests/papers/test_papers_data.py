"""Prompts of the published tasks: splits, what is left out, what is cut, and wrong rows."""

import json

import numpy as np
import pytest
from paper_rows import comparisons, hh_rlhf, safe_rlhf, write_lines, xsum
from test_papers_tasks import overrides

from paretosteer.benchmarks.papers.task_data import data_digest, parts_of, read_items
from paretosteer.cells.plan import plan_cell
from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.plugins import registry
from paretosteer.sweeps.compose import compose_cell
from paretosteer.text.pairs import SPLITS, split_of
from paretosteer.text.samples import TextSamples


def found(task, data, **limits):
    kind = registry.load("benchmarks", task)
    parts = parts_of(data, kind.own_splits, kind.columns)
    return read_items(parts, kind.parse, kind.columns, tuple(limits.items()), data_digest(parts))


def texts(items):
    return {item.dialogue[-1].text for item in items}


def test_own_splits_are_kept_and_calibration_comes_from_train(hub):
    got = found("xsum", str(hub / "EdinburghNLP/xsum/default"))
    first = {"train": range(90), "validation": range(1000, 1008), "test": range(2000, 2008)}
    own = {split: {xsum(i)["document"].strip() for i in rows} for split, rows in first.items()}
    assert texts(got.items["test"]) == own["test"]
    assert texts(got.items["validation"]) == own["validation"]
    assert texts(got.items["train"]) | texts(got.items["calibration"]) == own["train"]
    assert {split_of(item.id) for item in got.items["calibration"]} == {"calibration"}
    assert str(got).startswith("Prompts from 106 rows: ")


def test_validation_is_drawn_from_train_where_the_data_have_none(hub):
    got = found("helpful_assistant", str(hub / "Anthropic/hh-rlhf"))
    assert len(got.items["test"]) == 12 and sum(map(len, got.items.values())) == 112
    assert texts(got.items["validation"]) <= {f"How do I cook dish {i}?" for i in range(1050)}


def test_a_prompt_of_two_splits_stays_in_the_test_split_alone(hub):
    got = found("safe_rlhf", str(hub / "PKU-Alignment/PKU-SafeRLHF"))
    ids = [item.id for items in got.items.values() for item in items]
    assert len(ids) == len(set(ids)) == 90
    assert texts(got.items["test"]) == {f"How do I cook dish {i}?" for i in range(70, 90)}
    assert "rows left out: 10 with a repeated prompt" in str(got)


def test_splits_of_one_file_are_kept(tmp_path):
    splits = {"train": range(90), "validation": range(100, 108), "test": range(200, 208)}
    file = tmp_path / "xsum.json"
    file.write_text(json.dumps({n: [xsum(i) for i in rows] for n, rows in splits.items()}))
    got = found("xsum", str(file))
    assert texts(got.items["test"]) == {xsum(i)["document"].strip() for i in splits["test"]}
    assert str(got).startswith("Prompts from 106 rows: ")
    file.write_text(json.dumps({name: [xsum(0)] for name in ("train", "dev")}))
    told = r"^benchmark\.data: the file .* has the splits train, dev, but not test, validation; set"
    with pytest.raises(UsageError, match=told):
        found("xsum", str(file))


def test_a_single_file_is_split_by_prompt(tmp_path):
    write_lines(tmp_path / "rows.jsonl.gz", [hh_rlhf(i) for i in range(120)] * 2)
    got = found("helpful_assistant", str(tmp_path / "rows.jsonl.gz"))
    for split, items in got.items.items():
        assert items and all(split_of(item.id) == split for item in items)
    assert got.counts["again"] == 120 and list(got.items) == list(SPLITS)


def test_limits_draw_prompts_that_do_not_depend_on_order(tmp_path):
    rows = [hh_rlhf(i) for i in range(2500)]
    for name, order in (("one", rows), ("two", rows[::-1])):
        write_lines(tmp_path / f"{name}.jsonl", order)
    one, two = (
        found("helpful_assistant", str(tmp_path / f"{name}.jsonl"), train=20, test=10)
        for name in ("one", "two")
    )
    assert [i.id for i in one.items["train"]] == [i.id for i in two.items["train"]]
    assert len(one.items["train"]) == 20 and len(one.items["test"]) == 10
    assert len(one.items["validation"]) > 100


def test_posts_of_the_published_lengths_on_one_line(tmp_path):
    short = comparisons(1)
    short["info"]["post"] = "Too short."
    write_lines(tmp_path / "rows.jsonl", [short, *map(comparisons, range(120))])
    got = found("reddit_summary", str(tmp_path / "rows.jsonl"))
    assert got.counts["length"] == 1 and got.counts["absent"] == 6
    assert not any("\n" in text for items in got.items.values() for text in texts(items))


@pytest.mark.parametrize(
    ("task", "row", "message"),
    [
        ("helpful_assistant", {"text": "a"}, "column chosen is missing; the row has text"),
        ("helpful_assistant", {"chosen": 3}, "chosen is int, expected text"),
        ("reddit_summary", {"info": "a"}, "info is str, expected a mapping with a post"),
        ("reddit_summary", {"info": {"post": 3}}, "info.post is int, expected text"),
        ("long_form_qa", {"text": "a"}, "column question is missing"),
        ("long_form_qa", {"text": "a", "question": "b"}, "text does not contain the question"),
        ("safe_rlhf", {"chosen": "a"}, "column prompt is missing"),
        ("helpful_assistant", {"prompt": "Why?", "chosen": "So."}, "chosen has no .*Assistant:"),
        ("safe_rlhf", {"prompt": "\n\nHuman: Why?\n\nAssistant:"}, "its prompt is already written"),
        ("safe_rlhf", {"prompt": "<|im_start|>user Why?"}, "its prompt is already written"),
        ("xsum", {"document": "a"}, "column summary is missing"),
        ("nli_summary", {"document": None, "summary": "a"}, "document is NoneType, expected text"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_number(task, row, message, tmp_path):
    write_lines(tmp_path / "rows.jsonl", [row])
    with pytest.raises(UsageError, match=rf"benchmark\.data: .*rows\.jsonl:1: {message}"):
        found(task, str(tmp_path / "rows.jsonl"))


@pytest.mark.parametrize(
    ("task", "more", "name"),
    [
        ("safe_rlhf", {"input": "A passage."}, "input"),
        ("safe_rlhf", {"system": "Be kind."}, "system"),
        ("safe_rlhf", {"messages": [{"role": "user", "content": "Before?"}]}, "messages"),
        ("helpful_assistant", {"system_prompt": "Be kind."}, "system_prompt"),
        ("helpful_assistant", {"question": "Another one?"}, "question"),
        ("xsum", {"prompt": "Sum up in verse:"}, "prompt"),
    ],
)
def test_a_part_of_the_prompt_that_the_task_does_not_read_is_refused(task, more, name, tmp_path):
    given = {
        "safe_rlhf": lambda i: {"prompt": f"Dish {i}?"},
        "helpful_assistant": hh_rlhf,
        "xsum": xsum,
    }
    rows = [given[task](i) | more for i in range(120)]
    write_lines(tmp_path / "rows.jsonl", rows)
    path = str(tmp_path / "rows.jsonl")
    with pytest.raises(UsageError, match=rf"jsonl:1: {name} holds a part of the prompt that is"):
        found(task, path)
    assert found(task, {"path": path, "columns": {"unused": name}}).items["test"]


def test_what_the_prompt_holds_may_stand_in_another_column_as_well(tmp_path):
    rows = [
        {"prompt": f"Dish {i}?", "question": f"Dish  {i}?", "input": "<noinput>"}
        for i in range(120)
    ]
    write_lines(tmp_path / "rows.jsonl", rows)
    assert found("safe_rlhf", str(tmp_path / "rows.jsonl")).counts["invalid"] == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"columns": {"promt": "text"}}, r"columns\.promt: the task reads no column .*'prompt'"),
        ({"columns": {"chosen": "text"}}, r"columns\.chosen: the task reads no column"),
        ({"winner": "better"}, r"winner: the task reads no preferences"),
        ({"rating": "score"}, r"rating: the task reads no preferences"),
    ],
)
def test_settings_that_a_task_does_not_read_are_refused(setting, message, tmp_path):
    write_lines(tmp_path / "rows.jsonl", [{"prompt": f"Dish {i}?"} for i in range(120)])
    source = {"path": str(tmp_path / "rows.jsonl")}
    assert found("safe_rlhf", source).counts["read"] == 120
    with pytest.raises(UsageError, match=rf"benchmark\.data\.{message}"):
        found("safe_rlhf", source | setting)


@pytest.mark.parametrize("form", ["file", "folder"])
def test_splits_that_no_part_reads_are_named(form, tmp_path):
    rows = [{"prompt": f"Dish {i}?"} for i in range(120)]
    splits = {"train": rows[:80], "validation": rows[80:100], "test": rows[100:]}
    data = tmp_path / ("rows.json" if form == "file" else "rows")
    if form == "file":
        data.write_text(json.dumps(splits))
    else:
        data.mkdir()
        for name, own in splits.items():
            write_lines(data / f"{name}.jsonl", own)
    got = found("safe_rlhf", str(data))
    assert str(got).startswith("Prompts from 100 rows: ")
    assert str(got).endswith("; splits that are not read: validation.")
    assert "not read" not in str(found("safe_rlhf", {"path": str(data), "split": "train"}))


@pytest.mark.parametrize("task", ["xsum", "nli_summary"])
def test_articles_without_a_reference_are_left_out(task, tmp_path):
    rows = [
        xsum(i) | {"summary": ["", " \n"][i % 2] if i % 4 == 0 else "Food."} for i in range(120)
    ]
    write_lines(tmp_path / "rows.jsonl", rows)
    got = found(task, str(tmp_path / "rows.jsonl"))
    assert sum(map(len, got.items.values())) == 90
    assert "rows left out: 30 without a reference summary" in str(got)


@pytest.mark.parametrize("line", ['{"chosen": null}', "{broken", '{"chosen": "\\ud800"}', "[1]"])
def test_one_row_that_cannot_be_read_is_left_out_and_counted(line, tmp_path):
    rows = [json.dumps(hh_rlhf(i)) for i in range(120)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(rows) + "\n")
    whole = found("helpful_assistant", str(path))
    path.write_text("\n".join([*rows[:7], line, *rows[7:]]) + "\n")
    one = found("helpful_assistant", str(path))
    assert one.items == whole.items and one.counts["invalid"] == 1
    assert "1 that cannot be read (" in str(one) and "rows.jsonl:8: " in str(one)
    path.write_text("\n".join([*rows, *[line] * 20]) + "\n")
    with pytest.raises(UsageError, match=r"rows\.jsonl:121: .*20 of 140 rows cannot be read"):
        found("helpful_assistant", str(path))


def test_unreadable_lines_and_empty_splits(tmp_path):
    (tmp_path / "rows.jsonl").write_text(json.dumps(hh_rlhf(1)) + "\n{broken\n")
    with pytest.raises(UsageError, match=r"benchmark\.data: .*rows\.jsonl:2: not JSON"):
        found("helpful_assistant", str(tmp_path / "rows.jsonl"))
    write_lines(tmp_path / "few.jsonl", [hh_rlhf(1)])
    with pytest.raises(
        UsageError, match=r"benchmark\.data: no prompts left for split \w+, of 1 rows; provide"
    ):
        found("helpful_assistant", str(tmp_path / "few.jsonl"))


@pytest.mark.parametrize(("task", "end"), [("helpful_assistant", "beginning"), ("xsum", "end")])
def test_long_prompts_are_cut_from_the_side_of_the_task_and_counted(task, end, hub, make_task):
    benchmark = make_task(task, "benchmark.max_prompt_tokens=60")
    prompts = [p.text for split in SPLITS for p in benchmark.prompts(split)]
    for text in prompts:
        assert len(benchmark.model.tokenizer(text)["input_ids"]) <= 60
        if task == "xsum":
            assert text.startswith("summarize: A cook has made")
        else:
            assert text.endswith("?\n\nAssistant:")
    told = [note for note in benchmark.notes if "exceed the 60 tokens" in note]
    assert len(told) == 1 and told[0].endswith(f"lost their {end}.")


def test_texts_too_long_for_a_reward_model_are_counted(make_task):
    benchmark = make_task("helpful_assistant", "+benchmark.rewards.helpful.max_length=20")
    prompts = benchmark.prompts("test")[:2]
    benchmark.score(TextSamples.of_texts(prompts, [0, 0], [" Heat it.", " No."]))
    told = "helpful: 2 of 2 texts exceeded the 20 tokens of its model and were cut."
    assert told in benchmark.notes


def test_prompts_that_spell_out_special_tokens_are_counted(make_task, tmp_path):
    end = make_task("safe_rlhf").model.tokenizer.eos_token
    rows = [safe_rlhf(i) for i in range(80)]
    for row in rows[::8]:
        row["prompt"] = f"What does {end} mean in dish {row['prompt']}?"
    data = tmp_path / "spelled.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    benchmark = make_task("safe_rlhf", f"benchmark.data={data}")
    prompts = [prompt.text for split in SPLITS for prompt in benchmark.prompts(split)]
    told = f"{sum(end in p for p in prompts)} of {len(prompts)} prompts spell out special tokens"
    assert any(f"{told} such as '{end}'" in note for note in benchmark.notes)


def test_answers_count_up_to_where_they_speak_for_somebody_else(hub, make_task):
    benchmark = make_task("helpful_assistant")
    text = " Heat it.\n\nHuman: And then?\n\nAssistant: Eat it."
    assert benchmark._scored_part(text) == "Heat it."


def test_what_is_missing_is_named(hub, capsys, tmp_path):
    cases = {
        "model=embedded model.path=null": "set model=hf and model.path=meta-llama/Llama-2-7b-hf",
        "benchmark.objectives=[helpful]": "name two or more distinct objectives",
        "benchmark.objectives=[helpful,humor]": "'humor' is unknown; did you mean 'humour'?",
        "benchmark.data=null": "benchmark.data: missing, and the data are not on the hub",
        "benchmark.rewards.humour.form=answers": "benchmark.rewards.humour.form: found 'answers'",
        "+benchmark.rewards.humor=a": "benchmark.rewards.humor: helpful_assistant has no objective",
    }
    for changed, message in cases.items():
        given = [*overrides(hub, "helpful_assistant"), *changed.split(), f"sweep_dir={tmp_path}"]
        assert main(["run", *given]) == 2
        assert message in capsys.readouterr().err
    qa = ["benchmark=long_form_qa", "model=hf", f"model.path={hub / 'google-t5/t5-large'}"]
    assert main(["run", *qa, f"benchmark.data={hub / 'qa_feedback/data'}"]) == 2
    assert "benchmark.rewards.relevance.path: missing; set it" in capsys.readouterr().err


def test_a_path_alone_keeps_how_the_published_model_reads(hub):
    """The same model named in two ways is the same cell; where it lies does not matter."""
    given = list(overrides(hub, "helpful_assistant"))
    (named,) = (each for each in given if each.startswith("benchmark.rewards.helpful.path="))
    others = [each for each in given if each != named]
    path = named.partition("=")[2]
    one, two = (
        plan_cell(compose_cell([*others, f"benchmark.rewards.helpful{key}={path}"])).digests
        for key in ("", ".path")
    )
    assert one == two
    other = plan_cell(compose_cell([*given, "benchmark.rewards.helpful.std=1.0"])).digests
    fewer = plan_cell(compose_cell([*given, "benchmark.evaluation_prompts=3"])).digests
    assert len({one["train"], other["train"], fewer["train"]}) == 3


def test_a_typed_prompt_gets_the_template(make_task):
    benchmark = make_task("safe_rlhf")
    one, two = benchmark.typed("How so?"), benchmark.typed("How so?")
    assert one == two and one.text == "BEGINNING OF CONVERSATION: USER: How so? ASSISTANT:"
    assert (
        make_task("helpful_assistant").typed("How so?").text == "\n\nHuman: How so?\n\nAssistant:"
    )


def test_answers_to_a_typed_prompt_are_scored_as_far_as_they_can_be(make_task):
    benchmark = make_task("xsum")
    known, typed = benchmark.prompts("test")[0], benchmark.typed("A cook has made soup.")
    answers = TextSamples.of_texts([known, typed], [0, 0], ["A cook has made it."] * 2)
    scores = benchmark.score(answers)
    assert scores[0, 0] > 0.3 and np.isnan(scores[1, 0])  # there is no reference
    assert np.isfinite(scores[:, 1]).all()
