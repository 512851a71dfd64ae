"""Prompts and answers as token rows that fit the context, and batches of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paretosteer.text.scratch.train_language_model import IGNORED, Labelled

USER = "\n\nHuman:"  # start of a user turn in a transcript


@dataclass(frozen=True)
class Row:
    """Tokens `[bos]`, prompt, answer, `[end]`.

    The labels are the ids, except where a user turn starts inside the prompt. There an earlier
    answer has ended, so the label is `[end]`: the model should stop, not write the user's turn.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    answer: int  # index of the first token of the answer
    cut: bool  # whether prompt or answer was truncated

    def bytes(self, tokenizer: Any) -> int:
        """Length of the answer in bytes."""
        text = tokenizer.decode(self.ids[self.answer :], skip_special_tokens=True)
        return len(text.encode())


def encode_row(tokenizer: Any, prompt: str, answer: str, context: int) -> Row:
    """Encode a prompt and its answer, separated by a space, in at most `context` tokens.

    The answer is cut first, to three quarters of the context, and then has no end token. A prompt
    that is still too long loses its first turns, and a single turn its first tokens.
    """
    full_answer = [*_encode(tokenizer, f" {answer.strip()}"), tokenizer.eos_token_id]
    answer_ids = full_answer[: context - context // 4]
    room = context - 1 - len(answer_ids)
    full_prompt = _encode(tokenizer, prompt)
    fits = len(full_prompt) <= room
    prompt_ids = full_prompt if fits else _last_turns(tokenizer, prompt, room)
    cut = len(prompt_ids) < len(full_prompt) or len(answer_ids) < len(full_answer)
    bos = tokenizer.bos_token_id
    labels = _ending(prompt_ids, _encode(tokenizer, USER), tokenizer.eos_token_id)
    ids = (bos, *prompt_ids, *answer_ids)
    return Row(ids, (bos, *labels, *answer_ids), 1 + len(prompt_ids), cut)


def batches(
    rows: Sequence[Row], tokens: int, pad: int, rng: np.random.Generator, *, prompts: bool
) -> Iterator[Labelled]:
    """Endless batches of at most `tokens` padded tokens, reshuffled after each epoch.

    Rows of similar length are batched together to save padding; the noise on the lengths varies
    the batches. With `prompts`, prompt tokens are targets too, otherwise only answers.
    """
    lengths = np.array([len(row.ids) for row in rows])
    while True:
        order = np.argsort(lengths + rng.uniform(0, lengths.mean() / 4, len(rows)), kind="stable")
        parts = list(_parts(order, lengths, tokens))
        for i in rng.permutation(len(parts)):
            yield labelled([rows[j] for j in parts[i]], pad, prompts=prompts)


def batches_per_epoch(rows: Sequence[Row], tokens: int) -> int:
    """Number of batches that `batches` makes of all rows, up to its noise on lengths."""
    lengths = np.array([len(row.ids) for row in rows])
    return sum(1 for _ in _parts(np.argsort(lengths, kind="stable"), lengths, tokens))


def answers_in_order(rows: Sequence[Row], tokens: int, pad: int) -> Iterator[Labelled]:
    """Batches with every row once, shortest first, in which only answers are labelled."""
    lengths = np.array([len(row.ids) for row in rows])
    for part in _parts(np.argsort(lengths, kind="stable"), lengths, tokens):
        yield labelled([rows[j] for j in part], pad, prompts=False)


def labelled(rows: Sequence[Row], pad: int, *, prompts: bool) -> Labelled:
    """Rows as one batch."""
    labels = [r.labels if prompts else (IGNORED,) * r.answer + r.ids[r.answer :] for r in rows]
    return Labelled.of([r.ids for r in rows], labels, pad)


def _parts(order: Any, lengths: Any, tokens: int) -> Iterator[list[int]]:
    """Consecutive row indices, each group of at most `tokens` when padded to its longest row."""
    part: list[int] = []
    widest = 0
    for i in order.tolist():
        widest = max(widest, int(lengths[i]))
        if part and widest * (len(part) + 1) > tokens:
            yield part
            part, widest = [], int(lengths[i])
        part.append(i)
    yield part


def _last_turns(tokenizer: Any, prompt: str, room: int) -> list[int]:
    """Longest suffix of a prompt that starts with a user turn and fits `room` tokens."""
    starts = [match.start() for match in re.finditer(USER, prompt)] or [0]
    for start in starts:
        ids = _encode(tokenizer, prompt[start:])
        if len(ids) <= room:
            return ids
    return ids[len(ids) - room :]


def _ending(ids: list[int], mark: list[int], end: int) -> list[int]:
    """Labels of a prompt: ids, with `end` at the start of every `mark` except a leading one."""
    labels = list(ids)
    for at in range(1, len(ids)):
        if ids[at : at + len(mark)] == mark:
            labels[at : at + len(mark)] = [end] + [IGNORED] * (len(mark) - 1)
    return labels


def _encode(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids
