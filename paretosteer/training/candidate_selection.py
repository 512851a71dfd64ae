"""Best of n: draw several candidates per row, give the one of largest weighted score.

With weights w the score of a candidate y is w . z(x, y), z being the normalised scores. The policy
only draws; this module scores. Best-of-n of a distribution over K outcomes has a closed form: if F
is its distribution function in the order of the scores, an outcome is chosen with probability
F(y)^n - F(y-)^n.

The KL of best-of-n from the policy that it draws from is at most ln n - (n - 1) / n (stated by
Hilton and Gao, 2022; proved by Beirami et al., arXiv 2401.01879; recalled).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paretosteer.benchmark import Benchmark
from paretosteer.errors import UnsupportedError
from paretosteer.interfaces import Drift, Exact
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.training.scoring import Scorer, filled

# Candidate j of sample s has number s + j * STRIDE: candidate 0 is the sample that the policy gives
# without selection, and a larger n adds candidates to those of a smaller one.
STRIDE = 2**32


def candidate_counts(control: Control) -> Iterator[tuple[int, Any]]:
    """Each number of candidates with the control rows that ask for it; 1 and None for all rows."""
    if control.candidates is None:
        yield 1, None
        return
    counts = control.candidates.numpy()
    for n in np.unique(counts).tolist():
        yield n, np.flatnonzero(counts == n)


def answer(
    policy: Policy,
    benchmark: Benchmark | None,
    prompts: Sequence[Any],
    control: Control,
    seed: int,
    samples: Sequence[int],
) -> Any:
    """Answers (rows) of a policy, the best of the candidates where a control asks for several.

    All rows ask for one number of candidates. Several are always drawn at random, even where test
    answers are greedy: there is only one greedy answer.
    """
    n = count(control)
    if n == 1:
        return policy.answer(prompts, control, seed, samples)
    assert benchmark is not None and control.weights is not None
    weights = control.weights.numpy()  # (rows, m)
    if isinstance(benchmark, Exact):
        answers: Any = policy.answer(prompts, control, seed, samples)
        z = benchmark.normaliser.apply(benchmark.outcomes(prompts))  # (rows, K, m)
        gain = torch.as_tensor(np.einsum("rkm,rm->rk", z, weights))
        chosen = log_best_of(answers.log_policy, gain.to(answers.log_policy.device), n)
        return replace(answers, log_policy=chosen)
    rows = np.repeat(np.arange(len(prompts)), n)
    drawn: Any = policy.sample(
        [prompt for prompt in prompts for _ in range(n)],
        control.take(torch.as_tensor(rows)),
        seed,
        [sample + j * STRIDE for sample in samples for j in range(n)],
    )
    scorer = Scorer(benchmark, purpose="candidate")
    scorer.count(raw := scorer.raw(drawn))  # (rows * n, m)
    z = benchmark.normaliser.apply(filled(benchmark.objectives, raw)).reshape(len(prompts), n, -1)
    best = np.einsum("rnm,rm->rn", z, weights).argmax(axis=1)
    return drawn.take((np.arange(len(prompts)) * n + best).tolist())


def drift(policy: Policy, benchmark: Benchmark, answers: Any, control: Control) -> Drift:
    """Drift of `answer`'s answers; where a KL has no estimate, the bound on it.

    The density of best-of-n is unknown where outcomes cannot be listed, so its KL from the policy
    that it draws from is replaced by the bound.
    """
    own = policy.drift(answers, control)
    if (n := count(control)) == 1 or isinstance(benchmark, Exact):
        return own
    return replace(own, kl=own.kl + kl_bound(n))


def kl_bound(n: int) -> float:
    """Largest KL, in nats, of best-of-n from the distribution that it draws from."""
    return math.log(n) - (n - 1) / n


def log_best_of(log_probs: Tensor, gain: Tensor, n: int) -> Tensor:
    """Log-probabilities (rows, K) of the best of n draws under `gain` (rows, K).

    Outcomes of equal gain are ordered by their index.
    """
    order = gain.argsort(dim=1, stable=True)
    p = log_probs.gather(1, order)
    upper = p.logcumsumexp(dim=1)  # log F(y)
    share = (p - upper).clamp(max=0)  # log of the share of y in F(y)
    # log (F(y-) / F(y)) from the share, since a difference of two logarithms would cancel.
    lower = torch.log1p(-share.exp())
    # An outcome too rare to change 1 - share is chosen n times as often as it is drawn.
    factor = torch.where(share < -40, share + math.log(n), torch.log(-torch.expm1(n * lower)))
    chosen = n * upper + factor
    return torch.empty_like(chosen).scatter(1, order, chosen)


def check_selectable(benchmark: Benchmark) -> None:
    """Raise UnsupportedError where no candidate can be scored for a user's prompt."""
    if benchmark.scores_need_labels:
        raise UnsupportedError(
            f"{benchmark.name} scores an answer with labels of its prompt, which are not available "
            "at test time, so candidates cannot be ranked"
        )


def count(control: Control) -> int:
    """Number of candidates that the rows of a control ask for; they ask for the same."""
    return 1 if control.candidates is None else int(control.candidates[0])
