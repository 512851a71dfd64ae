"""Common random numbers in vLLM: a logits processor that draws tokens as our own loop does.

It runs in vLLM's process and adds the noise to the scores of a step. vLLM then decodes greedily, so
a token depends on its row alone, whatever else is in the batch and in whatever order. Requests
carry what they need in `SamplingParams.extra_args` under `NAME`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from vllm.v1.sample.logits_processor import (
    BatchUpdate,
    LogitsProcessor,
    MoveDirectionality,
)

from paretosteer.policies.common_random_numbers import gumbel
from paretosteer.text.generate import CHUNK, Decoding

NAME = "paretosteer"


@dataclass
class _Row:
    """A request in vLLM's batch."""

    key: int  # of `stream_keys`
    decoding: Decoding
    ends: tuple[int, ...]
    written: list[int]  # tokens of the response so far, which vLLM extends


class CommonNoise(LogitsProcessor):  # type: ignore[misc]
    """Replaces logits (rows, vocabulary) by log-probabilities plus Gumbel noise."""

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool):
        self._rows: dict[int, _Row] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow the rows of vLLM's batch: removed, added, moved, in this order."""
        if batch_update is None:
            return
        for index in batch_update.removed:
            self._rows.pop(index, None)
        for index, params, _, written in batch_update.added:
            given = (params.extra_args or {}).get(NAME)
            if given is None:
                self._rows.pop(index, None)
                continue
            decoding = Decoding(**given["decoding"])
            self._rows[index] = _Row(given["key"], decoding, tuple(given["ends"]), written)
        for first, second, direction in batch_update.moved:
            one, other = self._rows.pop(first, None), self._rows.pop(second, None)
            if one is not None:
                self._rows[second] = one
            if other is not None and direction == MoveDirectionality.SWAP:
                self._rows[first] = other

    def apply(self, logits: Tensor) -> Tensor:
        """Add the noise of each row's position, rows of one decoding together."""
        alike: dict[tuple[Decoding, tuple[int, ...], bool], list[int]] = {}
        for index, row in self._rows.items():
            early = len(row.written) < row.decoding.min_new_tokens
            alike.setdefault((row.decoding, row.ends, early), []).append(index)
        size = max(1, CHUNK // logits.shape[-1])
        for (decoding, ends, early), indices in alike.items():
            for first in range(0, len(indices), size):
                some = indices[first : first + size]
                logits[some] = self._drawn(logits[some], some, decoding, ends, early)
        return logits

    def _drawn(
        self, logits: Tensor, indices: list[int], decoding: Decoding, ends: Any, early: bool
    ) -> Tensor:
        """Scores (rows, vocabulary) whose largest entries are the tokens drawn."""
        first = 0 if early else decoding.min_new_tokens
        scores = decoding.log_probs(logits.unsqueeze(1), first, ends).squeeze(1)
        scores = decoding.kept(scores)
        if decoding.greedy:
            return scores
        rows = [self._rows[index] for index in indices]
        keys = torch.tensor([row.key for row in rows], device=logits.device)
        positions = torch.tensor([len(row.written) for row in rows], device=logits.device)
        return scores + gumbel(keys, positions, logits.shape[-1])
