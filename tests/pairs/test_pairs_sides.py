"""Columns `chosen` and `rejected` that hold no answers, or the wrong ones."""

import pytest
from pair_files import write_lines

from paretosteer.errors import UsageError
from paretosteer.text.pairs import read_pairs

ROWS = range(12)


def write(folder, rows):
    return write_lines(folder / "pairs.jsonl", rows)


def row_of(i, **more):
    return {"prompt": f"q{i}", "chosen": f"a{i}", "rejected": f"b{i}", **more}


@pytest.mark.parametrize(
    ("sides", "remedy"),
    [
        (lambda i: {"chosen": i % 2, "rejected": 1 - i % 2}, "set `winner` to chosen"),
        (lambda i: {"chosen": "response_1", "rejected": "response_0"}, "set `winner` to chosen"),
        (
            lambda i: {"chosen": str(i % 2), "rejected": str(1 - i % 2), "answers_": ["x", "y"]},
            "set `winner` to chosen",
        ),
    ],
)
def test_sides_that_only_say_where_the_answers_are(tmp_path, sides, remedy):
    answers = {"prompt": "q", "response_0": "yes", "response_1": "no"}
    path = write(tmp_path, [answers | {"prompt": f"q{i}"} | sides(i) for i in ROWS])
    with pytest.raises(UsageError, match="only say which of the row's other values") as error:
        read_pairs(path, "kind")
    assert remedy in str(error.value)
    pairs = read_pairs({"path": path, "winner": "chosen"}, "kind").pairs
    better = "yes" if str(sides(0)["chosen"]) in ("0", "response_0") else "no"
    assert pairs[0].chosen == better


def test_sides_that_are_places_in_a_list(tmp_path):
    rows = [{"prompt": f"q{i}", "responses": ["a", "b"], "chosen": 1, "rejected": 2} for i in ROWS]
    with pytest.raises(UsageError, match=r"such as 1 and 2, .*write the answers themselves"):
        read_pairs(write(tmp_path, rows), "kind")


@pytest.mark.parametrize(
    ("names", "sides"),
    [
        ({"model_a_answer": "yes", "model_b_answer": "no"}, ("model_a", "model_b")),
        ({"A": "yes", "B": "no"}, ("A", "B")),
        ({"model_1": "x", "model_2": "y", "response_1": "yes", "response_2": "no"}, ("x", "y")),
    ],
)
def test_sides_that_name_columns_or_models(tmp_path, names, sides):
    row = names | {"chosen": sides[0], "rejected": sides[1]}
    path = write(tmp_path, [{"prompt": f"q{i}"} | row for i in ROWS])
    with pytest.raises(UsageError, match=r"only say which .*write the answers themselves"):
        read_pairs(path, "kind")


def test_answers_of_few_texts_are_noted(tmp_path):
    rows = [row_of(i, chosen="yes", rejected=f"no{i // 12}") for i in range(20)]
    note = read_pairs(write(tmp_path, rows), "kind").note
    assert note.endswith(" The answers are only 3 different texts, such as 'yes'.")
    assert "different texts" not in read_pairs(write(tmp_path, rows[:9]), "kind").note
    assert "different texts" not in read_pairs(write(tmp_path, [*map(row_of, ROWS)]), "kind").note


@pytest.mark.parametrize(
    "tie", [{"status": "tie"}, {"outcome": "Tie (bothbad)"}, {"is_tie": True}, {"tie": 1}]
)
def test_ties_beside_sides_are_noted(tmp_path, tie):
    rows = [row_of(i, **(tie if i < 3 else dict.fromkeys(tie))) for i in ROWS]
    note = read_pairs(write(tmp_path, rows), "kind").note
    (name,) = tie
    assert f" {name} says that 3 of 12 rows are ties; chosen and rejected decide." in note
    rows = [row_of(i, chosen=f"tie {i}", is_tie=False, status="ok") for i in ROWS]
    assert "ties;" not in read_pairs(write(tmp_path, rows), "kind").note


