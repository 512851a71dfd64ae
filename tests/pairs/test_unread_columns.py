"""Columns that make no difference to the pairs are named in the note."""

import pytest
from pair_files import write_lines

from paretosteer.text.pairs import read_pairs

SIDES = {"prompt": "q", "chosen": "a", "rejected": "b"}
TWO = {"prompt": "q", "response_a": "a", "response_b": "b"}
SAID = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]


def note(folder, rows, **settings):
    path = write_lines(folder / "pairs.jsonl", rows)
    return read_pairs({"path": path, **settings}, "kind").note


def told(*names):
    return f" Columns that are not read: {', '.join(names)}."


@pytest.mark.parametrize(
    ("row", "settings", "names"),
    [
        (SIDES | {"weight": 2, "persona": "pirate"}, {}, ["weight", "persona"]),
        (SIDES | {"split": "test", "deleted": False}, {}, ["split", "deleted"]),
        (SIDES | {"chosen_2": "c", "empty": None, "blank": ""}, {}, ["chosen_2"]),
        (SIDES | {"system_message": "Be brief."}, {}, []),
        (SIDES | {"system": "Be brief.", "unused": "x"}, {}, []),
        (SIDES | {"notes": "x"}, {"columns": {"unused": "notes"}}, []),
        (SIDES | {"messages": SAID}, {}, ["messages"]),
        (TWO | {"winner": "model_a", "model_a": "x"}, {}, ["model_a"]),
        (TWO | {"votes": 1, "best": "a", "winner": "b"}, {"winner": "best"}, ["votes", "winner"]),
        ({"instruction": "q", "input": "x", "chosen": "a", "rejected": "b"}, {}, []),
    ],
)
def test_columns_that_are_not_read_are_named(tmp_path, row, settings, names):
    found = note(tmp_path, [row], **settings)
    assert found.endswith(told(*names)) if names else "not read" not in found


def test_columns_of_rated_and_labelled_answers(tmp_path):
    rows = [{"prompt": "q", "response": f"a{i}", "score": i, "length": 9} for i in range(3)]
    assert note(tmp_path, rows, rating="score").endswith(told("length"))
    rows = [{"prompt": "q", "completion": f"a{i}", "label": i > 1, "id": i} for i in range(3)]
    assert note(tmp_path, rows).endswith(told("id"))


def test_a_column_is_read_if_it_matters_in_some_rows(tmp_path):
    rows = [SIDES | {"prompt": f"q{i}", "system": "Hi." if i == 99 else ""} for i in range(100)]
    assert "not read" not in note(tmp_path, rows)
    tied = [TWO | {"prompt": f"q{i}", "winner": "tie" if i else "a"} for i in range(100)]
    assert "not read" not in note(tmp_path, tied)


def test_many_columns_are_counted(tmp_path):
    row = SIDES | {f"x{i}": i for i in range(15)}
    assert note(tmp_path, [row]).endswith(", x11 and 3 others.")
