"""Splits go by the prompt: disjoint, in the stated shares, the same for everybody."""

from collections import Counter
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretosteer.text.dialogue import Turn
from paretosteer.text.pairs import Pair, prompt_key, split_of

texts = st.text(max_size=20)


def pair(prompt, chosen="yes", rejected="no"):
    return Pair((Turn("user", prompt),), chosen, rejected)


@given(texts, texts, texts, texts)
def test_answers_do_not_move_a_prompt(prompt, one, other, third):
    assert pair(prompt, one, other).key == pair(prompt, third, one).key


@given(texts, texts)
def test_other_prompts_have_other_keys(one, other):
    assert (pair(one).key == pair(other).key) == (normalize("NFC", one) == normalize("NFC", other))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_unicode_form_of_a_prompt_does_not_change_its_split(form):
    word = "Crème brûlée für Åse, 가각"
    assert pair(normalize(form, word)).key == pair(word).key
    assert prompt_key(pair(normalize("NFD", word)).prompt) != pair(word).key


def test_speakers_count_as_well_as_words():
    user, assistant = Turn("user", "a"), Turn("assistant", "a")
    assert Pair((user, user), "x", "y").key != Pair((assistant, user), "x", "y").key


def test_shares_are_as_stated():
    counts = Counter(split_of(pair(str(i)).key) for i in range(20_000))
    shares = {"train": 0.75, "calibration": 0.05, "validation": 0.08, "test": 0.12}
    for split, share in shares.items():
        assert abs(counts[split] / 20_000 - share) < 0.01  # 3 standard errors of the largest


def test_splits_stay_where_they_were_published():
    """A change here moves test prompts into training: raise SPLITS_VERSION."""
    found = [split_of(pair(f"prompt {i}").key) for i in range(12)]
    moved = {3: "test", 4: "calibration", 11: "test"}
    assert found == [moved.get(i, "train") for i in range(12)]
