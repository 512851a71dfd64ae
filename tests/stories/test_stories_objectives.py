"""Objectives against values worked out by hand."""

import math

import pytest

from paretosteer.plugins import registry

OBJECTIVES = {name: registry.load("objectives", name) for name in registry.names("objectives")}


def score(name: str, text: str) -> float:
    return OBJECTIVES[name].score(text)


def test_positive_is_the_vader_compound() -> None:
    assert score("positive", "happy") == pytest.approx(2.7 / math.sqrt(2.7**2 + 15), abs=1e-4)
    assert score("positive", "She was sad.") < 0 == score("positive", "A ball.")


def test_positive_saturates() -> None:
    once, twice, often = (score("positive", "happy " * n) for n in (1, 2, 8))
    assert twice - once > 5 * (1 - often)


def test_varied_is_the_share_of_distinct_words() -> None:
    assert score("varied", "Happy, happy, HAPPY dog.") == pytest.approx(2 / 4)
    assert score("varied", "One two three") == 1


def test_readable_is_flesch_reading_ease() -> None:
    # 7 words, 2 sentences, 9 syllables: the lit-tle cat sat, it was hap-py
    assert score("readable", "The little cat sat. It was happy.") == pytest.approx(
        206.835 - 1.015 * 7 / 2 - 84.6 * 9 / 7
    )
    assert score("readable", "go") == pytest.approx(121.22)
    assert score("readable", "unbelievably complicated incomprehensibility") == 0


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("cat", 1),
        ("happy", 2),
        ("made", 1),
        ("table", 2),
        ("wonderful", 3),
        ("the", 1),
        ("rhythm", 1),
    ],
)
def test_syllables(word: str, count: int) -> None:
    ease = 206.835 - 1.015 * 1 - 84.6 * count
    assert score("readable", word) == pytest.approx(max(0.0, ease))


def test_sentence_length_counts_an_unfinished_sentence() -> None:
    assert score("long_sentences", "She ran. He sat by the") == 3
    assert score("short_sentences", 'She ran and ran. "Go!"') == -2.5
    assert score("long_sentences", "no stop at all") == 4
    assert score("short_sentences", "word " * 60) == OBJECTIVES["short_sentences"].worst


def test_dialogue_is_the_share_of_words_in_quotes() -> None:
    assert score("dialogue", '"Hi there!" said Tom.') == pytest.approx(2 / 4)
    assert score("dialogue", "“Hi there!” said Tom.") == pytest.approx(2 / 4)
    assert score("dialogue", 'He said, "Go away') == pytest.approx(2 / 4)
    assert score("dialogue", "Nobody spoke.") == 0


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("text", ["", "  \n", ' . , ! " '])
def test_text_without_a_word_cannot_be_scored(name: str, text: str) -> None:
    with pytest.raises(ValueError, match="a text without words"):
        score(name, text)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_nothing_scores_below_the_worst(name: str) -> None:
    texts = ["a", "sad bad awful hate " * 20, "x" * 500, "incomprehensibilities " * 100, '"']
    scores = [score(name, text) for text in texts if text.strip('" ')]
    assert min(scores) >= OBJECTIVES[name].worst
    assert OBJECTIVES[name].name == name
