"""Probabilistic grammars whose stories have exactly one derivation each.

A rule is written `symbol: alternative | alternative` (a line that begins with `|` goes on with the
rule above), where an alternative is

    [weight] [+|-] item item ...

and an item is a plain word, `<symbol>`, a slot such as `{name}` that the story's character fills,
or `word~rule`, short for `word <rule:word>`. In a rule named `rule:*` the star in its alternatives
stands for the argument, so `again:*: . | and * .` can say again whatever came before.

A story carries a mood (glad +1, sad -1, none yet 0). An alternative marked + or - sets it, and is
`MOOD_PULL` times as likely under its own mood and as unlikely under the opposite one. This is the
only thing a derivation remembers, and it can be read off the words.

The alternatives of a symbol begin with different words, none is empty, and no symbol contains
itself: the grammar is LL(1). So the words determine the derivation, the probability of a text is
the product of its choices, and entropy is a sum over rules (chain rule), exact to rounding.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np

MOODS = (-1, 0, 1)
MOOD_PULL = 2.5

_ALTERNATIVE = re.compile(r"(?:(?P<weight>\d+(?:\.\d+)?)\s+)?(?:(?P<mood>[+-])\s+)?(?P<items>.+)")


@dataclass(frozen=True)
class Alternative:
    """One way to write a symbol: its weight before moods, the mood it sets (0: none), its items."""

    weight: float
    mood: int
    items: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """The alternatives of one symbol under one mood, with probabilities that sum to one."""

    alternatives: tuple[Alternative, ...]
    probabilities: tuple[float, ...]

    @cached_property
    def cumulative(self) -> tuple[float, ...]:
        """Where on [0, 1] each alternative but the last one ends."""
        return tuple(accumulate(self.probabilities[:-1]))


@dataclass(frozen=True)
class Moments:
    """Exact expectations over the texts of a symbol, given the mood in which it starts."""

    entropy: float  # nats
    length: float  # words
    mood: tuple[float, float, float]  # probability of ending in each of MOODS


class Grammar:
    """A rule set with exact probabilities; see the module for the notation.

    Raises `ValueError` naming the symbol if one is undefined, contains itself, or has two
    alternatives that can begin with the same word.
    """

    def __init__(self, rules: str) -> None:
        lines = re.sub(r"\n\s*\|", " |", rules).splitlines()
        self._templates = dict(_rule(line) for line in lines if line.strip())
        self._alternatives: dict[str, tuple[Alternative, ...]] = {}
        self._firsts: dict[str, tuple[str, ...]] = {}
        self._choices: dict[tuple[str, int], Choice] = {}
        self._moments: dict[tuple[str, int], Moments] = {}
        for symbol in self._templates:
            if not symbol.endswith(":*"):
                self._check(symbol, above=())

    def alternatives(self, symbol: str) -> tuple[Alternative, ...]:
        """The alternatives of `symbol`, its argument put in."""
        if symbol not in self._alternatives:
            name, _, argument = symbol.partition(":")
            key = f"{name}:*" if argument else name
            if key not in self._templates:
                raise ValueError(f"the grammar has no rule for <{symbol}>")
            texts = self._templates[key].replace("*", argument).split("|")
            self._alternatives[symbol] = tuple(_alternative(text) for text in texts)
        return self._alternatives[symbol]

    def terminals(self) -> list[str]:
        """Every word and slot that the rules can write, once each."""
        items = (i for a in self._alternatives.values() for x in a for i in x.items)
        return list(dict.fromkeys(item for item in items if not _is_symbol(item)))

    def first(self, symbol: str) -> tuple[str, ...]:
        """The words and slots with which the texts of `symbol` begin, one entry per way."""
        if symbol not in self._firsts:
            begins = (word for a in self.alternatives(symbol) for word in self._begins(a))
            self._firsts[symbol] = tuple(begins)
        return self._firsts[symbol]

    def moments(self, symbol: str, mood: int = 0) -> Moments:
        """Exact entropy (nats), expected length (words) and final mood of the texts of `symbol`."""
        key = (symbol, mood)
        if key not in self._moments:
            self._moments[key] = self._expected(self._choice(symbol, mood), mood)
        return self._moments[key]

    def sample(
        self, symbol: str, slots: Mapping[str, str], generator: np.random.Generator
    ) -> tuple[list[str], float]:
        """A text of `symbol` as words, slots filled in, and its exact log-probability in nats."""
        words: list[str] = []
        log_probability, mood, stack = 0.0, 0, [f"<{symbol}>"]
        while stack:
            item = stack.pop()
            if not _is_symbol(item):
                words.append(slots.get(item, item))
                continue
            choice = self._choice(item[1:-1], mood)
            index = bisect_right(choice.cumulative, generator.random())
            log_probability += math.log(choice.probabilities[index])
            mood = choice.alternatives[index].mood or mood
            stack.extend(reversed(choice.alternatives[index].items))
        return words, log_probability

    def log_probability(self, symbol: str, slots: Mapping[str, str], words: list[str]) -> float:
        """The log-probability (nats) of exactly `words`; minus infinity if they are no text of it.

        Reads left to right with one word of look-ahead, so it takes time linear in the words.
        """
        total, mood, stack, at = 0.0, 0, [f"<{symbol}>"], 0
        while stack:
            item = stack.pop()
            word = words[at] if at < len(words) else None
            if not _is_symbol(item):
                if slots.get(item, item) != word:
                    return -math.inf
                at += 1
                continue
            choice = self._choice(item[1:-1], mood)
            # LL(1): at most one alternative can begin with this word
            for a, p in zip(choice.alternatives, choice.probabilities, strict=True):
                if any(slots.get(begin, begin) == word for begin in self._begins(a)):
                    total, mood = total + math.log(p), a.mood or mood
                    stack.extend(reversed(a.items))
                    break
            else:
                return -math.inf
        return total if at == len(words) else -math.inf

    def _choice(self, symbol: str, mood: int) -> Choice:
        key = (symbol, mood)
        if key not in self._choices:
            alternatives = self.alternatives(symbol)
            weights = [a.weight * MOOD_PULL ** (a.mood * mood) for a in alternatives]
            total = sum(weights)
            self._choices[key] = Choice(alternatives, tuple(w / total for w in weights))
        return self._choices[key]

    def _expected(self, choice: Choice, mood: int) -> Moments:
        entropy, length, final = 0.0, 0.0, np.zeros(3)
        for a, p in zip(choice.alternatives, choice.probabilities, strict=True):
            moments = self._sequence(a.items, a.mood or mood)
            entropy += p * (moments.entropy - math.log(p))
            length += p * moments.length
            final += p * np.array(moments.mood)
        return Moments(entropy, length, (float(final[0]), float(final[1]), float(final[2])))

    def _sequence(self, items: tuple[str, ...], mood: int) -> Moments:
        """Moments of items one after another: each starts in the mood that the last one left."""
        entropy, length, now = 0.0, 0.0, np.eye(3)[MOODS.index(mood)]
        for item in items:
            if not _is_symbol(item):
                length += 1
                continue
            then = np.zeros(3)
            for start, p in zip(MOODS, now, strict=True):
                if p > 0:
                    moments = self.moments(item[1:-1], start)
                    entropy += p * moments.entropy
                    length += p * moments.length
                    then += p * np.array(moments.mood)
            now = then
        return Moments(float(entropy), float(length), (float(now[0]), float(now[1]), float(now[2])))

    def _begins(self, alternative: Alternative) -> tuple[str, ...]:
        item = alternative.items[0]
        return self.first(item[1:-1]) if _is_symbol(item) else (item,)

    def _check(self, symbol: str, above: tuple[str, ...]) -> None:
        if symbol in above:
            raise ValueError(f"<{symbol}> contains itself")
        if symbol in self._alternatives:
            return
        for alternative in self.alternatives(symbol):
            for item in filter(_is_symbol, alternative.items):
                self._check(item[1:-1], (*above, symbol))
        first = self.first(symbol)
        twice = sorted({word for word in first if first.count(word) > 1})
        if twice:
            raise ValueError(f"two alternatives of <{symbol}> begin with {twice[0]!r}")


def _is_symbol(item: str) -> bool:
    return item[0] == "<"


def _rule(line: str) -> tuple[str, str]:
    """`again:*: . | and * .` becomes its name `again:*` and its body."""
    name, separator, body = line.strip().partition(": ")
    if not separator:
        raise ValueError(f"a rule reads 'symbol: alternatives', got {line.strip()!r}")
    return name, body


def _alternative(text: str) -> Alternative:
    match = _ALTERNATIVE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"an alternative must not be empty, got {text!r}")
    items = tuple(part for item in match["items"].split() for part in _expand(item))
    mood = {"+": 1, "-": -1, None: 0}[match["mood"]]
    return Alternative(float(match["weight"] or 1), mood, items)


def _expand(item: str) -> tuple[str, ...]:
    """`glad~again` becomes `glad <again:glad>`."""
    word, tilde, rule = item.partition("~")
    return (word, f"<{rule}:{word}>") if tilde else (word,)
