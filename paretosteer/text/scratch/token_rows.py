"""Prompts and answers as rows of tokens that fit a context, and batches of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paretosteer.text.scratch.loop import IGNORED, Labelled

USER = "\n\nHuman:"  # what a transcript puts before a user's turn


@dataclass(frozen=True)
class Row:
    """`[bos]`, prompt, answer, `[end]`; of the answer's tokens the first is number `answer`.

    The labels are the ids, but for the user's turns: where one begins, an answer has ended, and
    `[end]` is what a model should write there, not what the user says next.
    """

    ids: tuple[int, ...]
    labels: tuple[int, ...]
    answer: int
    cut: bool  # the prompt or the answer was longer than there is room for

    def bytes(self, tokenizer: Any) -> int:
        """Bytes of the answer as text."""
        text = tokenizer.decode(self.ids[self.answer :], skip_special_tokens=True)
        return len(text.encode())


def encode_row(tokenizer: Any, prompt: str, answer: str, context: int) -> Row:
    """One text within `context` tokens, the answer one space after its prompt.

    A long answer loses its end, with the end token; then a long prompt loses its first turns, and
    of a single turn its first tokens. An answer leaves a quarter of the context to its prompt.
    """
    written = [*_encode(tokenizer, f" {answer.strip()}"), tokenizer.eos_token_id]
    kept = written[: context - context // 4]
    room = context - 1 - len(kept)
    asked = _encode(tokenizer, prompt)
    shown = asked if len(asked) <= room else _last_turns(tokenizer, prompt, room)
    cut = len(shown) < len(asked) or len(kept) < len(written)
    bos = tokenizer.bos_token_id
    labels = _ending(shown, _encode(tokenizer, USER), tokenizer.eos_token_id)
    return Row((bos, *shown, *kept), (bos, *labels, *kept), 1 + len(shown), cut)


def batches(
    rows: Sequence[Row], tokens: int, pad: int, rng: np.random.Generator, *, prompts: bool
) -> Iterator[Labelled]:
    """Batches of at most `tokens` places without end: all rows once, then anew in another order.

    Rows of like length stand together, so little is padding. With `prompts` they are learnt too,
    else the answers alone.
    """
    lengths = np.array([len(row.ids) for row in rows])
    while True:
        order = np.argsort(lengths + rng.uniform(0, lengths.mean() / 4, len(rows)), kind="stable")
        parts = list(_parts(order, lengths, tokens))
        for i in rng.permutation(len(parts)):
            yield labelled([rows[j] for j in parts[i]], pad, prompts=prompts)


def answers_in_order(rows: Sequence[Row], tokens: int, pad: int) -> Iterator[Labelled]:
    """Every row once, shortest first, answers alone labelled."""
    lengths = np.array([len(row.ids) for row in rows])
    for part in _parts(np.argsort(lengths, kind="stable"), lengths, tokens):
        yield labelled([rows[j] for j in part], pad, prompts=False)


def labelled(rows: Sequence[Row], pad: int, *, prompts: bool) -> Labelled:
    """The rows as one batch."""
    labels = [r.labels if prompts else (IGNORED,) * r.answer + r.ids[r.answer :] for r in rows]
    return Labelled.of([r.ids for r in rows], labels, pad)


def _parts(order: Any, lengths: Any, tokens: int) -> Iterator[list[int]]:
    """Runs of row numbers, each of at most `tokens` places when padded to its longest row."""
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
    """The most last turns of a prompt, beginning with a user's, that fit `room` tokens."""
    starts = [match.start() for match in re.finditer(USER, prompt)] or [0]
    for start in starts:
        ids = _encode(tokenizer, prompt[start:])
        if len(ids) <= room:
            return ids
    return ids[len(ids) - room :]


def _ending(ids: list[int], mark: list[int], end: int) -> list[int]:
    """The ids with `end` for every `mark` but one at the very beginning."""
    labels = list(ids)
    for at in range(1, len(ids)):
        if ids[at : at + len(mark)] == mark:
            labels[at : at + len(mark)] = [end] + [IGNORED] * (len(mark) - 1)
    return labels


def _encode(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids
