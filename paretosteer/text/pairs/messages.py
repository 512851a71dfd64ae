"""Texts and chat messages as data sets store them: TRL, ShareGPT, content parts, JSON strings."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from paretosteer.text.dialogue import Dialogue, Role, Turn, parse_transcript
from paretosteer.text.pairs.json_numbers import decoder
from paretosteer.text.pairs.pair import LeftOut

_JSON = decoder()
_ROLES: dict[str, Role] = {
    **{"system": "system", "developer": "system"},
    **{"user": "user", "human": "user"},
    **{"assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "model": "assistant"},
}

_HELPSTEER = re.compile(r"\n?<extra_id_1>(User|Assistant)\n")
# Columns beside the texts, and keys beside the content of a message, that a model would read.
_MEDIA = ("image", "images", "video", "videos", "audio", "audios", "tools")
_REASONING = ("reasoning_content", "reasoning", "thinking")


def check_text_only(row: Mapping[str, Any]) -> None:
    """Raise ValueError if a row has pictures, sounds or tools beside its texts."""
    for name in _MEDIA:
        if decoded(row.get(name)):
            raise ValueError(
                f"{name} is content other than text, which is not supported; to ignore it, set "
                f"columns: {{unused: {name}}}"
            )


def decoded(value: Any) -> Any:
    """Value of a cell, parsed if it is a list or an object written as JSON or by Python."""
    if isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        for parse in (_JSON.decode, ast.literal_eval):
            try:
                return parse(value.strip())
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    # Some tables hold a list of messages as one list per key.
    if isinstance(value, Mapping) and value and all(isinstance(v, list) for v in value.values()):
        if len(set(map(len, value.values()))) > 1:
            raise ValueError(f"{', '.join(value)} are lists of different lengths")
        return [dict(zip(value, row, strict=True)) for row in zip(*value.values(), strict=True)]
    return value


def text(value: Any, name: str) -> str:
    """Text of a cell; numbers are text, and nothing at all is empty."""
    if value is None or value != value:  # a missing number is NaN in some tables
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        kind = type(value).__name__
        raise ValueError(f"{name} is {kind}, expected text or chat messages")
    written = str(value)
    if written in ("inf", "-inf"):
        raise ValueError(f"{name} is {value}, expected text or chat messages")
    return written


def messages(value: Any, name: str) -> Dialogue | None:
    """Turns of a message or a list of messages; None for anything else, which is text.

    Raises
    ------
    ValueError
        If a message has an unknown role, or a content that is not text.

    """
    parsed = decoded(value)
    items = [parsed] if isinstance(parsed, Mapping) else parsed
    if isinstance(value, str) and not (isinstance(items, list) and items and all(map(_is, items))):
        if value.lstrip().startswith(("[{", "{")) and _keys(value):
            raise ValueError(f"{name} looks like chat messages, but is not JSON; fix it")
        return None
    if not isinstance(items, list):
        return None
    if not all(isinstance(item, Mapping) for item in items):
        raise ValueError(f"{name} is list, expected text or chat messages")
    return tuple(_turn(item, name) for item in items)


def dialogue(value: Any, name: str) -> Dialogue:
    """Turns of chat messages, of a transcript, or of a single question."""
    turns = messages(value, name)
    return _parsed(text(value, name)) if turns is None else turns


def _parsed(written: str) -> Dialogue:
    """Turns of a text: a transcript, a single question, or HelpSteer's dialogue."""
    first, *rest = _HELPSTEER.split(written)  # the first turn is the user's, and has no mark
    if not rest:
        return parse_transcript(written)
    names, texts = ("User", *rest[::2]), (first, *rest[1::2])
    turns = zip(names, texts, strict=True)
    return tuple(Turn(_ROLES[role.casefold()], said.strip()) for role, said in turns)


def _is(item: Any) -> bool:
    return isinstance(item, Mapping) and ({"role", "from"} & set(item) != set())


def _keys(value: str) -> bool:
    return any(f"{q}{key}{q}:" in value for q in "\"'" for key in ("role", "from"))


def _turn(message: Mapping[str, Any], name: str) -> Turn:
    role = message.get("role", message.get("from"))
    key = str(role).casefold()
    content = message.get("content", message.get("value"))
    if key in ("tool", "function", "observation", "function_call") or message.get("tool_calls"):
        raise ValueError(f"{name} has a message of a tool, which is not supported")
    if beside := next((other for other in _REASONING if message.get(other)), None):
        raise ValueError(f"{name} has a message with {beside!r} beside its content, not supported")
    if key not in _ROLES:
        raise ValueError(f"{name} has a message of role {role!r}, expected {', '.join(_ROLES)}")
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, Mapping) else part for part in content]
        written = [part for part in parts if isinstance(part, str)]
        if len(written) < len(parts):
            raise ValueError(f"{name} has a message whose content is not only text")
        content = "".join(written)
    if content is None:
        raise LeftOut("empty")
    try:
        return Turn(_ROLES[key], text(content, name).strip())
    except ValueError:
        kind = type(content).__name__
        raise ValueError(f"{name} has a message whose content is {kind}, expected text") from None
