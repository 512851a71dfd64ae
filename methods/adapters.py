"""Adapters: a soup of existing PEFT LoRA folders; nothing is trained here.

One adapter per objective, in the objectives' order. The soup is Rewarded Soup's (arXiv 2306.04488)
for adapters that were trained on one objective each, or Bone Soup's (arXiv 2502.10762) without its
extrapolation for adapters that were trained on the rows of its mixing matrix. Adapters of one
objective each can also be mixed at every token, as MOD's specialists (arXiv 2406.18853).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from paretosteer import (
    Array,
    BaseOptions,
    Benchmark,
    Control,
    Method,
    Trainer,
    Unconditioned,
    UsageError,
    option,
)
from paretosteer.policies.mixing_matrix import check_beta, coefficients
from paretosteer.storage.safetensors_only import read_tensors
from paretosteer.text.given_adapters import GivenAdapters, is_text, text_policy
from paretosteer.text.read_peft import add_stored, write_scales


class Adapters(Method):
    """m banks read from PEFT folders, mixed by the preference."""

    class Options(BaseOptions):
        """Options of souped adapters."""

        paths: tuple[str, ...] = option(
            (), "PEFT LoRA folders, one per objective, in the objectives' order", place=True
        )
        coefficients: Literal["rewarded_soup", "bone_soup", "mod"] = option(
            "rewarded_soup",
            "how the preference mixes them: with weights mu, with B^-T mu, or with mu at every "
            "token (MOD)",
            bare=True,
        )
        beta: float | None = option(
            None,
            "weight of each adapter's own objective in its training",
            only={"coefficients": ("bone_soup",)},
        )

    cost_unknown = True

    _notes: Sequence[str] = ()

    def __init__(self, chosen: Any):
        super().__init__(chosen)
        self.given = GivenAdapters(chosen.paths, "method.paths")

    @classmethod
    def content_key(cls, options: Any) -> str:
        """Digest of the adapters in order; UsageError unless they are distinct plain LoRAs."""
        return GivenAdapters(options.paths, "method.paths").digest()

    def check(self, objectives: int) -> None:
        """Check for one adapter per objective, and a beta where there is a mixing matrix."""
        o = self.options
        self.given.check_number(objectives)
        if o.coefficients == "bone_soup":
            if o.beta is None:
                raise UsageError(
                    "method.beta: required with coefficients=bone_soup; give the weight of each "
                    "adapter's own objective in its training"
                )
            check_beta(o.beta, objectives, "method.beta")

    def conditioning(self, objectives: int) -> Unconditioned:
        """Nothing: the adapters bring their own banks."""
        return Unconditioned()

    def total_steps(self, budget: int, objectives: int) -> int:
        """Zero: nothing is trained."""
        return 0

    def prepare(self, benchmark: Benchmark) -> None:
        """Refuse adapters that do not fit the start model before anything is written."""
        if is_text(benchmark):
            self._notes = self.given.notes(benchmark)
            for note in self._notes:
                benchmark.setting.say(note)

    @property
    def notes(self) -> Sequence[str]:
        """Base models that the adapters name, where they are not the start model."""
        return self._notes

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Load the adapters into frozen banks."""
        self.build_policy(benchmark, trainer.seed)
        self.given.fill(self.policy, benchmark.name)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """c = mu, or Bone Soup's c = B^-T mu, not clipped; or a mixture with weights mu."""
        mu = np.asarray(preferences)
        if self.options.coefficients == "mod":
            return Control.mixture(np.insert(mu, 0, 0.0, axis=1))
        soup = self.options.coefficients == "bone_soup"
        return Control.soup(coefficients(mu, self.options.beta) if soup else mu)

    def save(self, folder: Path) -> None:
        """Save the banks' scales too, so that loading does not need the adapters' folders."""
        super().save(folder)
        write_scales(folder, self.policy)

    def load(self, folder: Path, benchmark: Benchmark) -> None:
        """Load a checkpoint without reading the adapters' folders."""
        self.build_policy(benchmark, seed=0)
        state = read_tensors(folder / "policy.safetensors")
        add_stored(text_policy(self.policy, benchmark.name), folder, state)
        self.policy.load_state(state)
