"""Dialogues and their renderings: transcripts, chat messages and templates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

from paretosteer.text.chat_template import RefusedDialogueError, has_template, render_chat
from paretosteer.text.special_tokens import PROBE, tokens_before

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = get_args(Role)

# Transcripts of HH-RLHF (Bai et al., arXiv 2204.05862) name the speaker after a blank line.
_NAMES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}
_SPEAKERS: dict[Role, str] = {role: name for name, role in _NAMES.items()}
_MARK = re.compile(r"(?:^|\n\n)(Human|Assistant):")
_CUE = "\n\nAssistant:"


@dataclass(frozen=True)
class Turn:
    """One speaker's message."""

    role: Role
    text: str


Dialogue = tuple[Turn, ...]


def transcript(dialogue: Dialogue) -> str:
    r"""Dialogue in the format of HH-RLHF, `\n\nHuman: …\n\nAssistant:`, ready for an answer.

    A system turn comes first, without a speaker's name.
    """
    return "".join(map(_written, dialogue)) + _CUE


def parse_transcript(text: str) -> Dialogue:
    """Turns of a transcript, stripped of surrounding whitespace; the inverse of `transcript`.

    A trailing `Assistant:` without an answer is dropped. A text without speakers is one user turn.
    """
    before, *parts = _MARK.split(text)  # parts alternate between names and texts
    if not parts:
        return (Turn("user", text.strip()),)
    turns = [Turn("system", before.strip())] if before.strip() else []
    names, texts = parts[::2], parts[1::2]
    turns += [Turn(_NAMES[n], t.strip()) for n, t in zip(names, texts, strict=True)]
    if turns[-1] == Turn("assistant", ""):
        turns.pop()
    return tuple(turns)


def of_messages(messages: Iterable[Mapping[str, Any]]) -> Dialogue:
    """Turns of chat messages `{"role": …, "content": …}`.

    Raises
    ------
    ValueError
        If a message has an unknown role, or a content that is not a string.

    """
    turns = []
    for message in messages:
        role, text = message.get("role"), message.get("content")
        if role not in ROLES:
            raise ValueError(f"a message of role {role!r}, expected {', '.join(ROLES)}")
        if not isinstance(text, str):
            raise ValueError(f"a message whose content is {type(text).__name__}, expected text")
        turns.append(Turn(role, text.strip()))
    return tuple(turns)


def messages_of(dialogue: Dialogue) -> list[dict[str, str]]:
    """Chat messages of the turns; the inverse of `of_messages`."""
    return [{"role": turn.role, "content": turn.text} for turn in dialogue]


def render(dialogue: Dialogue, tokenizer: Any, template: str | None = None) -> str:
    """Text of a dialogue, ending where the model's answer begins.

    Uses the tokenizer's chat template if it has one, otherwise `template`, otherwise the
    transcript. In `template`, `{prompt}` stands for the dialogue, or for the bare text of a single
    turn.

    Raises
    ------
    RefusedDialogueError
        If the chat template does not render the dialogue, or not all of it.

    """
    if has_template(tokenizer):
        text = render_chat(messages_of(dialogue), tokenizer, True)
        return text.removeprefix(_removed(tokenizer))
    if template is None:
        return transcript(dialogue)
    single = dialogue[0].text if len(dialogue) == 1 else None
    return template.replace("{prompt}", single or transcript(dialogue).removesuffix(_CUE).strip())


def _written(turn: Turn) -> str:
    return turn.text if turn.role == "system" else f"\n\n{_SPEAKERS[turn.role]}: {turn.text}"


def writes_own_tokens(tokenizer: Any) -> bool:
    """True unless a chat template begins its texts with the tokens that the tokenizer adds."""
    try:
        text = render_chat([{"role": "user", "content": PROBE}], tokenizer, True)
    except RefusedDialogueError:
        return False
    return not text.startswith(_written_before(tokenizer))


@lru_cache(maxsize=8)
def _removed(tokenizer: Any) -> str:
    return _written_before(tokenizer)


def _written_before(tokenizer: Any) -> str:
    """Special tokens that the tokenizer adds before every text, as a chat template writes them."""
    return "".join(tokenizer.convert_ids_to_tokens(tokens_before(tokenizer)))
