"""The trained tokenizer: any text survives it, and the same texts give the same tokens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import dialogues
from transformers import AutoTokenizer

from paretosteer.text.scratch.byte_pair import BOS, END, learn_tokenizer

TEXTS = [prompt + " " + answer for prompt, answer in dialogues(60, 0)]


@pytest.fixture(scope="module")
def tokenizer():
    return learn_tokenizer(TEXTS, 320, 64)


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_survives(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text


def test_a_folder_gives_the_same_tokenizer(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    texts = [*TEXTS, "  ünseen \n\n\t words 2024! 😀"]
    assert loaded(texts)["input_ids"] == tokenizer(texts)["input_ids"]
    assert loaded.decode(loaded(texts[-1])["input_ids"], skip_special_tokens=True) == texts[-1]
    assert (loaded.padding_side, loaded.model_max_length) == ("left", 64)


def test_texts_start_with_bos_and_do_not_end(tokenizer):
    ids = tokenizer("maps")["input_ids"]
    assert ids[0] == tokenizer.convert_tokens_to_ids(BOS)
    assert tokenizer.convert_tokens_to_ids(END) not in ids


def test_names_of_speakers_and_frequent_words_are_one_token(tokenizer):
    marks = tokenizer.convert_tokens_to_ids(tokenizer.tokenize("\n\nHuman:\n\nAssistant:"))
    assert [tokenizer.decode([mark]) for mark in marks] == ["\n\nHuman:", "\n\nAssistant:"]
    assert len(tokenizer.tokenize(" about")) == 1


def test_a_prompt_ends_where_its_answer_begins(tokenizer):
    whole = tokenizer(TEXTS[0], add_special_tokens=False)["input_ids"]
    prompt, answer = TEXTS[0].split("Assistant:")
    parts = [tokenizer(t, add_special_tokens=False) for t in (prompt + "Assistant:", answer)]
    assert whole == parts[0]["input_ids"] + parts[1]["input_ids"]


@pytest.mark.parametrize(("asked", "most"), [(280, 280), (100_000, 1000), (10, 259)])
def test_the_vocabulary_is_as_large_as_asked_or_as_the_texts_allow(asked, most):
    assert len(learn_tokenizer(TEXTS, asked, 64)) <= most


def test_the_same_texts_give_the_same_tokens(tokenizer):
    again = learn_tokenizer(TEXTS, 320, 64)
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
