"""Chat templates: the text of a dialogue as a tokenizer renders it, or the reason why it cannot.

transformers renders templates in a sandbox. A template may still refuse a dialogue (roles that do
not alternate, a system turn), fail on it, or leave out some of its turns. In each case the dialogue
has no text: it is left out and counted, never read as something else.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from functools import lru_cache
from typing import Any

from paretosteer.errors import UsageError, first_line

_LONGEST = 120  # characters of a reason
_SHOWN = 3  # reasons
_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}>")  # in memory: a template forgot to call a function


class _Frozen(datetime):
    """The date that templates get, so that prompts are the same every day."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> _Frozen:
        return cls(2025, 1, 1, tzinfo=tz)


class RefusedDialogueError(ValueError):
    """A chat template does not render a dialogue; the message is the template's own."""


def has_template(tokenizer: Any) -> bool:
    """True if the tokenizer has a chat template."""
    return bool(getattr(tokenizer, "chat_template", None))


def render_chat(messages: Sequence[Mapping[str, str]], tokenizer: Any, ready: bool) -> str:
    """Text of chat messages; `ready` lets it end where an assistant's answer begins.

    Raises
    ------
    RefusedDialogueError
        If the template raises an error, or leaves out or changes the text of a turn.

    """
    text = _rendered(messages, tokenizer, ready)
    roles = tuple(message["role"] for message in messages)
    if dropped := _dropped_role(roles, tokenizer, ready, repr(tokenizer.chat_template)):
        raise RefusedDialogueError(f"it leaves out a turn of role {dropped}")
    if _ADDRESS.search(text) and not any(_ADDRESS.search(m["content"]) for m in messages):
        raise RefusedDialogueError("it writes an address in memory, which differs in every run")
    words = _one_line(text)
    for message in messages:
        if _one_line(message["content"]) not in words:
            raise RefusedDialogueError(f"it changes the text of a turn of role {message['role']}")
    return text


def around_answer(tokenizer: Any) -> tuple[str, str] | None:
    """Texts that a template writes before and after an answer; None where they are unknown.

    A template may write more before an answer than where one begins, such as an empty thought.
    That is unknown too, because a policy would have to write it.
    """
    question = {"role": "user", "content": "turn0q7x"}
    answer = {"role": "assistant", "content": "turn1q7x"}
    try:
        ready = _rendered([question], tokenizer, True)
        whole = _rendered([question, answer], tokenizer, False)
    except RefusedDialogueError:
        return None
    before, found, after = whole.partition(answer["content"])
    space = before.removeprefix(ready)
    return (space, after) if found and before.startswith(ready) and not space.strip() else None


def reasons(refused: Counter[str]) -> str:
    """Most frequent reasons with their counts, in one line."""
    shown = [f"{count} because {reason}" for reason, count in refused.most_common(_SHOWN)]
    others = refused.total() - sum(count for _, count in refused.most_common(_SHOWN))
    return ", ".join([*shown, *([f"{others} for other reasons"] if others else [])])


@lru_cache(maxsize=1024)
def _dropped_role(roles: tuple[str, ...], tokenizer: Any, ready: bool, template: str) -> str | None:
    """Role of a turn that the template leaves out; `template` is only part of the cache key."""
    # Words that no template contains: the text of a real turn may be a word of the template.
    words = [f"turn{index}q7x" for index in range(len(roles))]
    probe = [{"role": r, "content": w} for r, w in zip(roles, words, strict=True)]
    text = _rendered(probe, tokenizer, ready)
    return next((r for r, word in zip(roles, words, strict=True) if word not in text), None)


def _rendered(messages: Sequence[Mapping[str, str]], tokenizer: Any, ready: bool) -> str:
    try:
        with _repeatable():
            text: str = tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=ready
            )
    except ImportError as error:  # of jinja2: concerns no dialogue in particular
        raise UsageError(f"model.path: chat templates cannot be rendered: {error}") from None
    except Exception as error:  # templates raise their own errors, and any error of Python
        message = _one_line(first_line(error))
        if not isinstance(error, ValueError) and type(error).__name__ != "TemplateError":
            message = f"{type(error).__name__}: {message}"
        raise RefusedDialogueError(message.rstrip(".")[:_LONGEST]) from None
    return text


@contextmanager
def _repeatable() -> Iterator[None]:
    """Freeze the clock of templates, and seed Jinja's filter `random`."""
    from transformers.utils import chat_template_utils as clock

    date, state = clock.datetime, random.getstate()
    try:
        clock.datetime = _Frozen  # no argument of the call reaches `strftime_now`
        random.seed(0)
        yield
    finally:
        clock.datetime = date
        random.setstate(state)


def _one_line(text: str) -> str:
    return " ".join(text.split())
