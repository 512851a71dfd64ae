"""Prompts that do not fit: cut from the side that the task states, and counted."""

import pytest
from tokenizers_made import SENTENCES, like_gpt2, like_llama2, like_t5

from paretosteer.errors import UsageError
from paretosteer.text.truncate import RESERVED, Fitter, may_exceed

POST = " ".join(SENTENCES[:3])
TEMPLATE = "Say it: {} Reply:"
WORDS = POST.split()


@pytest.mark.parametrize("make", [like_t5, like_llama2, like_gpt2])
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_stated_side_is_cut_and_the_template_is_not(make, side):
    tokenizer = make()
    fitter = Fitter(tokenizer, 40, side)
    prompt = fitter.fit(POST, TEMPLATE.format)
    assert len(tokenizer(prompt).input_ids) <= 40
    assert prompt.startswith("Say it: ") and prompt.endswith(" Reply:")
    kept = prompt.removeprefix("Say it: ").removesuffix(" Reply:")
    assert POST.endswith(kept) if side == "left" else POST.startswith(kept)
    one_more = len(kept) + 1
    longer = POST[-one_more:] if side == "left" else POST[:one_more]
    assert len(tokenizer(TEMPLATE.format(longer)).input_ids) > 40  # no more than had to go


def test_what_fits_stays_as_it_is_and_counts_are_told():
    fitter = Fitter(like_gpt2(), 30, "right")
    assert fitter.fit("One day,") == "One day,"
    assert fitter.notes == []
    fitter.fit(POST)
    assert (fitter.seen, fitter.cut) == (2, 1)
    assert fitter.notes == [
        "1 of 2 prompts exceed the 30 tokens available for a prompt and lost their end."
    ]
    assert "beginning" in _cut("left").notes[0]


def _cut(side) -> Fitter:
    fitter = Fitter(like_gpt2(), 30, side)
    fitter.fit(POST)
    return fitter


def test_a_template_that_leaves_no_room():
    fitter = Fitter(like_t5(), 5, "left")
    with pytest.raises(UsageError, match=r"5 tokens are left for a prompt.*template alone needs"):
        fitter.fit(POST, TEMPLATE.format)


def test_room_is_kept_for_what_methods_put_before(llama, t5):
    assert Fitter.of(llama, 40, "left").room == 128 - 40 - RESERVED
    assert Fitter.of(t5, 40, "right").room == 256 - RESERVED


@pytest.mark.parametrize("make", [like_t5, like_llama2, like_gpt2])
def test_short_texts_are_never_taken_for_fitting_when_they_do_not(make):
    tokenizer = make()
    for text in ("Tom", "日本語のテキスト", "naïve ½ 🙂🙂", "", "  \n\n  "):
        length = len(tokenizer(text).input_ids)
        assert may_exceed(tokenizer, text, length - 1)