def test_numbers_and_names_that_are_answers(tmp_path):
    rows = [{"prompt": f"{i} mod 2?", "chosen": i % 2, "rejected": 1 - i % 2} for i in ROWS]
    assert len(read_pairs(write(tmp_path, rows), "kind").pairs) == len(ROWS)
    rows = [row_of(i, chosen="prompt") for i in ROWS]
    assert len(read_pairs(write(tmp_path, rows), "kind").pairs) == len(ROWS)


@pytest.mark.parametrize(
    "names", [("score_chosen", "score_rejected"), ("chosen_rating", "rejected_rating")]
)
def test_scores_that_contradict_the_sides(tmp_path, names):
    good, bad = names

    def rows(better, worse):
        return [row_of(i, **{good: better, bad: worse if i > 2 else better}) for i in ROWS]

    for lower, higher in (("1.5", "10"), (1.5, 4)):  # also in a table without types
        path = write(tmp_path, rows(lower, higher))
        with pytest.raises(UsageError, match=rf"{bad} is above {good} in 9 of 9 rows, .*swapped"):
            read_pairs(path, "kind")
    given = {"path": path, "columns": {"unused": good}}
    assert read_pairs(given, "kind").pairs[0].chosen == "a0"
    assert len(read_pairs(write(tmp_path, rows(4, 1.5)), "kind").pairs) == len(ROWS)


def test_labels_of_shp_that_its_scores_contradict(tmp_path):
    def rows(label):
        row = {"human_ref_A": "a", "human_ref_B": "b", "labels": label}
        return [{"history": f"q{i}", **row, "score_A": "9", "score_B": 10} for i in ROWS]

    assert read_pairs(write(tmp_path, rows(0)), "kind").pairs[0].chosen == "b"
    path = write(tmp_path, rows(1))
    with pytest.raises(UsageError, match="labels contradict score_A and score_B in 12 of 12"):
        read_pairs(path, "kind")
    given = {"path": path, "columns": {"unused": "score_A"}}
    assert read_pairs(given, "kind").pairs[0].chosen == "a"
    mixed = rows(0)[:9] + [row | {"labels": "", "score_A": "many"} for row in rows(1)[9:]]
    mixed[0]["score_B"] = "many"
    with pytest.raises(UsageError, match=r"labels is '', expected 0 or 1"):
        read_pairs(write(tmp_path, mixed), "kind")


@pytest.mark.parametrize("rating", ["4,5", "9/10"])
def test_ratings_that_are_no_numbers(tmp_path, rating):
    rows = [{"prompt": f"q{i // 2}", "response": f"a{i}", "stars": rating} for i in ROWS]
    given = {"path": write(tmp_path, rows), "rating": "stars"}
    with pytest.raises(
        UsageError, match=r"stars is no number in any row \(the columns are prompt, "
    ):
        read_pairs(given, "kind")


def test_a_few_scores_that_contradict_the_sides_are_noted(tmp_path):
    rows = [row_of(i, score_chosen=4, score_rejected=9 if i in (2, 5) else 1) for i in ROWS]
    found = read_pairs(write(tmp_path, rows), "kind")
    assert len(found.pairs) == len(ROWS)
    assert "score_rejected is above score_chosen in 2 of 12 rows; chosen and re" in found.note
    rows = [row | {"score_rejected": 1} for row in rows]
    assert "above" not in read_pairs(write(tmp_path, rows), "kind").note


@pytest.mark.parametrize("tag", ["think", "Thinking", "reasoning"])
def test_thoughts_in_answers_are_noted(tmp_path, tag):
    rows = [row_of(i) for i in ROWS]
    assert "thoughts" not in read_pairs(write(tmp_path, rows), "kind").note
    rows[3]["chosen"] = f"<{tag}>Well …</{tag}> {rows[3]['chosen']}"
    found = read_pairs(write(tmp_path, rows), "kind")
    assert "1 of 12 pairs have a model's thoughts between tags" in found.note
    assert found.pairs[3].chosen.startswith("<")


@pytest.mark.parametrize("name", ["rank", "tokens"])
def test_other_figures_of_the_sides_are_not_compared(tmp_path, name):
    rows = [row_of(i, **{f"chosen_{name}": 1, f"rejected_{name}": 2}) for i in ROWS]
    assert len(read_pairs(write(tmp_path, rows), "kind").pairs) == len(ROWS)


