"""Texts that are already written in a model's template, which would be put into another one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from paretosteer.text.dialogue import Dialogue
from paretosteer.text.pairs.pair import Pair

# Marks of templates: ChatML, Llama 2 to 4, Gemma, Phi, Zephyr and NeMo.
_MARK = re.compile(
    r"<\|(im_start|im_end|start_header_id|end_header_id|eot_id|eot|header_start|header_end"
    r"|user|assistant|system|end|endoftext|end_of_text)\|>"
    r"|\[/?INST\]|<</?SYS>>|<(start|end)_of_turn>|<extra_id_\d>|</s>\s*\Z"
)
# Where an answer begins: `Assistant:`, `### Response:`, and `A:` after `H:`.
_CUE = re.compile(r"((\A|\W|\\n)(assistant|###\s*response)\s*:|\A\s*H:.*\n\s*A:)\s*\Z", re.I | re.S)
# Lines of both speakers of a dialogue, which would be read as one question.
_ASKS = re.compile(r"^\s*(human|user|prompter)\s*:", re.I | re.M)
_ANSWERS = re.compile(r"^\s*(assistant|chatgpt|gpt|bot|ai|system)\s*:", re.I | re.M)
_SHOWN = 30  # characters


def rendered_texts(pairs: Iterable[Pair]) -> list[str]:
    """One mark, with the text around it, for every pair whose prompt or answers have one."""
    return [found for pair in pairs if (found := _mark(pair)) is not None]


def rendered_prompt(prompt: Dialogue) -> str | None:
    """One mark of a prompt, with the text around it, if it has one."""
    return _first(_in_prompt(prompt))


def _mark(pair: Pair) -> str | None:
    sides = pair.chosen, pair.rejected
    marks = (_MARK.search(text) for text in sides)
    answers = (_ANSWERS.match(text) for text in sides)
    return _first([*_in_prompt(pair.prompt), *marks, *answers])


def _in_prompt(prompt: Dialogue) -> list[re.Match[str] | None]:
    turns = [turn.text for turn in prompt]
    asks, answers = (marked.search(turns[-1]) for marked in (_ASKS, _ANSWERS))
    return [*map(_MARK.search, turns), _CUE.search(turns[-1]), asks and answers]


def _first(found: Iterable[re.Match[str] | None]) -> str | None:
    """The first match, with the text before it."""
    for match in filter(None, found):
        return match.string[max(0, match.end() - _SHOWN) : match.end()]
    return None
