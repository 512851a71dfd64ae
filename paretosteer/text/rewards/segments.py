"""Segmentation of an answer, for reward models that score every segment.

FineGrainedRLHF (Wu et al., arXiv 2306.01693) reads `question: … answer: </s> segment </s> segment`
and takes the labels of a token classifier at the separators. Relevance is per clause (label 2 good,
1 bad), factuality per sentence (2 good, 0 bad); each segment counts +1 or −1. Its code splits
sentences with spaCy. Here a sentence ends after `.`, `!` or `?` followed by white space.
"""

from __future__ import annotations

import re

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_FEWEST_WORDS = 5  # of a clause


def split_segments(text: str, kind: str) -> list[str]:
    """Split a text into sentences or clauses (`kind` is `sentence` or `clause`)."""
    sentences = [part for part in _SENTENCE.split(text.strip()) if part]
    if kind == "sentence":
        return sentences
    return [clause for sentence in sentences for clause in _clauses(sentence.split())]


def _clauses(words: list[str]) -> list[str]:
    """Clauses of a sentence: they end at a comma or semicolon and have at least five words."""
    clauses, start = [], 0
    for end, word in enumerate(words, start=1):
        long = min(end - start, len(words) - end) >= _FEWEST_WORDS
        if word[-1] in ",;" and long:
            clauses.append(" ".join(words[start:end]))
            start = end
    return [*clauses, " ".join(words[start:])]
