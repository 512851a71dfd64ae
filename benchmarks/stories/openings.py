"""Openings of stories, written for this benchmark.

Every template is crossed with names, kinds and places. The openings are shuffled into a fixed
order and cut into disjoint splits, so every test prompt is an unseen combination.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import product

PROMPTS_VERSION = "1"

SPLIT_SIZES = {"test": 100, "calibration": 64, "validation": 48}  # `train` has the rest

GIRLS = ("Lily", "Mia", "Anna", "Lucy", "Sara", "Emma", "Daisy", "Rosie", "Molly", "Amy")
BOYS = ("Tom", "Ben", "Max", "Tim", "Sam", "Jack", "Leo", "Billy", "Finn", "Oscar")
KINDS = ("child", "rabbit", "bear", "cat")


@dataclass(frozen=True)
class Template:
    """Pattern of an opening."""

    text: str
    places: tuple[str, ...]
    then: str  # grammar symbol that continues the opening


TEMPLATES = (
    Template(
        "Once upon a time, there was a little {kind} named {name}. {They} lived {place}. One day,",
        ("near the forest", "in a small house", "by the sea", "on a farm", "in a big town"),
        "after_comma",
    ),
    Template(
        "Once upon a time, a young {kind} named {name} lived with {their} mom and dad {place}. "
        "One morning, {they}",
        ("near the river", "in the forest", "on a green hill", "in a quiet village", "by a lake"),
        "after_subject",
    ),
    Template(
        "{name} was a small {kind}. {They} went for a walk {place} every day. One day, {they}",
        ("in the park", "by the lake", "in the forest", "near the school", "on the hill"),
        "after_subject",
    ),
    Template(
        "There was once a {kind} called {name} who lived {place}. It was a new day.",
        ("on a hill", "near a lake", "in a tall tree", "by the road", "in an old house"),
        "after_stop",
    ),
    Template(
        "{name} the {kind} woke up early and looked outside. {They} wanted to go {place}.",
        ("to the park", "to the beach", "to the farm", "to the shop", "to the river"),
        "after_stop",
    ),
    Template(
        "It was morning {place}, and a little {kind} called {name} was awake. Then",
        ("in the village", "on the farm", "by the sea", "in the garden", "at the school"),
        "after_comma",
    ),
)


@dataclass(frozen=True)
class Prompt:
    """An opening with its main character."""

    id: str
    text: str
    name: str
    girl: bool
    then: str  # grammar symbol that continues the opening

    @property
    def slots(self) -> dict[str, str]:
        """Words for the slots of the grammar: name and pronouns of the main character."""
        return {"{name}": self.name, **_pronouns(self.girl)}


@cache
def splits() -> dict[str, tuple[Prompt, ...]]:
    """Prompts of every split: `SPLIT_SIZES` in the shuffled order, then `train`."""
    openings = [
        (template, name, kind, place)
        for template, name, kind in product(TEMPLATES, GIRLS + BOYS, KINDS)
        for place in template.places
    ]
    openings.sort(key=lambda opening: _shuffled(*opening))
    by_split, start = {}, 0
    for split, size in (*SPLIT_SIZES.items(), ("train", len(openings))):
        by_split[split] = tuple(
            _prompt(f"{split}-{number:03d}", *opening)
            for number, opening in enumerate(openings[start : start + size])
        )
        start += size
    return by_split


def prompts(split: str) -> tuple[Prompt, ...]:
    """Prompts of one split in a fixed order; raise `ValueError` if the split does not exist."""
    if split not in splits():
        raise ValueError(f"split must be one of {', '.join(splits())}, got {split!r}")
    return splits()[split]


def _pronouns(girl: bool) -> dict[str, str]:
    they, them, their = ("she", "her", "her") if girl else ("he", "him", "his")
    return {
        "{they}": they,
        "{They}": they.capitalize(),
        "{them}": them,
        "{their}": their,
        "{Their}": their.capitalize(),
    }


def _shuffled(template: Template, name: str, kind: str, place: str) -> bytes:
    """Sort key for a fixed shuffle that does not depend on any random generator."""
    return sha256(f"{PROMPTS_VERSION}|{template.text}|{name}|{kind}|{place}".encode()).digest()


def _prompt(number: str, template: Template, name: str, kind: str, place: str) -> Prompt:
    girl = name in GIRLS
    if kind == "child":
        kind = "girl" if girl else "boy"
    fill = {"{name}": name, "{kind}": kind, "{place}": place, **_pronouns(girl)}
    text = template.text
    for slot, word in fill.items():
        text = text.replace(slot, word)
    return Prompt(number, text, name, girl, template.then)
