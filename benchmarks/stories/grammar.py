"""Unambiguous probabilistic grammars with exact log-probabilities and entropies.

A rule is written `symbol: alternative | alternative`; a line that starts with `|` continues the
rule above. An alternative is

    [weight] [+|-] item item ...

and an item is a plain word, a `<symbol>`, a slot such as `{name}` (filled in for the main
character), or `word~rule`, short for `word <rule:word>`. In a rule named `rule:*`, the star in the
alternatives stands for the argument, so `again:*: . | and * .` can repeat the preceding word.

A derivation carries a mood: happy +1, sad -1, or 0 if not yet set. An alternative marked + or -
sets the mood; its weight is multiplied by `MOOD_PULL` under its own mood and divided by it under
the opposite one. The mood is the only state of a derivation, and the words determine it.

The grammar is LL(1): the alternatives of a symbol start with different words, none is empty, and no
symbol contains itself. Hence the words determine the derivation, the probability of a text is the
product of the probabilities of its choices, and the chain rule gives the entropy as a sum over
rules, exact up to rounding.
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
    """One expansion of a symbol."""

    weight: float  # before the mood is taken into account
    mood: int  # mood that it sets; 0: none
    items: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """Alternatives of one symbol under one mood, with probabilities that sum to 1."""

    alternatives: tuple[Alternative, ...]
    probabilities: tuple[float, ...]

    @cached_property
    def cumulative(self) -> tuple[float, ...]:
        """Upper ends of the alternatives' intervals on [0, 1], except the last one's."""
        return tuple(accumulate(self.probabilities[:-1]))


@dataclass(frozen=True)
class Moments:
    """Exact expectations over the texts of a symbol, given the initial mood."""

    entropy: float  # nats
    length: float  # words
    mood: tuple[float, float, float]  # probability of ending in each of MOODS


class Grammar:
    """Set of rules with exact probabilities; see the module docstring for the notation.

    Raises `ValueError` naming the symbol if it is undefined, contains itself, or has two
    alternatives that can start with the same word.
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
        """Alternatives of `symbol`, with its argument substituted."""
        if symbol not in self._alternatives:
            name, _, argument = symbol.partition(":")
            key = f"{name}:*" if argument else name
            if key not in self._templates:
                raise ValueError(f"the grammar has no rule for <{symbol}>")
            texts = self._templates[key].replace("*", argument).split("|")
            self._alternatives[symbol] = tuple(_alternative(text) for text in texts)
        return self._alternatives[symbol]

    def terminals(self) -> list[str]:
        """Distinct words and slots of the rules."""
        items = (i for a in self._alternatives.values() for x in a for i in x.items)
        return list(dict.fromkeys(item for item in items if not _is_symbol(item)))

    def first(self, symbol: str) -> tuple[str, ...]:
        """First words and slots of the texts of `symbol`, with one entry per alternative."""
        if symbol not in self._firsts:
            begins = (word for a in self.alternatives(symbol) for word in self._begins(a))
            self._firsts[symbol] = tuple(begins)
        return self._firsts[symbol]

    def moments(self, symbol: str, mood: int = 0) -> Moments:
        """Exact entropy (nats), expected length (words) and final mood for `symbol`."""
        key = (symbol, mood)
        if key not in self._moments:
            self._moments[key] = self._expected(self._choice(symbol, mood), mood)
        return self._moments[key]

    def sample(
        self, symbol: str, slots: Mapping[str, str], generator: np.random.Generator
    ) -> tuple[list[str], float]:
        """Sample the words of a text, with slots filled in, and its log-probability in nats."""
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
        """Log-probability (nats) of `words`; minus infinity if `symbol` cannot produce them.

        Parses left to right with one word of look-ahead, in time linear in the number of words.
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
            # LL(1): at most one alternative can start with this word.
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
        """Moments of a sequence of items; each starts in the final mood of the one before."""
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
            raise ValueError(f"two alternatives of <{symbol}> start with {twice[0]!r}")


def _is_symbol(item: str) -> bool:
    return item[0] == "<"


def _rule(line: str) -> tuple[str, str]:
    """Split `again:*: . | and * .` into its name `again:*` and its body."""
    name, separator, body = line.strip().partition(": ")
    if not separator:
        raise ValueError(f"a rule has the form 'symbol: alternatives', got {line.strip()!r}")
    return name, body


def _alternative(text: str) -> Alternative:
    match = _ALTERNATIVE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"an alternative must not be empty, got {text!r}")
    items = tuple(part for item in match["items"].split() for part in _expand(item))
    mood = {"+": 1, "-": -1, None: 0}[match["mood"]]
    return Alternative(float(match["weight"] or 1), mood, items)


def _expand(item: str) -> tuple[str, ...]:
    """Expand `glad~again` to `glad <again:glad>`."""
    word, tilde, rule = item.partition("~")
    return (word, f"<{rule}:{word}>") if tilde else (word,)
