"""Prompt of a row: a question, a dialogue, or an instruction with its input."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from paretosteer.text.dialogue import Dialogue, Turn
from paretosteer.text.pairs.messages import decoded, dialogue, messages, text
from paretosteer.text.pairs.pair import LeftOut

PROMPTS = ("prompt", "question", "instruction", "conversations", "context", "history", "input")
SYSTEMS = ("system", "system_prompt", "system_message")
# Columns that hold the rest of a prompt where they hold text: what an instruction is about, say.
_PARTS = (
    *("query", "user_query", "user_input", "user_prompt", "user_message"),
    *("passage", "document", "article", "paragraph", "post", "background", "premise"),
)

# Texts of empty columns, as in Alpaca's files.
_NOTHING = ("", "-", "n/a", "none", "null", "nan", "<noinput>", "no input")
# Columns that may hold the whole dialogue beside a prompt that is its last question.
_WHOLE = ("messages", "conversation", "dialogue", "dialog", "chat_history", "context_messages")
# Columns that other data sets use for ours, for the remedy of an error.
_OTHERS = {
    "prompt": ("query", "user", "post", "messages", "conversation", "text", "source", "task"),
    "chosen": (
        *("preferred", "accepted", "better", "best", "positive", "pos", "good", "win", "winning"),
        *(
            "chosen_response",
            "response_chosen",
            "preferred_response",
            "winner_response",
            "answer_w",
        ),
    ),
    "rejected": (
        *("dispreferred", "other", "worse", "worst", "negative", "neg", "bad", "lose", "losing"),
        *("rejected_response", "response_rejected", "dispreferred_response", "loser_response"),
        *("answer_l", "unpreferred"),
    ),
}


def prompt_column(row: Mapping[str, Any]) -> str | None:
    """Name of the column that holds the prompt."""
    return next((name for name in PROMPTS if name in row), None)


def prompt_of(row: Mapping[str, Any]) -> Dialogue:
    """Turns of the prompt, with the system prompt and the earlier turns of other columns.

    Raises
    ------
    ValueError
        If no column is a prompt, or it cannot be read.

    """
    name = prompt_column(row)
    if name is None:
        raise no_prompt(row)
    value = row[name]
    if isinstance(inner := decoded(value), Mapping) and "full_text" in inner:
        value = inner["full_text"]  # WebGPT
    if name == "instruction" and (extra := text(row.get("input"), "input").strip()):
        value = f"{text(value, name).strip()}\n\n{extra}"  # Alpaca
    earlier = _history(row) if name == "instruction" else ()
    prompt = (*earlier, *dialogue(value, name))
    parts = [part for part in _PARTS if isinstance(row.get(part), str)]
    for other in (*PROMPTS, *parts):
        if other != name and not _within(row.get(other), other, prompt):
            raise _both(other, name)
    return with_system(row, prompt)


def check_asked(row: Mapping[str, Any], prompt: Dialogue) -> None:
    """Raise ValueError if another column holds a dialogue with more questions than the prompt."""
    asked = {" ".join(turn.text.split()) for turn in prompt}
    for name in _WHOLE:
        try:
            turns = messages(row.get(name), name) or ()
        except (LeftOut, ValueError):
            continue
        if any(t.role == "user" and " ".join(t.text.split()) not in asked for t in turns):
            raise _both(name, prompt_column(row) or "the sides")


def check_unread(row: Mapping[str, Any], read: Collection[str], prompt: Dialogue) -> None:
    """Raise ValueError if a column besides those `read` holds a part that the prompt lacks."""
    for name in (*PROMPTS, *SYSTEMS, *_PARTS, *_WHOLE):
        value = row.get(name)
        may_be_prompt = name in PROMPTS or isinstance(value, str | list)
        if name in read or not may_be_prompt or _is_nothing(value):
            continue
        if not _within(value, name, prompt):
            raise ValueError(
                f"{name} holds a part of the prompt that is not read; join it with the prompt, or "
                f"if it is none, set columns: {{unused: {name}}}"
            )


def _is_nothing(value: Any) -> bool:
    return not value or (isinstance(value, str) and value.strip().casefold() in _NOTHING)


def _both(other: str, name: str) -> ValueError:
    return ValueError(
        f"both {other} and {name} are given, and only one can be the prompt; join them in one "
        f"column, or rename the other with the setting columns: {{unused: {other}}}"
    )


def with_system(row: Mapping[str, Any], prompt: Dialogue) -> Dialogue:
    """Prompt after the system prompt of the row."""
    for name in SYSTEMS:
        said = text(row.get(name), name).strip()
        if said and prompt and prompt[0].role == "system" and prompt[0].text != said:
            raise ValueError(f"{name} differs from the system turn of the prompt; remove one")
        if said and not (prompt and prompt[0].role == "system"):
            return (Turn("system", said), *prompt)
    return prompt


def _within(value: Any, name: str, prompt: Dialogue) -> bool:
    """True if a prompt has every turn of another column that is not an answer."""
    whole = " ".join(" ".join(turn.text for turn in prompt).split())
    try:
        asked = [t.text for t in dialogue(value, name) if t.role != "assistant"] if value else []
    except LeftOut:
        return True
    except ValueError:
        return name == "history" and bool(prompt[1:])  # LLaMA-Factory's, which are part of it
    return all(" ".join(text.split()) in whole for text in asked)


def no_prompt(row: Mapping[str, Any]) -> ValueError:
    """Error for a row without a prompt, with the likely mapping."""
    columns = ", ".join(map(str, row))
    return ValueError(
        f"no column holds the prompt (the columns are {columns}); add {mapping(row, ['prompt'])}"
    )


def mapping(row: Mapping[str, Any], wanted: Sequence[str]) -> str:
    """Setting that maps likely columns of the row to the wanted ones; empty if it has them all."""
    names = {str(name).casefold(): str(name) for name in row}
    pairs = []
    for want in wanted:
        likely = PROMPTS if want == "prompt" else (want,)
        if not any(name in row for name in likely):
            given = next((names[other] for other in _OTHERS[want] if other in names), "COLUMN")
            pairs.append(f"{want}: {given}")
    return f"columns: {{{', '.join(pairs)}}}" if pairs else ""


def likely_prompt(row: Mapping[str, Any]) -> bool:
    """True if a column has a name that other data sets use for the prompt."""
    return any(str(name).casefold() in (*PROMPTS, *_OTHERS["prompt"]) for name in row)


def _history(row: Mapping[str, Any]) -> Dialogue:
    """Earlier turns as LLaMA-Factory's Alpaca files write them: pairs of question and answer."""
    turns: list[Turn] = []
    for item in decoded(row.get("history")) or ():
        if not isinstance(item, list | tuple) or len(item) != 2:
            raise ValueError("history is not a list of questions with their answers")
        question, answer = (text(part, "history").strip() for part in item)
        turns += [Turn("user", question), Turn("assistant", answer)]
    return tuple(turns)
