"""Prompts that fit the model: what is cut, from which side, and that it is counted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from paretosteer.benchmarks.preferences.prompts import balanced, pairs_by_part
from paretosteer.benchmarks.preferences.rendering import Reader
from paretosteer.errors import UsageError
from paretosteer.text.dialogue import Turn, of_messages, parse_transcript
from paretosteer.text.pairs import Pair, PairSet, split_of


def byte_tokenizer():
    """A token per byte."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({mark: i for i, mark in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


BYTES = byte_tokenizer()


def dialogue(*texts, system=None):
    roles = ("user", "assistant")
    turns = [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]
    return of_messages(([{"role": "system", "content": system}] if system else []) + turns)


def reader(room, side="left", template=None):
    return Reader(BYTES, room, template, side)


def test_what_fits_is_left_alone():
    whole = dialogue("one", "two", "three")
    found = (reading := reader(200)).prompt(whole)
    assert parse_transcript(found.text) == found.dialogue == whole
    assert found.id == Pair(whole, "a", "b").key
    assert not reading.cut


def test_the_oldest_turns_go_first_and_the_user_speaks_first():
    whole = dialogue("first " * 9, "answer", "second", "answer", "third", system="Be kind.")
    found = (reading := reader(100)).prompt(whole)
    assert parse_transcript(found.text) == (whole[0], *whole[3:])
    assert found.dialogue == whole  # reward models judge an answer to all that was said
    assert reading.cut == {found.id}


@pytest.mark.parametrize(("side", "kept"), [("left", "words"), ("right", "First")])
def test_a_turn_too_long_alone_loses_the_end_that_is_named(side, kept):
    found = reader(60, side).prompt(dialogue("old", "said", "First " + "many " * 50 + "words"))
    (turn,) = parse_transcript(found.text)
    assert kept in turn.text
    assert 55 <= len(found.text.encode()) <= 60  # no more than needed; blanks at the ends go too


words = st.text(st.sampled_from("ab é\n"), max_size=60).map(str.strip)


@given(st.lists(words, min_size=1, max_size=5).filter(lambda t: len(t) % 2), st.integers(40, 120))
@settings(deadline=None)
def test_every_prompt_fits_and_ends_with_the_last_question(texts, room):
    whole = dialogue(*texts)
    found = reader(room).prompt(whole)
    assert len(BYTES(found.text)["input_ids"]) <= room
    (*_, last) = parse_transcript(found.text)
    assert last.role == "user" and whole[-1].text.endswith(last.text)


def test_no_room_for_anything_is_refused():
    with pytest.raises(
        UsageError, match=r"^benchmark\.max_prompt_tokens: 10 tokens are not enough"
    ):
        reader(10).prompt(dialogue("a question"))


def pair_set(name, prompts):
    pairs = tuple(Pair((Turn("user", text),), "yes", "no") for text in prompts)
    return PairSet(name, "somewhere", pairs, {"read": len(pairs)})


def test_objectives_take_turns_and_no_prompt_comes_twice():
    one, two = pair_set("a", ["1", "2", "x", "3"]), pair_set("b", ["x", "4"])
    found = balanced({"a": one.pairs, "b": two.pairs})
    assert [prompt[0].text for prompt in found] == ["1", "x", "2", "4", "3"]


def test_half_of_the_training_prompts_are_the_judge_s_alone():
    every = pair_set("a", [f"prompt {i}" for i in range(2000)])
    alone, shared = pairs_by_part(every, judge=True), pairs_by_part(every, judge=False)
    train = {pair.key for pair in alone["train"]}
    judged = {pair.key for pair in alone["judge"]}
    assert train.isdisjoint(judged)
    assert train | judged == {pair.key for pair in shared["train"]}
    assert abs(len(train) - len(judged)) < 4 * len(shared["train"]) ** 0.5
    assert "judge" not in shared
    for split in ("calibration", "validation", "test"):
        assert alone[split] == shared[split]
        assert {split_of(pair.key) for pair in alone[split]} == {split}
