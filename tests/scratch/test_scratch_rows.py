"""Texts as rows of tokens: truncation, labels and batches."""

from itertools import islice

import numpy as np
import pytest
from made_up import TURN, dialogues

from paretosteer.text.scratch.byte_pair import learn_tokenizer
from paretosteer.text.scratch.token_rows import answers_in_order, batches, encode_row, labelled
from paretosteer.text.scratch.train_language_model import IGNORED

TEXTS = dialogues(60, 0)


@pytest.fixture(scope="module")
def tokenizer():
    return learn_tokenizer([p + " " + a for p, a in TEXTS], 400, 64)


def text_of(tokenizer, row, part):
    return tokenizer.decode(row.ids[part], skip_special_tokens=True)


def test_a_text_that_fits_is_whole(tokenizer):
    prompt, answer = TEXTS[0]
    row = encode_row(tokenizer, prompt, answer, 64)
    assert not row.cut
    assert row.ids[0] == tokenizer.bos_token_id
    assert row.ids[-1] == tokenizer.eos_token_id
    assert text_of(tokenizer, row, slice(row.answer)) == prompt
    assert text_of(tokenizer, row, slice(row.answer, None)) == f" {answer}"
    assert row.bytes(tokenizer) == len(f" {answer}".encode())


def test_a_long_prompt_loses_its_first_turns(tokenizer):
    turns = [TURN.format(thing) for thing in ("maps", "lamps", "songs")]
    whole = " Yes.".join(turns)
    lengths = [
        len(encode_row(tokenizer, " Yes.".join(turns[i:]), "No.", 999).ids) for i in range(3)
    ]
    for room, kept in ((lengths[0], 0), (lengths[0] - 1, 1), (lengths[1] - 1, 2)):
        row = encode_row(tokenizer, whole, "No.", room)
        assert text_of(tokenizer, row, slice(row.answer)) == " Yes.".join(turns[kept:])
        assert row.cut == (kept > 0)
        assert len(row.ids) <= room


def test_a_long_turn_loses_its_first_tokens(tokenizer):
    prompt = TURN.format(" and ".join(["rivers"] * 40))
    row = encode_row(tokenizer, prompt, "No.", 32)
    assert len(row.ids) == 32
    assert row.cut
    assert prompt.endswith(text_of(tokenizer, row, slice(row.answer)))


def test_a_long_answer_loses_its_end_and_its_end_token(tokenizer):
    prompt, answer = TURN.format("maps"), " and ".join(["rivers"] * 99)
    row = encode_row(tokenizer, prompt, answer, 32)
    assert row.cut
    assert len(row.ids) <= 32
    assert len(row.ids) - row.answer == 24
    assert tokenizer.eos_token_id not in row.ids
    assert f" {answer}".startswith(text_of(tokenizer, row, slice(row.answer, None)))


@pytest.mark.parametrize("prompts", [True, False])
def test_labels_are_the_tokens_that_are_learnt(tokenizer, prompts):
    rows = [encode_row(tokenizer, *text, 64) for text in TEXTS[:5]]
    batch = labelled(rows, tokenizer.pad_token_id, prompts=prompts)
    for row, ids, labels in zip(rows, batch.ids.tolist(), batch.labels.tolist(), strict=True):
        first, length = (1 if prompts else row.answer), len(row.ids)
        assert tuple(ids[:length]) == row.ids
        assert tuple(labels[first:length]) == row.ids[first:]
        assert set(labels[:first] + labels[length:]) <= {IGNORED}
        assert set(ids[length:]) <= {tokenizer.pad_token_id}


def test_a_model_learns_to_end_where_the_user_goes_on(tokenizer):
    first, last = TURN.format("maps"), TURN.format("lamps")
    row = encode_row(tokenizer, f"{first} Yes.{last}", "No.", 128)
    labels = labelled([row], tokenizer.pad_token_id, prompts=True).labels[0].tolist()
    goes_on = len(tokenizer(f"{first} Yes.")["input_ids"])
    mark = len(tokenizer("\n\nHuman:", add_special_tokens=False)["input_ids"])
    assert labels[goes_on] == tokenizer.eos_token_id != row.ids[goes_on]
    for at, (label, token) in enumerate(zip(labels, row.ids, strict=True)):
        if not goes_on <= at < goes_on + mark and at > 0:
            assert label == token


def test_marks_of_several_tokens_are_not_learnt_in_part():
    """Too few texts to make one token of a speaker's name."""
    small = learn_tokenizer(["x"], 259, 64)
    first, last = TURN.format("maps"), TURN.format("lamps")
    row = encode_row(small, f"{first} Yes.{last}", "No.", 400)
    mark = small("\n\nHuman:", add_special_tokens=False)["input_ids"]
    assert len(mark) == 8
    goes_on = len(small(f"{first} Yes.")["input_ids"])
    assert row.labels[goes_on : goes_on + 8] == (small.eos_token_id, *[IGNORED] * 7)
    assert row.labels[1:9] == tuple(mark)


def test_batches_hold_every_row_once_a_round_within_their_size(tokenizer):
    rows = [encode_row(tokenizer, *text, 64) for text in dialogues(50, 3)]
    pad = tokenizer.pad_token_id
    once = list(answers_in_order(rows, 200, pad))
    assert sum(len(batch.ids) for batch in once) == 50
    drawn = batches(rows, 200, pad, np.random.default_rng(0), prompts=True)
    rounds: list[list[tuple[int, ...]]] = [[], []]
    for found in rounds:
        while len(found) < 50:
            batch = next(drawn)
            assert batch.ids.numel() <= 200
            found += [tuple(ids) for ids in batch.ids.tolist()]
    wanted = sorted(row.ids for row in rows)
    for found in rounds:
        assert sorted(tuple(i for i in ids if i != pad) for ids in found) == wanted
    assert rounds[0] != rounds[1]


def test_the_same_generator_gives_the_same_batches(tokenizer):
    rows = [encode_row(tokenizer, *text, 64) for text in TEXTS]
    a, b = (
        [x.ids.tolist() for x in islice(batches(rows, 200, 0, rng, prompts=True), 20)]
        for rng in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert a == b