@pytest.mark.parametrize("other", [1, 2])
def test_a_winner_that_is_minus_one_where_the_other_answer_never_wins(tmp_path, other):
    names = ("response_0", "response_1") if other == 1 else ("response_1", "response_2")
    rows = [
        {"prompt": f"q{i}", names[0]: "a", names[1]: "b", "better": (-1, other)[i % 2]}
        for i in ROWS
    ]
    given = {"path": write(tmp_path, rows), "winner": "better"}
    with pytest.raises(UsageError, match=rf"better is -1 or {other} in all rows"):
        read_pairs(given, "kind")
    rows[1]["better"] = other - 1
    write(tmp_path, rows)
    if other == 2:
        assert len(read_pairs(given, "kind").pairs) == 6
    else:
        with pytest.raises(UsageError, match="better is -1, 0 or 1, which does not say"):
            read_pairs(given, "kind")


@pytest.mark.parametrize("ends", ["01", "12", "ab"])
def test_numbers_with_a_sign_that_do_not_say_which_one_is_a_tie(tmp_path, ends):
    sides = [f"response_{end}" for end in ends]
    rows = [{"prompt": f"q{i}", **dict.fromkeys(sides, f"a{i}"), "winner": i % 3 - 1} for i in ROWS]
    path = write(tmp_path, rows)
    with pytest.raises(UsageError, match="winner is -1, 0 or 1, which does not say whether 0 or"):
        read_pairs({"path": path, "winner": "winner"}, "kind")


@pytest.mark.parametrize("name", ["label", "preference", "y", "valid"])
def test_a_label_of_two_letters_does_not_say_which_one_it_speaks_for(tmp_path, name):
    rows = [
        {"prompt": f"q{i}", "response_a": "a", "response_b": "b", name: i % 2, "best_id": i % 2}
        for i in ROWS
    ]
    path = write(tmp_path, rows)
    with pytest.raises(UsageError, match=f"{name} is 0 or 1, which does not say whether 1 speaks"):
        read_pairs({"path": path, "winner": name}, "kind")
    for given in ({"winner": "best_id"}, {"columns": {"winner": name}}):
        assert read_pairs({"path": path, **given}, "kind").pairs[1].chosen == "b"


@pytest.mark.parametrize("name", ["better_a", "first_is_better", "winner_is_left", "chosen_b"])
def test_a_column_about_one_answer_names_no_winner(tmp_path, name):
    rows = [{"prompt": f"q{i}", "response_a": "a", "response_b": "b", name: i % 2} for i in ROWS]
    given = {"path": write(tmp_path, rows), "winner": name}
    with pytest.raises(UsageError, match=f"{name} is about one of the answers and does not name"):
        read_pairs(given, "kind")


def test_two_names_of_one_column(tmp_path):
    path = write(tmp_path, [{"q": f"q{i}", "good": "a", "bad": "b"} for i in ROWS])
    columns = {"prompt": "good", "chosen": "good", "rejected": "bad"}
    with pytest.raises(UsageError, match="prompt and chosen are both the column 'good'; give"):
        read_pairs({"path": path, "columns": columns}, "kind")


@pytest.mark.parametrize("name", ["preferred", "label", "verdict"])
@pytest.mark.parametrize("every", [1, 3])
def test_a_column_that_says_that_the_rejected_answer_is_better(tmp_path, name, every):
    rows = [row_of(i, **{name: "chosen" if i % every else "Rejected"}) for i in ROWS]
    path = write(tmp_path, rows)
    with pytest.raises(UsageError, match=rf"{name} is 'rejected' in \d+ of 12 rows; swap the"):
        read_pairs(path, "kind")
    source = {"path": path, "columns": {"unused": name}}
    assert len(read_pairs(source, "kind").pairs) == len(ROWS)
    rows = [row_of(i, **{name: "chosen"}) for i in ROWS]
    assert len(read_pairs(write(tmp_path, rows), "kind").pairs) == len(ROWS)
