"""Texts that are already written in a model's template, which would be put into another one."""

from __future__ import annotations

import re
from collections.abc import Iterable

from paretosteer.text.dialogue import Dialogue
from paretosteer.text.pairs.pair import Pair

# Tokens of templates: `<|…|>` of most models, `<｜…｜>` of DeepSeek, and those in other brackets of
# Llama 2, Mistral, Gemma, NeMo and GLM; tokens that begin or end a text, where they do.
_MARK = re.compile(
    r"<[|｜][^<>\s]{1,40}?[|｜]>"
    r"|\[/?(INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|gMASK)\]"
    r"|<</?SYS>>|</?(start|end)_of_turn>|<extra_id_\d>|<[se]op>|<eo[hmau]>"
    r"|\A\s*<(s|bos)>|</?(s|eos|eod|bos)>\s*\Z"
)
_GAP = r"[^\S\n]*"  # not `\s*`, which takes quadratic time on many empty lines
# Where an answer begins: the name of a model as the last line, `### Response:`, and the endings
# that belong to `H:` and `Instruct:`.
_MODEL = r"(assistant|chat\s?gpt|gpt|(chat)?bot|ai|claude)"
_RESPONSE = r"###\s*(response|answer|output|completion|assistant)\b"
_CUE = re.compile(
    rf"((\A|\W|\\n)(assistant\s*:|{_RESPONSE}\s*:?)|(\A|\n){_GAP}{_MODEL}{_GAP}:"
    rf"|\A\s*H\s*:.*\n{_GAP}A\s*:|\A\s*Instruct(ion)?\s*:.*\n{_GAP}(Output|Response)\s*:)\s*\Z",
    re.I | re.S,
)
_LABEL = re.compile(r"\A\s*(user|prompter)\s*:", re.I)
# Lines of both speakers of a dialogue, which would be read as one question.
_ASKS = re.compile(rf"^{_GAP}(human|user|prompter){_GAP}:", re.I | re.M)
_ANSWERS = re.compile(rf"^{_GAP}({_MODEL}|system){_GAP}:", re.I | re.M)
# An answer that begins with a template's mark, or after which a dialogue goes on.
_BEGINS = re.compile(rf"\A\s*(({_MODEL}|system)\s*:|{_RESPONSE})", re.I)
_FURTHER = re.compile(
    rf"\n{_GAP}(\n{_GAP}(human|user|prompter)|###{_GAP}(human|user|instruction|assistant)){_GAP}:",
    re.I,
)
_SHOWN = 30  # characters


def rendered_texts(pairs: Iterable[Pair]) -> list[str]:
    """One mark, with the text around it, for every pair whose prompt or answers have one."""
    return [found for pair in pairs if (found := _mark(pair)) is not None]


def rendered_prompt(prompt: Dialogue) -> str | None:
    """One mark of a prompt, with the text around it, if it has one."""
    return _first(_in_prompt(prompt))


def _mark(pair: Pair) -> str | None:
    sides = pair.chosen, pair.rejected
    found = (mark.search(text) for text in sides for mark in (_MARK, _BEGINS, _FURTHER))
    return _first([*_in_prompt(pair.prompt), *found, *map(_both_speak, sides)])


def _in_prompt(prompt: Dialogue) -> list[re.Match[str] | None]:
    turns = [turn.text for turn in prompt]
    last = turns[-1]
    return [*map(_MARK.search, turns), _LABEL.search(last), _CUE.search(last), _both_speak(last)]


def _both_speak(text: str) -> re.Match[str] | None:
    return _ASKS.search(text) and _ANSWERS.search(text)


def _first(found: Iterable[re.Match[str] | None]) -> str | None:
    """The first match, with the text before it."""
    for match in filter(None, found):
        return match.string[max(0, match.end() - _SHOWN) : match.end()]
    return None
