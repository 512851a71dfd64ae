"""The language: exact entropy, agreement with the opening, prompts and splits."""

import math
from hashlib import sha256
from itertools import pairwise

import numpy as np
import pytest

from paretosteer.benchmarks.stories.openings import PROMPTS_VERSION, Prompt, prompts, splits
from paretosteer.benchmarks.stories.story import (
    END,
    GRAMMAR,
    STORY_VERSION,
    Story,
    sample_story,
    story_entropy,
    vocabulary,
)
from paretosteer.benchmarks.stories.words import join_words, split_words

ALL = [prompt for split in splits().values() for prompt in split]


@pytest.fixture(scope="module")
def stories() -> list[Story]:
    generator = np.random.default_rng(0)
    return [sample_story(generator) for _ in range(4000)]


def test_exact_entropy_and_length_match_monte_carlo(stories: list[Story]) -> None:
    exact = story_entropy()
    for values, expected in (
        ([-story.log_probability for story in stories], exact.nats_per_story),
        ([float(len(story.words)) for story in stories], exact.words_per_story),
    ):
        error = np.std(values) / math.sqrt(len(values))
        assert abs(np.mean(values) - expected) < 4 * error
    assert exact.nats_per_word == exact.nats_per_story / exact.words_per_story


def continuation_log_probability(opening: Prompt, text: str) -> float:
    return GRAMMAR.log_probability(opening.then, opening.slots, [*split_words(text), END])


def test_the_text_alone_gives_the_sampled_probability(stories: list[Story]) -> None:
    openings = prompts("train")
    for story in stories[:40]:
        (opening,) = (o for o in openings if story.text.startswith(o.text + " "))
        continuation = story.text.removeprefix(opening.text)
        expected = continuation_log_probability(opening, continuation) - math.log(len(openings))
        assert story.log_probability == pytest.approx(expected, abs=1e-9)
        assert continuation_log_probability(opening, continuation + " Then") == -math.inf


@pytest.mark.parametrize("girl", [True, False])
def test_no_character_makes_the_grammar_ambiguous(girl: bool) -> None:
    slots = next(prompt for prompt in ALL if prompt.girl == girl).slots
    names = {prompt.name for prompt in ALL}
    for symbol in ("after_comma", "after_stop", "after_subject", *_inner_symbols()):
        first = [slots.get(word, word) for word in GRAMMAR.first(symbol)]
        assert len(first) == len(set(first)), symbol
        assert not names & set(GRAMMAR.first(symbol)), symbol


def _inner_symbols() -> list[str]:
    found, waiting = dict.fromkeys(["sentence"]), ["sentence", "clause", "more"]
    while waiting:
        for alternative in GRAMMAR.alternatives(waiting.pop()):
            for item in alternative.items:
                symbol = item[1:-1]
                if item.startswith("<") and symbol not in found:
                    found[symbol] = None
                    waiting.append(symbol)
    return list(found)


def test_no_opening_begins_another() -> None:
    texts = sorted(prompt.text for prompt in ALL)
    assert not any(longer.startswith(shorter) for shorter, longer in pairwise(texts))


def test_words_come_back_as_natural_text(stories: list[Story]) -> None:
    for story in stories[:200]:
        assert split_words(story.text) == story.words[:-1]
    for prompt in ALL:
        assert join_words(split_words(prompt.text)) == prompt.text
    assert join_words(split_words('"Hi!" said Tom. He has 12.')) == '"Hi!" said Tom. He has 12.'


def test_every_word_is_in_the_vocabulary(stories: list[Story]) -> None:
    words = set(vocabulary()) | {END}
    assert 250 <= len(words) <= 450
    assert all(words.issuperset(split_words(prompt.text)) for prompt in ALL)
    assert all(words.issuperset(story.words) for story in stories)


def test_stories_begin_with_train_openings_only(stories: list[Story]) -> None:
    held_out = tuple(
        prompt.text for name in ("calibration", "validation", "test") for prompt in prompts(name)
    )
    assert not any(story.text.startswith(held_out) for story in stories)


def test_splits_are_disjoint_and_fixed() -> None:
    sizes = {name: len(split) for name, split in splits().items()}
    assert sizes == {"test": 100, "calibration": 64, "validation": 48, "train": 2188}
    assert len({prompt.text for prompt in ALL}) == len({prompt.id for prompt in ALL}) == len(ALL)


def test_prompts_and_stories_change_only_with_their_versions() -> None:
    lines = "\n".join(f"{prompt.id} {prompt.then} {prompt.text}" for prompt in ALL)
    assert PROMPTS_VERSION == "1"
    assert sha256(lines.encode()).hexdigest()[:16] == "ca18af5c51770161"
    assert prompts("test")[17].id == "test-017"
    assert STORY_VERSION == "1"
    assert story_entropy().nats_per_story == pytest.approx(69.65707384140231, rel=1e-12)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match=r"split must be one of test, .*train, got 'dev'"):
        prompts("dev")
