"""Variety of what a method writes."""

from collections import Counter
from collections.abc import Iterator, Sequence

from paretosteer.metrics.input_checks import MetricError


def distinct_n(texts: Sequence[str], n: int = 2) -> float:
    """Share of n-grams that are distinct, over all texts together (Li et al. 2016).

    Words are separated by white space; n-grams do not cross texts. 0 where no text has n
    words.
    """
    if isinstance(texts, str) or len(texts) == 0:
        raise MetricError("texts: found no list of texts; give at least one text in a list")
    if n < 1:
        raise MetricError(f"n: is {n}; give at least 1")
    grams = [gram for text in texts for gram in _ngrams(text.split(), n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def _ngrams(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(n)), strict=False)


# An answer of fewer words is near-empty; one in which a phrase of so many words occurs more often
# than this repeats itself.
FEWEST_WORDS, PHRASE_WORDS, MOST_REPEATS = 3, 4, 3


def collapse_rate(texts: Sequence[str]) -> float:
    """Share of answers that are near-empty or repeat a phrase. ↓

    Near-empty: fewer than 3 words. Repeating: some phrase of 4 words occurs more than 3 times.
    Words are separated by white space.
    """
    if isinstance(texts, str) or len(texts) == 0:
        raise MetricError("texts: found no list of texts; give at least one text in a list")
    return sum(_collapsed(text.split()) for text in texts) / len(texts)


def _collapsed(words: list[str]) -> bool:
    counts = Counter(_ngrams(words, PHRASE_WORDS))
    return len(words) < FEWEST_WORDS or max(counts.values(), default=0) > MOST_REPEATS
