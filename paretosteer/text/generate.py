"""Batched generation: every row with its own prompt and its own control, one step for all.

Our own loop rather than `transformers`' `generate`: noise is a function of what is sampled (common
random numbers), and several streams may be mixed per token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from paretosteer.policies.common_random_numbers import gumbel
from paretosteer.policies.control import Control

CHUNK = 2**23  # log-probabilities that are computed at a time: 32 MB for each float32 copy

# Sets a model's banks for one forward pass of all rows, or of these (n,).
Mixed = Callable[..., AbstractContextManager[None]]


@dataclass(frozen=True)
class Decoding:
    """Decoding of responses of `min_new_tokens` to `max_new_tokens`, at `temperature`.

    Temperature 0 is greedy: the most likely token each time. `top_k` keeps the k most likely (more
    where several tie for the last place).
    """

    max_new_tokens: int
    min_new_tokens: int = 0
    temperature: float = 1.0
    top_k: int | None = None

    @property
    def greedy(self) -> bool:
        """True if decoding is deterministic."""
        return self.temperature == 0

    def key(self) -> dict[str, Any]:
        """Key of cached samples; only settings other than plain sampling extend it."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def log_probs(self, logits: Tensor, first: int, ends: Sequence[int]) -> Tensor:
        """Log-probabilities (rows, T, vocabulary) of response positions `first` to `first` + T - 1.

        Of the whole vocabulary, at temperature 1 if greedy. Before `min_new_tokens` the tokens
        that end a response have none, in sampling and in scoring alike.
        """
        scaled = logits.float()
        if self.temperature not in (0, 1):
            scaled = scaled / self.temperature
        early = self.min_new_tokens - first
        if ends and early > 0:
            scaled = scaled.clone()  # it may be the logits themselves
            scaled[:, :early, list(ends)] = -torch.inf
        return torch.log_softmax(scaled, dim=-1)

    def kept(self, log_probs: Tensor, taken: Tensor | None = None) -> Tensor:
        """`top_k` of log-probabilities (…, vocabulary), normalised again; the rest at -inf.

        With `taken` (…), one token each, that token is kept as well. Of a policy's own samples it
        always is among the k. Another policy's k may lack it, and then their log-ratio, of which
        KL estimates are made, would be infinite.
        """
        if self.top_k is None or self.top_k >= log_probs.shape[-1]:
            return log_probs
        keep = log_probs >= log_probs.topk(self.top_k, dim=-1).values[..., -1:]
        if taken is not None:
            keep = keep.scatter(-1, taken.unsqueeze(-1), True)
        return torch.log_softmax(log_probs.masked_fill(~keep, -torch.inf), dim=-1)


class Stream(Protocol):
    """One model under one control, with its prompts."""

    def logits(self, response: Tensor, kept: Tensor) -> Tensor:
        """Logits (rows, T, vocabulary) at every place of the response; `kept` is its mask."""
        ...

    def start(self, width: int) -> Tensor:
        """Read the prompts; logits (rows, vocabulary) of the first response token.

        `width` is the most tokens that `step` will be given: room for them is made once.
        """
        ...

    def step(self, token: Tensor) -> Tensor:
        """Read one more token per row, (rows,); logits (rows, vocabulary) of the next."""
        ...

    def select(self, rows: Tensor) -> bool:
        """Go on with these rows (n,) alone, where the stream can; True if it does."""
        ...


