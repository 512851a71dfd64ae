"""Each published form of a row gives the pair it means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pair_files import hh, said, write_lines, written

from paretosteer.errors import UsageError
from paretosteer.text.dialogue import of_messages
from paretosteer.text.pairs import Pair, Source, read_pairs
from paretosteer.text.pairs.pair import LeftOut
from paretosteer.text.pairs.pair_formats import format_of

words = st.text(st.sampled_from("abc de"), min_size=1, max_size=8).map(str.strip).filter(bool)
prompts = st.lists(words, min_size=1, max_size=5).filter(lambda texts: len(texts) % 2 == 1)


def pair_of(row, winner=None):
    source = Source("benchmark.pairs.x", "p.jsonl", winner=winner)
    try:
        return format_of(row, source).parser([row], source)(row)
    except LeftOut as error:
        return error.reason


@given(prompts, words, words)
def test_all_forms_of_a_pair_give_the_same(prompt, good, bad):
    messages = said(*prompt)
    answer, other = ([{"role": "assistant", "content": text}] for text in (good, bad))
    text = written(*prompt) + "\n\nAssistant:"
    forms = [
        hh(prompt, good, bad),
        {"chosen": messages + answer, "rejected": messages + other},
        {"prompt": text, "chosen": f" {good}", "rejected": bad},
        {"prompt": messages, "chosen": answer, "rejected": other, "score": 3},
        {"prompt": prompt[-1], "chosen": messages + answer, "rejected": messages + other},
    ]
    if good != bad:
        expected = Pair(of_messages(messages), good, bad)
        assert [pair_of(row) for row in forms] == [expected] * len(forms)
    row = {"prompt": text, "response_0": bad, "response_1": good, "safer_response_id": 1}
    assert pair_of(row, "safer_response_id") == Pair(of_messages(messages), good, bad)


@pytest.mark.parametrize(
    ("won", "expected"),
    [(0, "zero"), (1, "one"), (1.0, "one"), (-1, "tie"), (None, "tie"), (float("nan"), "tie")],
)
def test_the_winner_s_column_decides(won, expected):
    row = {"prompt": "p", "response_0": "zero", "response_1": "one", "better_response_id": won}
    found = pair_of(row, "better_response_id")
    assert (found if isinstance(found, str) else found.chosen) == expected


def test_dialogues_that_part_early_are_compared_where_they_do():
    """The sides continue differently; later user turns are not part of an answer."""
    row = {
        "chosen": written("one", "first", "two", "here", "three", "end"),
        "rejected": written("one", "first", "two", "there"),
    }
    found = pair_of(row)
    assert found == Pair(of_messages(said("one", "first", "two")), "here", "there")


def test_an_answer_in_several_turns_is_one_answer():
    row = {
        "chosen": written("q", "a"),
        "rejected": written("q", "b") + "\n\nAssistant: and c",
    }
    assert pair_of(row) == Pair(of_messages(said("q")), "a", "b\nand c")


def test_what_gives_no_pair_is_counted_and_said(tmp_path):
    good = hh(["q"], "yes", "no")
    rows = [
        *(good, good),
        *(hh(["p"], "yes", "no"), hh(["p"], "no", "yes")),  # both orders: no preference
        hh(["q"], "", "no"),
        hh(["q"], "yes", "  "),
        hh(["q"], "same", "same "),
        {"chosen": written("q", "a"), "rejected": written("p", "a")},
        {"chosen": "", "rejected": ""},
    ]
    found = read_pairs(write_lines(tmp_path / "pairs.jsonl", rows), "helpful")
    assert [pair.chosen for pair in found.pairs] == ["yes"]
    assert {name: count for name, count in found.counts.items() if count} == {
        **{"read": 9, "duplicate": 1, "empty": 3},
        **{"equal": 1, "unshared": 1, "contradicted": 2},
    }
    assert str(found) == (
        "helpful: 1 of 9 pairs are used; left out: 1 duplicate, "
        "3 with an empty prompt or answer, 1 with the same answer on both sides, "
        "1 without a shared prompt, 2 preferred in both orders."
    )


@pytest.mark.parametrize(
    ("row", "winner", "expected"),
    [
        ({"prompt": "p", "chosen": "a"}, None, "columns are prompt, chosen; use chosen and"),
        ({"prompt": "p", "response_0": "a", "response_1": "b"}, "safer", "column safer is missing"),
        ({"prompt": "p", "response_0": "a", "safer": 1}, "safer", "column response_1 is missing"),
        (
            {"prompt": "p", "response_0": "a", "response_1": "b", "safer": "x"},
            "safer",
            "safer is 'x', expected 0, 1, or -1 or null for a tie",
        ),
        (
            {"prompt": "p", "response_0": "a", "response_1": "b", "safer": True},
            "safer",
            "safer is True, expected 0",
        ),
        ({"prompt": "p", "chosen": "a", "rejected": ["b"]}, None, "rejected is list, expected"),
        ({"chosen": [1], "rejected": []}, None, "chosen is list, expected text or chat messages"),
        (
            {"chosen": [{"role": "bot", "content": "x"}], "rejected": "x"},
            None,
            "chosen has a message of role 'bot'",
        ),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path, row, winner, expected):
    first = {"prompt": "p", "chosen": "a", "rejected": "b", "response_0": "a", "response_1": "b"}
    rows = [row] if "columns" in expected else [first | {"safer": 0}, row]
    path = write_lines(tmp_path / "pairs.jsonl", rows)
    if "chosen" in row and "prompt" not in row:
        path = write_lines(tmp_path / "pairs.jsonl", [hh(["q"], "a", "b"), row])
    with pytest.raises(UsageError, match=r"benchmark\.pairs\.kind: ") as error:
        read_pairs({"path": path, "winner": winner}, "kind")
    assert expected in str(error.value)
    assert f"pairs.jsonl:{1 if 'columns' in expected else 2}: " in str(error.value)
