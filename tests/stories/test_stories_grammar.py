"""The machine: notation, unambiguity, exact probabilities against brute force."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from paretosteer.benchmarks.stories.grammar import MOOD_PULL, Grammar

TINY = """
story: <sentence> <sentence> end | 2 so <sentence> end
sentence: 2 + {They} laughed~again | - cried~again
    | a <thing> .
thing: 3 ball | - stone
again:*: 2 . | and * .
"""


def derivations(
    grammar: Grammar, items: tuple[str, ...], mood: int = 0
) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every text of `items` with its probability: an independent, exhaustive reading of rules."""
    if not items:
        yield (), 1.0
    elif not items[0].startswith("<"):
        for words, p in derivations(grammar, items[1:], mood):
            yield (items[0], *words), p
    else:
        options = grammar.alternatives(items[0].strip("<>"))
        weights = [o.weight * MOOD_PULL ** (o.mood * mood) for o in options]
        for option, weight in zip(options, weights, strict=True):
            for words, p in derivations(grammar, option.items + items[1:], option.mood or mood):
                yield words, p * weight / sum(weights)


def test_entropy_length_and_probability_equal_brute_force() -> None:
    grammar = Grammar(TINY)
    texts = list(derivations(grammar, ("<story>",)))
    assert len(texts) == len(dict(texts)) == 42  # no text is derived twice
    assert sum(p for _, p in texts) == pytest.approx(1)
    moments = grammar.moments("story")
    assert moments.entropy == pytest.approx(-sum(p * math.log(p) for _, p in texts), rel=1e-12)
    assert moments.length == pytest.approx(sum(p * len(words) for words, p in texts), rel=1e-12)
    assert sum(moments.mood) == pytest.approx(1)
    for words, p in texts:
        assert grammar.log_probability("story", {}, list(words)) == pytest.approx(math.log(p))


def test_samples_follow_the_probabilities() -> None:
    grammar = Grammar(TINY)
    generator = np.random.default_rng(0)
    draws = [grammar.sample("sentence", {"{They}": "She"}, generator) for _ in range(4000)]
    share = sum(words[0] == "She" for words, _ in draws) / len(draws)
    assert share == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(len(draws)))
    for words, log_probability in draws[:50]:
        read = grammar.log_probability("sentence", {"{They}": "She"}, words)
        assert read == pytest.approx(log_probability, abs=1e-12)


@pytest.mark.parametrize("words", [[], ["a", "ball"], ["a", "ball", ".", "."], ["a", "cat", "."]])
def test_what_is_no_text_has_no_probability(words: list[str]) -> None:
    assert Grammar(TINY).log_probability("sentence", {}, words) == -math.inf


def test_a_mood_pulls_its_own_alternatives() -> None:
    grammar = Grammar("pair: <one> <one>\none: + glad | - sad")
    texts = dict(derivations(grammar, ("<pair>",)))
    assert texts["glad", "glad"] / texts["glad", "sad"] == pytest.approx(MOOD_PULL**2)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("a: the cat | the dog", "two alternatives of <a> start with 'the'"),
        ("a: the cat | <b>\nb: a dog | the dog", "two alternatives of <a> start with 'the'"),
        ("a: x <b>\nb: y <a>", "<a> contains itself"),
        ("a: x <b>", "no rule for <b>"),
        ("a: x |", "must not be empty"),
        ("a x", "a rule has the form"),
    ],
)
def test_rules_that_are_not_ll1_are_refused(rules: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Grammar(rules)