def generate(
    streams: Sequence[Stream],
    keys: Tensor,
    decoding: Decoding,
    ends: Sequence[int],
    pad: int,
    control: Control,
    select: Callable[[Tensor], bool] = lambda rows: False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Write responses: ids padded with `pad`, mask (end included), log-probs, each (rows, T).

    `streams` are the models of `leaves(control)`; any token of `ends` ends a response. When half of
    the rows have ended, `select` is asked to go on with the others alone; it returns whether it
    does.
    """
    # Rows that share a prompt and a sample number share their noise: it is made once.
    unique, row_of = torch.unique(keys, return_inverse=True)
    rows = len(keys)
    response = torch.full((rows, decoding.max_new_tokens), pad, device=keys.device)
    mask = torch.zeros_like(response, dtype=torch.bool)
    log_probs = torch.zeros_like(response, dtype=torch.float32)
    open_ = torch.ones(rows, dtype=torch.bool, device=keys.device)
    left = torch.arange(rows, device=keys.device)  # rows that the streams still hold, (n,)
    last = torch.tensor(ends, device=keys.device)
    logits = [stream.start(decoding.max_new_tokens) for stream in streams]
    for t in range(decoding.max_new_tokens):
        vocabulary = logits[0].shape[-1]
        # Mixtures combine all rows at once: whose weights are 0 depends on the whole batch.
        size = rows if control.participants else max(1, CHUNK // vocabulary)
        of_left = row_of[left]
        noise = None if decoding.greedy else _noise(unique, t, vocabulary)
        tokens, taken = [], []
        for first in range(0, len(left), size):
            some = slice(first, first + size)
            parts = [decoding.log_probs(x[some].unsqueeze(1), t, ends).squeeze(1) for x in logits]
            scores = decoding.kept(mix(parts, control))
            drawn = scores if noise is None else noise[of_left[some]].add_(scores)
            tokens.append(torch.where(open_[some], drawn.argmax(dim=-1), pad))
            taken.append(scores.gather(1, tokens[-1].unsqueeze(1)).squeeze(1))
        token = torch.cat(tokens)
        response[left, t], mask[left, t] = token, open_
        log_probs[left, t] = torch.where(open_, torch.cat(taken), 0.0)
        if ends:
            open_ = open_ & ~torch.isin(token, last)
            if not open_.any():
                break
            if 2 * int(open_.sum()) <= len(left) and select(going := open_.nonzero().flatten()):
                left, open_, token = left[going], open_[going], token[going]
        if t + 1 < decoding.max_new_tokens:
            logits = [stream.step(token) for stream in streams]
    return response[:, : t + 1], mask[:, : t + 1], log_probs[:, : t + 1]


def _noise(keys: Tensor, position: int, vocabulary: int) -> Tensor:
    """Gumbel noise (keys, vocabulary), made in chunks: its 64-bit integers are the largest part."""
    chunks = torch.split(keys, max(1, CHUNK // vocabulary))
    return torch.cat([gumbel(some, position, vocabulary) for some in chunks])


def response_log_probs(
    logits: Sequence[Tensor],
    response: Tensor,
    decoding: Decoding,
    ends: Sequence[int],
    control: Control,
) -> Tensor:
    """Log-probability (rows, T) of every response token, from each stream's logits.

    `logits` are (rows, T, vocabulary) each, in the order of `leaves(control)`. Where they are
    large, positions are read in chunks, whose float32 copies backward passes compute again.
    """
    rows, _, vocabulary = logits[0].shape
    positions = max(1, CHUNK // (rows * vocabulary))

    def scores(first: int, taken: Tensor, *some: Tensor) -> Tensor:
        parts = [decoding.log_probs(x, first, ends) for x in some]
        log_probs = decoding.kept(mix(parts, control), taken)
        return log_probs.gather(-1, taken.unsqueeze(-1)).squeeze(-1)

    chunks = zip(*(torch.split(x, positions, dim=1) for x in (response, *logits)), strict=True)
    if positions >= response.shape[1]:
        return scores(0, *next(chunks))
    given = [(i * positions, *chunk) for i, chunk in enumerate(chunks)]
    recomputed = partial(checkpoint, scores, use_reentrant=False, preserve_rng_state=False)
    return torch.cat([recomputed(*chunk) for chunk in given], dim=1)


def leaves(control: Control) -> list[Control]:
    """Single models that a control combines, in the order that `mix` expects."""
    if not control.participants:
        return [control]
    return [leaf for part in control.participants for leaf in leaves(part)]


def mix(parts: Sequence[Tensor], control: Control) -> Tensor:
    """One distribution from the streams' log-probabilities (rows, …, vocabulary).

    For COS-DPO's temperature dial, s0 + sharpness * (s - s0), this is exact for whole-sequence
    scores and an approximation token by token.
    """
    return _mix(iter(parts), control)


def _mix(parts: Iterator[Tensor], control: Control) -> Tensor:
    if not control.participants:
        return next(parts)
    own = [_mix(parts, part) for part in control.participants]
    # Tokens that decoding forbids are forbidden to all: 0 and negative weights would give NaN.
    forbidden = own[0].isneginf()
    return torch.log_softmax(torch.where(forbidden, own[0], control.combine(own)), dim=-1)
