"""Questions in the form of the released human feedback of long-form QA."""

import json

import pytest
from paper_rows import qa_feedback

from paretosteer.benchmarks.papers.long_form_qa import LongFormQA
from paretosteer.benchmarks.papers.task_data import parts_of, read_items


def feedback(i, **changes):
    """Row of `dev_feedback.json`: passages of a title and sentences, no finished prompt."""
    title = f"Dish {i}"
    return {
        "question": f"How long does dish {i} take?",
        "passages": [
            [title, f"{title}\n\nIt is a dish.", f"It takes {i} minutes."],
            ["Cooking", "Heat it."],
        ],
        "gold": f"It takes {i} minutes.",
        **{f"prediction {n}": f"It takes {n} minutes." for n in range(1, 5)},
        "feedback": {
            "errors": [{"error type": "Unverifiable", "explanation": "", "start": 0, "end": 2}],
            "missing-info": [],
            "corrected-prediction": f"It takes {i} minutes.",
        },
        "preference": [0, 1, 2, 1, 0, 2],
        **changes,
    }


def test_the_prompt_is_that_of_the_supervised_data():
    item = LongFormQA.parse(feedback(7))
    assert item.dialogue[0].text == (
        "question: How long does dish 7 take? context: wikipage: Dish 7 text: Dish 7 It is a dish. "
        "It takes 7 minutes. wikipage: Cooking text: Heat it."
    )
    assert item.reads["relevance"][0].text == "question: How long does dish 7 take?"
    assert item.reads["factuality"] == item.reads["completeness"] == item.dialogue


def test_a_finished_prompt_is_used_as_it_is():
    row = qa_feedback(3)
    assert LongFormQA.parse(row).dialogue[0].text == row["text"]


def test_the_released_file_gives_prompts_for_every_split(tmp_path):
    file = tmp_path / "dev_feedback.json"
    file.write_text(json.dumps([feedback(i) for i in range(60)], indent=2))
    found = read_items(
        parts_of(str(file), LongFormQA.own_splits, LongFormQA.columns),
        LongFormQA.parse,
        LongFormQA.columns,
        (),
        "x",
    )
    assert sum(map(len, found.items.values())) == 60
    assert all(found.items[split] for split in ("train", "calibration", "validation", "test"))


@pytest.mark.parametrize(
    "changes", [{"passages": "text"}, {"passages": [[]]}, {"passages": [["a", 1]]}, {"question": 1}]
)
def test_a_malformed_row_is_named(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        LongFormQA.parse(feedback(1, **changes))
