"""Made-up dialogues with something to learn: the answer repeats what was asked for."""

import numpy as np

THINGS = ("apples", "maps", "trains", "clouds", "lamps", "rivers", "songs", "stones")
TURN = "\n\nHuman: Tell me about {}.\n\nAssistant:"


def dialogues(count: int, seed: int) -> list[tuple[str, str]]:
    """Prompts of one turn, each with its answer."""
    drawn = np.random.default_rng(seed).choice(THINGS, size=(count, 2))
    return [(TURN.format(a), f"I like {a}, and so does {b}.") for a, b in drawn]


def lists(count: int, seed: int) -> list[tuple[str, str]]:
    """Prompts with answers of random words, from which nothing but their frequency is learnt."""
    drawn = np.random.default_rng(seed).choice(THINGS, size=(count, 6))
    return [(TURN.format(first), " ".join(rest)) for first, *rest in drawn]
