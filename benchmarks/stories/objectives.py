"""Objectives of the benchmark: functions from a text to a number, higher is better.

Every function raises `ValueError` for a text without words, which cannot be scored.
"""

import re
from functools import cache, lru_cache
from typing import Any

from paretosteer.objective import TextObjective

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?]+")
_VOWELS = re.compile(r"[aeiouy]+")
_QUOTE = re.compile(r'["“”]')


def positive(text: str) -> float:
    """VADER compound score in [-1, 1] (Hutto and Gilbert, 2014).

    With s the summed valence it is s / sqrt(s² + 15), so it saturates: two positive words give
    about 0.8, four give 0.94, and further ones hardly matter.
    """
    _words(text)
    return float(_analyser().polarity_scores(text)["compound"])


def varied(text: str) -> float:
    """Distinct lower-cased words over words, in (0, 1]; short texts score higher."""
    words = _words(text)
    return len(set(words)) / len(words)


def readable(text: str) -> float:
    """Flesch reading ease, 206.835 - 1.015 words/sentences - 84.6 syllables/words (Flesch, 1948).

    Clipped at 0, below which the scale is meaningless. A text without a full stop is one sentence.
    The maximum is 121.22 (one syllable per word, one word per sentence).
    """
    words = _words(text)
    syllables = sum(_syllables(word) for word in words)
    ease = 206.835 - 1.015 * _words_per_sentence(text) - 84.6 * syllables / len(words)
    return max(0.0, ease)


def long_sentences(text: str) -> float:
    """Words per sentence; an unfinished last sentence counts as one."""
    return _words_per_sentence(text)


def short_sentences(text: str) -> float:
    """Minus the words per sentence, clipped at -40."""
    return max(-40.0, -_words_per_sentence(text))


def dialogue(text: str) -> float:
    """Share of words inside double quotes, in [0, 1]; an open quote extends to the end."""
    inside = " ".join(_QUOTE.split(text)[1::2])
    return len(_WORD.findall(inside)) / len(_words(text))


POSITIVE = TextObjective(
    "positive", "VADER compound", -1.0, "positive rather than negative words", "1", positive
)
VARIED = TextObjective("varied", "ratio", 0.0, "share of distinct words", "1", varied)
READABLE = TextObjective(
    "readable", "Flesch reading ease", 0.0, "short words and sentences", "1", readable
)
LONG_SENTENCES = TextObjective(
    "long_sentences", "words", 0.0, "words per sentence", "1", long_sentences
)
SHORT_SENTENCES = TextObjective(
    "short_sentences", "words", -40.0, "minus words per sentence", "1", short_sentences
)
DIALOGUE = TextObjective("dialogue", "share of words", 0.0, "words inside quotes", "1", dialogue)


def _words(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    if not words:
        raise ValueError("a text without words cannot be scored")
    return words


def _words_per_sentence(text: str) -> float:
    sentences = [part for part in _SENTENCE_END.split(text) if _WORD.search(part)]
    return len(_words(text)) / max(1, len(sentences))


@lru_cache(maxsize=4096)
def _syllables(word: str) -> int:
    """Number of vowel groups in a lower-cased word without a silent final e; at least one."""
    groups = len(_VOWELS.findall(word))
    if groups > 1 and re.search(r"[^aeiouyl]e$", word):
        groups -= 1
    return max(1, groups)


@cache
def _analyser() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # slow to import

    return SentimentIntensityAnalyzer()
