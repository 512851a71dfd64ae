"""Power mean of policies: mixture of specialists under the forward KL and alpha-divergences.

Under an f-divergence with f'(x) = (1 - x^-alpha) / alpha, the optimum of mu . r in terms of the
optima pi_k of single rewards is

    pi = pi_0 (sum_k mu_k (pi_k / pi_0)^-alpha + c)^(-1 / alpha),    c such that pi sums to 1

(Shi et al., MOD, arXiv 2406.18853, for the family; the form with c is derived). With c = 0 the
start policy pi_0 cancels, and the power mean of exponent -alpha is left, to be normalised: the
harmonic mean for the forward KL (alpha = 1). As alpha goes to 0, both become the geometric mean,
which is the optimum under the reverse KL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

NEWTON_STEPS = 100  # a handful is enough unless the participants differ by tens of nats


@dataclass(frozen=True)
class PowerMean:
    """Rule of a mixture: power mean of exponent -alpha, above 0; `solve` adds the constant c."""

    alpha: float
    solve: bool = False

    def combine(
        self, log_probs: Sequence[Tensor], weights: Tensor, start: Tensor | None = None
    ) -> Tensor:
        """Mix normalised log-probabilities (rows, …, n); `solve` needs those of the start policy.

        `weights` (rows, parts) are 0 or more; a part of weight 0 has no influence, whatever its
        log-probabilities. The result is normalised under `solve` alone.
        """
        shape = (-1, *[1] * (log_probs[0].dim() - 1))
        terms = []
        for weight, x in zip(weights.T, log_probs, strict=True):
            w = weight.to(x.dtype).view(shape)
            terms.append(torch.where(w > 0, w.log() - self.alpha * x, -torch.inf))
        log_sum = torch.stack(terms).logsumexp(dim=0)  # log sum_k w_k pi_k^-alpha
        if start is None:
            return -log_sum / self.alpha
        # Outcomes that are impossible under the start policy stay so.
        h = torch.where(start.isneginf(), torch.inf, log_sum + self.alpha * start)
        return self._with_constant(h, start)

    def _with_constant(self, h: Tensor, start: Tensor) -> Tensor:
        """log pi for h = log sum_k w_k (pi_k / pi_0)^-alpha, (rows, …, n).

        Let d = exp(h) - min exp(h) and t = c + min exp(h) > 0. Then phi(t) = Z(t)^-alpha, with
        Z(t) = sum pi_0 (d + t)^(-1 / alpha), is increasing and concave, so Newton's method for
        phi = 1 converges from below. Everything is in logarithms, since h may be large.
        """
        least = h.amin(dim=-1, keepdim=True)
        d = h + torch.log(-torch.expm1(least - h))  # log d; -inf where h is the least

        def log_policy(t: Tensor) -> Tensor:
            return start - torch.logaddexp(d, t) / self.alpha

        with torch.no_grad():
            lowest = torch.where(h == least, start, -torch.inf).amax(dim=-1, keepdim=True)
            t = self.alpha * lowest  # log t; here Z is at least 1
            excess = torch.inf  # largest log Z, which falls until only rounding is left
            for _ in range(NEWTON_STEPS):
                log_pi = log_policy(t)
                log_z = log_pi.logsumexp(dim=-1, keepdim=True)
                before, excess = excess, float(log_z.max())
                if excess <= 4 * torch.finfo(h.dtype).eps or excess >= before:
                    break
                # d log phi / dt = sum_a p_a / (d_a + t), for p = pi / Z
                slope = (log_pi - log_z - torch.logaddexp(d, t)).logsumexp(dim=-1, keepdim=True)
                t = t + torch.log1p(
                    torch.expm1(self.alpha * log_z).clamp(min=0) / (slope + t).exp()
                )
        return log_policy(t)
