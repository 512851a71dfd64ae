"""Input forms of published reward models: how prompt and answer become their input text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from paretosteer.text.chat_template import render_chat
from paretosteer.text.dialogue import Dialogue, Turn, messages_of, transcript
from paretosteer.text.special_tokens import special_texts

_CUE = "\n\nAssistant:"
_NAME = re.compile(r"\{(prompt|answer|bos)\}")


@dataclass(frozen=True)
class Form:
    """Format of a prompt and an answer as one text, or as a tokenizer's pair of texts."""

    text: str
    second: str | None
    truncation: str  # side to cut so that the answer survives
    prompt: Callable[[Dialogue], str]

    def texts(
        self, dialogue: Dialogue, answer: str, tokenizer: Any, template: str | None = None
    ) -> tuple[str, str | None]:
        """First and second text for the tokenizer; `template` replaces the first.

        Special tokens spelled out in a prompt or an answer are removed. Otherwise an answer could
        end itself early, or forge a prompt.
        """
        words = {
            "prompt": _plain(self.prompt(dialogue), tokenizer),
            "answer": _plain(answer, tokenizer).strip(),
            "bos": tokenizer.bos_token or tokenizer.sep_token or "",
        }
        first = _filled(template or self.text, words)
        return first, None if self.second is None else _filled(self.second, words)


class ChatForm(Form):
    """The whole conversation in the chat template of the reward model's tokenizer.

    The template writes all special tokens, so the tokenizer adds none.
    """

    def texts(
        self, dialogue: Dialogue, answer: str, tokenizer: Any, template: str | None = None
    ) -> tuple[str, str | None]:
        """Rendered conversation; RefusedDialogueError if the template does not render it."""
        turns = (*dialogue, Turn("assistant", answer))
        clean = tuple(Turn(t.role, without_special(t.text, tokenizer).strip()) for t in turns)
        return render_chat(messages_of(clean), tokenizer, False), None


def prompt_text(dialogue: Dialogue) -> str:
    """Text of a single turn, or the transcript of several without the final `Assistant:`."""
    if len(dialogue) == 1:
        return dialogue[0].text
    return transcript(dialogue).removesuffix(_CUE).strip()


FORMS: Mapping[str, Form] = {
    # The tokenizer's own chat template, as most reward models since 2024 read it.
    "chat": ChatForm("", None, "left", prompt_text),
    # One text in HH-RLHF's transcript form (Bai et al., arXiv 2204.05862), as the models
    # Ray2333/gpt2-large-{helpful,harmless}-reward_model read it.
    "dialogue": Form("{prompt} {answer}", None, "left", transcript),
    # The tokenizer's pair of prompt and answer: OpenAssistant/reward-model-deberta-v3-large-v2.
    "pair": Form("{prompt}", "{answer}", "left", prompt_text),
    # The answer alone: mohameddhiab/humor-no-humor, logit 1.
    "answer": Form("{answer}", None, "right", prompt_text),
    # Answer, beginning-of-text token, post: Tristan/gpt2_reward_summarization.
    "answer_prompt": Form("{answer} {bos} {prompt}", None, "right", prompt_text),
    # The answer as text and the post as its pair: CogComp/bart-faithful-summary-detector, logit 1.
    "answer_pair": Form("{answer}", "{prompt}", "right", prompt_text),
    # Segments of the answer after the question, with one output per segment: the reward models of
    # FineGrainedRLHF (Wu et al., arXiv 2306.01693); see `segments`.
    "segments": Form("{prompt} answer: {answer}", None, "right", prompt_text),
}


def _filled(template: str, words: Mapping[str, str]) -> str:
    """Fill a template in a single pass, so that braces inside the texts are left alone."""
    return _NAME.sub(lambda match: words[match[1]], template)


def _plain(text: str, tokenizer: Any) -> str:
    for token in tokenizer.all_special_tokens:
        text = text.replace(token, "")
    return text


def without_special(text: str, tokenizer: Any) -> str:
    """Text without special tokens, also those that have no name (`<|eot_id|>`)."""
    tokens = special_texts(tokenizer)
    before = ""
    while before != text:  # removing one may spell out another
        before = text
        for token in tokens:
            text = text.replace(token, "")
    return text
