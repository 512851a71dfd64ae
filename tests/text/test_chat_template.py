"""Chat templates that refuse, fail on, or leave out parts of a dialogue."""

import random
from collections import Counter
from datetime import datetime, timedelta

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from paretosteer.text.chat_template import RefusedDialogueError, reasons
from paretosteer.text.dialogue import Turn, render

ASK = (Turn("user", "Is it user?"),)
TWICE = (Turn("user", "One."), Turn("user", "Two."))
SYSTEM = (Turn("system", "Be kind."), *ASK)
TALK = (*ASK, Turn("assistant", "<think>no</think> Yes."), Turn("user", "Why?"))

ALL = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"
ALTERNATES = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate!') }}{% endif %}{{ m.content }}{% endfor %}"
)
DROPS_SYSTEM = "{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}"
LAST_ONLY = "<user>{{ messages[-1].content }}<assistant>"
NO_THOUGHTS = "{% for m in messages %}{{ m.content.split('</think>')[-1] }}{% endfor %}"
ADDRESS = ALL + "{{ strftime_now }}"  # without a call
PARTS = "{% for m in messages %}{{ m.content[0].text }}{% endfor %}"
CALLS = "{{ messages[0].content[0].text.strip() }}"
ADDS = "{{ 1 + messages[0].content }}"
NOT_JINJA = "{% for m in messages %}"
UNSAFE = "{{ messages.__class__.__mro__[1].__subclasses__() }}"


def tokenizer(template):
    words = Tokenizer(WordLevel({"[unk]": 0}, unk_token="[unk]"))
    made = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[unk]")
    made.chat_template = template
    return made


@pytest.mark.parametrize(
    ("template", "dialogue", "reason"),
    [
        (ALTERNATES, TWICE, "Roles must alternate!"),
        (ALTERNATES, SYSTEM, "Roles must alternate!"),
        (DROPS_SYSTEM, SYSTEM, "leaves out a turn of role system"),
        (LAST_ONLY, TALK, "leaves out a turn of role user"),
        (NO_THOUGHTS, TALK, "changes the text of a turn of role assistant"),
        (ADDRESS, ASK, "writes an address in memory"),
        (PARTS, ASK, "leaves out a turn of role user"),
        (CALLS, ASK, "UndefinedError"),
        (ADDS, ASK, "TypeError"),
        (NOT_JINJA, ASK, "TemplateSyntaxError"),
        (UNSAFE, ASK, "SecurityError"),
    ],
)
def test_a_dialogue_that_is_not_rendered_whole_is_refused(template, dialogue, reason):
    with pytest.raises(RefusedDialogueError, match=reason) as error:
        render(dialogue, tokenizer(template))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dialogue", [ASK, TWICE, SYSTEM, TALK])
def test_a_dialogue_that_is_rendered_whole_is_not(dialogue):
    text = render(dialogue, tokenizer(ALL))
    assert all(turn.text in text for turn in dialogue)


def test_each_dialogue_is_judged_by_itself():
    made = tokenizer(ALTERNATES)
    assert render(ASK, made) == "Is it user?"
    with pytest.raises(RefusedDialogueError):
        render(TWICE, made)
    made.chat_template = ALL
    assert "Two." in render(TWICE, made)


def test_reasons_are_counted_and_few():
    counted = Counter({"a": 5, "b": 3, "c": 2, "d": 1, "e": 1})
    assert reasons(counted) == "5 because a, 3 because b, 2 because c, 2 for other reasons"


CLOCK = "{{ strftime_now('%d %b %Y') }}|{% for m in messages %}{{ m.content }}{% endfor %}"
DICE = "{{ range(10**5) | random }}|{% for m in messages %}{{ m.content }}{% endfor %}"
FILLER = "{{ lipsum(n=1) }}|{% for m in messages %}{{ m.content }}{% endfor %}"


@pytest.mark.parametrize("template", [CLOCK, DICE, FILLER])
def test_templates_see_neither_clock_nor_chance(template, monkeypatch):
    from transformers.utils import chat_template_utils

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=1)

    state = random.getstate()
    first = render(ASK, tokenizer(template))
    assert random.getstate() == state and chat_template_utils.datetime is datetime
    random.random()
    monkeypatch.setattr(chat_template_utils, "datetime", Tomorrow)
    assert render(ASK, tokenizer(template)) == first
    if template == CLOCK:
        assert first.startswith("01 Jan 2025|")
