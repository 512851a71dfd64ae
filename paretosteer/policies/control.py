"""What steers a policy at test time: one row per sample, all rows of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["start", "soup", "bank", "text", "features"]


@dataclass(frozen=True)
class Control:
    """Row-aligned steering input of one kind.

    =========  ==================================================================
    kind       meaning, and the field that carries it
    =========  ==================================================================
    start      the start policy itself: every conditioned part is switched off
    soup       coefficients of the stacked banks, `values` (rows, banks)
    bank       exactly one bank with coefficient 1 per row, `values` (rows,) int64
    text       the preference in words, put before the prompt, `words`
    features   a vector that a small network reads, `values` (rows, features)
    =========  ==================================================================

    `sharpness` (rows,) scales the distance of the scores from the start policy's,
    s0 + sharpness * (s - s0): Temperature-COS-DPO's second dial. None means 1.
    """

    kind: Kind
    rows: int
    values: Tensor | None = None
    words: tuple[str, ...] = ()
    sharpness: Tensor | None = None

    @classmethod
    def start(cls, rows: int) -> Control:
        """Rows of the start policy."""
        return cls("start", rows)

    @classmethod
    def soup(cls, coefficients: object) -> Control:
        """Soup coefficients, (rows, banks)."""
        values = torch.as_tensor(coefficients, dtype=torch.float32)
        return cls("soup", len(values), values)

    @classmethod
    def bank(cls, index: object) -> Control:
        """One bank per row, (rows,)."""
        values = torch.as_tensor(index, dtype=torch.int64)
        return cls("bank", len(values), values)

    @classmethod
    def text(cls, words: Sequence[str]) -> Control:
        """Words put before each row's prompt."""
        return cls("text", len(words), words=tuple(words))

    @classmethod
    def features(cls, vectors: object) -> Control:
        """Input vectors, (rows, features)."""
        values = torch.as_tensor(vectors, dtype=torch.float32)
        return cls("features", len(values), values)

    def take(self, rows: Tensor) -> Control:
        """The control of these rows, repeats allowed: `rows` (n,) int64."""
        return replace(
            self,
            rows=len(rows),
            values=None if self.values is None else self.values[rows],
            words=tuple(self.words[i] for i in rows.tolist()) if self.words else (),
            sharpness=None if self.sharpness is None else self.sharpness[rows],
        )

    def to(self, device: torch.device) -> Control:
        """The same control on another device."""
        return replace(
            self,
            values=None if self.values is None else self.values.to(device),
            sharpness=None if self.sharpness is None else self.sharpness.to(device),
        )


def sharpened(start: Tensor, steered: Tensor, sharpness: Tensor) -> Tensor:
    """Scores (rows, …) as far from the start policy's as each row's sharpness (rows,) says."""
    scale = sharpness.to(start.device).view(-1, *[1] * (start.dim() - 1))
    return start + scale * (steered - start)
