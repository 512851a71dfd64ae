"""Reference-free preferences: what trains a language model to be a reward model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from paretosteer.benchmark import Benchmark
from paretosteer.interfaces import Exact
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Batch, Feedback, FeedbackTrainer, Preference


class ReferenceFree(Preference):
    """Bradley-Terry loss on log-likelihoods, without the start model's.

    For a pair, L_j = -log sigmoid(beta_r (log pi(y+) - log pi(y-))), as for the autoregressive
    reward models of GenARM (arXiv 2410.08193); for a list, the same as a listwise cross-entropy. At
    the minimum pi is proportional to exp(r_j / beta_r) over what is compared.

    Where a benchmark can list all outcomes, so does every list, whatever `list_size`: pairs from
    the start policy leave out its rare outcomes, and no reference keeps those in their place.
    """

    @classmethod
    def of(cls, benchmark: Benchmark, options: Any, trainer: FeedbackTrainer) -> Feedback:
        """Build it with the options `beta_r`, where the method has it, and `list_size`.

        DPO's temperature stands in for a `beta_r` of null.
        """
        given: dict[str, float] = {}
        if (beta_r := getattr(options, "beta_r", None)) is not None:
            given["beta_dpo"] = beta_r
        if isinstance(benchmark, Exact):
            given["list_size"] = benchmark.outcomes(benchmark.prompts("train")[:1]).shape[1]
        return super().of(benchmark, options.model_copy(update=given), trainer)

    def collect(
        self, policy: Policy, draws: Draws, control: Control, rng: np.random.Generator
    ) -> Batch:
        """Draw lists; their start log-probabilities are left out of the loss."""
        batch = super().collect(policy, draws, control, rng)
        assert batch.lists is not None
        ignored = torch.zeros_like(batch.lists.start_log_probs)
        return replace(batch, lists=replace(batch.lists, start_log_probs=ignored))
