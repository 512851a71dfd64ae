"""Merges of specialists with non-negative weights: pure functions of their changes of one tensor.

A specialist k changes a tensor of the start model by delta_k. A merge has two steps:

1. `sparsify` drops entries of each delta, alone, once.
2. `combine` adds the deltas under weights w. With `signs`, an entry keeps only the specialists
   whose sign agrees with the weighted sum; with `normalise`, it is divided by their weights.

==============  =========================================  ======  ==========
kind            sparsify                                   signs   normalise
==============  =========================================  ======  ==========
ties            the largest entries                        yes     yes
dare_linear     each entry with probability `density`      no      no
dare_ties       each entry with probability `density`      yes     no
della           as DARE, large entries more often          yes     yes
breadcrumbs     without the very largest and the smallest  no      no
regmean         nothing: least squares on inputs instead   --      --
==============  =========================================  ======  ==========

Task arithmetic (arXiv 2212.04089) does neither: it is a soup. TIES: arXiv 2306.01708. DARE:
2311.03099. DELLA: 2406.11617. Model Breadcrumbs: 2312.06795. RegMean: 2212.09849.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

import torch
from torch import Tensor

from paretosteer.errors import UsageError

Kind = Literal["ties", "dare_linear", "dare_ties", "della", "breadcrumbs", "regmean"]
Rescale = Literal["l1", "probability"]

DENSITY = {"ties": 0.2, "dare_linear": 0.5, "dare_ties": 0.5, "della": 0.5, "breadcrumbs": 0.9}
RANDOM = ("dare_linear", "dare_ties", "della")  # kinds that drop entries at random
_SIGNS = {"ties", "dare_ties", "della"}
_NORMALISE = {"ties", "della"}
_RIDGE = 1e-6  # of the mean diagonal of a Gram matrix, so that it can be inverted


@dataclass(frozen=True)
class Merge:
    """A kind of merge with its settings.

    Attributes
    ----------
    density
        Share of the entries that `sparsify` leaves; 1 leaves all.
    rescale
        After random dropping: `l1` restores the L1 norm of the delta, `probability` divides each
        entry by the probability with which it stays.
    epsilon
        della: how far that probability goes from `density` down and up, from the smallest to the
        largest entry.
    gamma
        breadcrumbs: share of the largest entries that is dropped.
    scale
        Factor of the merged delta.
    off_diagonal
        regmean: factor of the off-diagonal elements of the Gram matrices.

    """

    kind: Kind
    density: float = 1.0
    rescale: Rescale = "l1"
    epsilon: float = 0.15
    gamma: float = 0.01
    scale: float = 1.0
    off_diagonal: float = 0.6

    @classmethod
    def of(cls, options: Any) -> Merge:
        """Settings from the options of their names; a density of None is the kind's own."""
        named = {field.name: getattr(options, field.name) for field in fields(cls)}
        if named["density"] is None:
            named["density"] = DENSITY.get(options.kind, 1.0)
        return cls(**named)

    @property
    def notes(self) -> tuple[str, ...]:
        """Caveat of random dropping."""
        if self.kind not in RANDOM:
            return ()
        return (
            f"{self.kind} drops entries at random, which presumes many redundant weights; in a "
            "table or a small network it may do worse than the start model.",
        )

    def sparsify(self, delta: Tensor, generator: torch.Generator) -> Tensor:
        """Delta of one specialist with entries dropped, in its own shape."""
        if self.density >= 1 or self.kind == "regmean":
            return delta
        if self.kind == "ties":
            return delta * _largest(delta, int(self.density * delta.numel()))
        if self.kind == "breadcrumbs":
            top = int(self.gamma * delta.numel())
            left = _largest(delta, top + int(self.density * delta.numel()))
            return delta * (left & ~_largest(delta, top))
        stay = self._probabilities(delta)
        draws = torch.rand(delta.shape, generator=generator).to(delta.device)
        dropped = delta * (draws < stay)
        if self.rescale == "probability":
            return torch.where(stay > 0, dropped / stay, 0.0)
        norm = dropped.abs().sum()
        return dropped * (delta.abs().sum() / norm) if norm > 0 else dropped

    def combine(self, deltas: Tensor, weights: Tensor, grams: Tensor | None = None) -> Tensor:
        """Merged delta of sparsified ones.

        Parameters
        ----------
        deltas
            (m, …) of m specialists.
        weights
            (m,), 0 or more.
        grams
            (m, in, in), for regmean: X^T X of the inputs that each specialist sees.

        Raises
        ------
        UsageError
            For a negative weight: under `signs` or `normalise` it would be turned around.

        """
        if (weights < 0).any():
            raise UsageError(
                f"merge: found the weight {float(weights.min()):g}, but {self.kind} does not "
                "support negative weights; use weights of 0 or more, or kind=task_arithmetic"
            )
        if self.kind == "regmean":
            assert grams is not None
            return self.scale * self._regmean(deltas, weights, grams)
        weights = weights.view(-1, *[1] * (deltas.dim() - 1)).to(deltas)  # (m, 1, …)
        weighted = weights * deltas
        if self.kind not in _SIGNS:
            return self.scale * weighted.sum(dim=0)
        majority = torch.where(weighted.sum(dim=0) >= 0, 1.0, -1.0)
        agrees = weighted.sign() == majority  # (m, …); an entry of 0 agrees with nothing
        merged = (weighted * agrees).sum(dim=0)
        if self.kind in _NORMALISE:
            total = (weights * agrees).sum(dim=0)
            merged = merged / torch.where(total == 0, 1.0, total)
        return self.scale * merged

    def _probabilities(self, delta: Tensor) -> Tensor:
        """Probability with which each entry stays."""
        if self.kind != "della":
            return torch.full_like(delta, self.density)
        # Within [0, 1], so that the mean is the density.
        epsilon = min(self.epsilon, self.density, 1 - self.density)
        rank = delta.abs().flatten().argsort(stable=True).argsort(stable=True)
        place = rank.view(delta.shape) / max(1, delta.numel() - 1)  # 0 smallest, 1 largest
        return self.density + epsilon * (2 * place - 1)

    def _regmean(self, deltas: Tensor, weights: Tensor, grams: Tensor) -> Tensor:
        """Delta D that minimises sum_k w_k |X_k (D - delta_k)^T|^2, up to the scaled off-diagonals.

        W(w)^T = (sum_k w_k G_k)^-1 sum_k w_k G_k W_k^T, in which the start model's W cancels.
        """
        g = grams.double()
        diagonal = torch.diagonal(g, dim1=1, dim2=2)  # (m, in)
        ridge = _RIDGE * diagonal.mean(dim=1, keepdim=True).clamp(min=1e-12)
        own = self.off_diagonal * g + torch.diag_embed((1 - self.off_diagonal) * diagonal + ridge)
        w = weights.to(g).view(-1, 1, 1)
        aim = (w * (own @ deltas.double().mT)).sum(dim=0)  # (in, out)
        return torch.linalg.solve((w * own).sum(dim=0), aim).T.to(deltas.dtype)


def _largest(delta: Tensor, count: int) -> Tensor:
    """Mask of the `count` entries of largest magnitude."""
    mask = torch.zeros(delta.numel(), dtype=torch.bool, device=delta.device)
    order = delta.abs().flatten().argsort(descending=True, stable=True)
    mask[order[:count]] = True
    return mask.view(delta.shape)
