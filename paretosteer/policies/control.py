"""Steering input of a policy at test time: one row per sample, all rows of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from paretosteer.errors import UsageError
from paretosteer.policies.power_mean import PowerMean

Kind = Literal["start", "soup", "bank", "text", "features", "mixture"]


@dataclass(frozen=True)
class Control:
    """Steering input of one kind, with one row per sample.

    =========  ==================================================================
    kind       meaning, and the field that carries it
    =========  ==================================================================
    start      the start policy itself, with every conditioned part switched off
    soup       coefficients of the stacked banks, `values` (rows, banks)
    bank       exactly one bank with coefficient 1 per row, `values` (rows,) int64
    text       the preference in words, put before the prompt, `words`
    features   a vector that a small network reads, `values` (rows, features)
    mixture    weights of several policies' log-probabilities at every token, `values`
               (rows, parts), the controls of these policies, `parts`, and the `rule` that mixes
               them if it is not the weighted sum
    =========  ==================================================================

    `sharpness` (rows,) scales the distance of the scores from the start policy's,
    s0 + sharpness * (s - s0): Temperature-COS-DPO's second dial. None means 1.

    `candidates` (rows,) int64 and `weights` (rows, m) ask for the best of several answers: that
    many are drawn from the policy under the rest of the control, and the one of largest weighted
    score is given. A policy knows no scores, so it ignores both; `roll_out` selects.

    A policy evaluates the `participants` of a control, each with a forward pass of its own, and
    mixes their log-probabilities with `combine`. Without participants it is a single model.
    """

    kind: Kind
    rows: int
    values: Tensor | None = None
    words: tuple[str, ...] = ()
    sharpness: Tensor | None = None
    parts: tuple[Control, ...] = ()
    rule: PowerMean | None = None
    candidates: Tensor | None = None
    weights: Tensor | None = None

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

    @classmethod
    def mixture(
        cls,
        weights: object,
        parts: Sequence[Control] | None = None,
        rule: PowerMean | None = None,
    ) -> Control:
        """log pi = sum_k weights[:, k] log pi_k - const, for `weights` (rows, parts).

        Any weights are allowed: they need not sum to 1, and may be negative. Without `parts` the
        first policy is the start policy and the others are the banks, each alone. With a `rule`,
        log pi is its mean of the log pi_k, and the weights must not be negative.
        """
        values = torch.as_tensor(weights, dtype=torch.float32)
        rows, count = values.shape
        if parts is None:
            parts = [cls.start(rows), *(cls.bank([bank] * rows) for bank in range(count - 1))]
        if len(parts) != count or any(part.rows != rows for part in parts):
            raise UsageError(
                f"weights: found {rows} x {count} for {len(parts)} policies of "
                f"{sorted({part.rows for part in parts})} rows; give one column per policy and "
                "one row per sample"
            )
        if rule and not ((values >= 0).all() and (values.sum(dim=1) > 0).all()):
            raise UsageError(
                "weights: a power mean needs weights of 0 or more, not all 0 in a row; "
                "use such weights, or no rule"
            )
        return cls("mixture", rows, values, parts=tuple(parts), rule=rule)

    def best_of(self, candidates: object, weights: object) -> Control:
        """Best of `candidates` (rows,) answers by their scores under `weights` (rows, m)."""
        return replace(
            self,
            candidates=torch.as_tensor(candidates, dtype=torch.int64),
            weights=torch.as_tensor(weights, dtype=torch.float64),
        )

    @cached_property
    def participants(self) -> tuple[Control, ...]:
        """Controls that `combine` mixes, without those of weight 0 in every row."""
        if self.sharpness is not None:
            return Control.start(self.rows), replace(self, sharpness=None)
        reference = (Control.start(self.rows),) if self._reads_start else ()
        return (*reference, *(self.parts[k] for k in self._weighted))

    @property
    def passes(self) -> int:
        """Forward passes of the model for every token."""
        return sum(part.passes for part in self.participants) if self.participants else 1

    def combine(self, log_probs: Sequence[Tensor]) -> Tensor:
        """Mix the participants' log-probabilities (rows, …); the result is not normalised."""
        if self.sharpness is not None:
            start, steered = log_probs
            return sharpened(start, steered, self.sharpness)
        assert self.values is not None
        weights = self.values[:, self._weighted].to(log_probs[0].device)  # (rows, participants)
        if self.rule is not None:
            reference = log_probs[0] if self._reads_start else None
            return self.rule.combine(log_probs[self._reads_start :], weights, reference)
        shape = (-1, *[1] * (log_probs[0].dim() - 1))
        terms = [w.view(shape) * x for w, x in zip(weights.T, log_probs, strict=True)]
        return torch.stack(terms).sum(dim=0)

    @property
    def finite(self) -> bool:
        """True if no number in it is NaN or infinite."""
        own = (self.values, self.sharpness, self.weights)
        return all(bool(each.isfinite().all()) for each in own if each is not None) and all(
            part.finite for part in self.parts
        )

    @property
    def _reads_start(self) -> bool:
        """True if the rule needs the start policy; the constant of a single policy is 0."""
        return self.rule is not None and self.rule.solve and len(self._weighted) > 1

    @cached_property
    def _weighted(self) -> list[int]:
        """Parts with a weight other than 0 in some row; the first part if there is none."""
        if self.kind != "mixture":
            return []
        assert self.values is not None
        return (self.values != 0).any(dim=0).nonzero().flatten().tolist() or [0]

    def take(self, rows: Tensor) -> Control:
        """Control of these rows, repeats allowed: `rows` (n,) int64."""
        return replace(
            self,
            rows=len(rows),
            values=None if self.values is None else self.values[rows],
            words=tuple(self.words[i] for i in rows.tolist()) if self.words else (),
            sharpness=None if self.sharpness is None else self.sharpness[rows],
            parts=tuple(part.take(rows) for part in self.parts),
            candidates=None if self.candidates is None else self.candidates[rows],
            weights=None if self.weights is None else self.weights[rows],
        )

    def to(self, device: torch.device) -> Control:
        """Copy of the control on another device."""
        return replace(
            self,
            values=None if self.values is None else self.values.to(device),
            sharpness=None if self.sharpness is None else self.sharpness.to(device),
            parts=tuple(part.to(device) for part in self.parts),
        )


def sharpened(start: Tensor, steered: Tensor, sharpness: Tensor) -> Tensor:
    """Scale the distance of scores (rows, …) to the start policy's by sharpness (rows,)."""
    scale = sharpness.to(start.device).view(-1, *[1] * (start.dim() - 1))
    return start + scale * (steered - start)
