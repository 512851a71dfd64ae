"""Merges of trained specialists, with the preference as weights.

Rewarded Soup's specialists, one per objective, are trained once and merged in seven ways, most of
which are not linear in the weights: `kind` names them. The definitions are second-hand, those of
the toolkit mergekit, of which no code was used; RegMean is Jin et al., arXiv 2212.09849.
`paretosteer.policies.merging` has the formulas and the papers.

Task arithmetic with weights mu is Rewarded Soup. Where nothing is dropped and no signs disagree,
every kind but RegMean is. All but task arithmetic give up the specialists' low rank: their deltas
are stored in full, and the merged weights are computed for every preference that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paretosteer import (
    Array,
    Benchmark,
    Conditioning,
    Control,
    Method,
    Trainer,
    TrainingOptions,
    UsageError,
    option,
)
from paretosteer.methods.adapters import Adapters
from paretosteer.methods.rewarded_soup import RewardedSoup, specialists
from paretosteer.policies.merge_options import MergeOptions
from paretosteer.policies.merged_banks import MergedBanks
from paretosteer.policies.merging import Merge as Formula
from paretosteer.training.specialists import fill_merged, load_merged, merge_once


class Merge(Method):
    """Specialists of Rewarded Soup, or given adapters, merged by a formula."""

    class Options(MergeOptions, TrainingOptions):
        """Options of merges."""

        feedback: str = option("reward", "training feedback of the specialists")
        paths: tuple[str, ...] = option(
            (),
            "PEFT LoRA folders to merge, one per objective; none: train specialists",
            place=True,
            replaces=("feedback", *TrainingOptions.model_fields),
        )

    def __init__(self, chosen: Any):
        super().__init__(chosen)
        self.source: Method  # of the specialists, which has them once it is trained or loaded
        if self.options.paths:
            self.source = Adapters(Adapters.Options(paths=self.options.paths))
        else:
            self.source = RewardedSoup(RewardedSoup.Options(**specialists(self.options)[1]))

    @classmethod
    def content_key(cls, options: Any) -> str | None:
        """Digest of the adapters, if any are given."""
        return Adapters.content_key(options) if options.paths else None

    def check(self, objectives: int) -> None:
        """Check for one adapter per objective where adapters are given."""
        if len(self.options.paths) == 1:
            raise UsageError("method.paths: found 1 adapter; a merge needs two or more specialists")
        self.source.check(objectives)

    def shared_training(self) -> tuple[str, Mapping[str, Any]] | None:
        """Rewarded Soup under the same training options."""
        return None if self.options.paths else specialists(self.options)

    def conditioning(self, objectives: int) -> Conditioning:
        """Banks of full rank that are merged, or the specialists' own for task arithmetic."""
        if self._is_soup or self.options.paths:  # adapters say which layers have banks
            return self.source.conditioning(objectives)
        return MergedBanks(objectives, Formula.of(self.options))

    def total_steps(self, budget: int, objectives: int) -> int:
        """Specialists share the budget; given adapters are not trained."""
        return self.source.total_steps(budget, objectives)

    def prepare(self, benchmark: Benchmark) -> None:
        """Refuse adapters that do not fit the start model before anything is written."""
        self.source.prepare(benchmark)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train or load the specialists, then merge them."""
        self.build_policy(benchmark, trainer.seed)  # refused here, before any training
        self.source.train(benchmark, trainer)
        self._merge(benchmark, trainer)

    def train_from(self, checkpoint: Path, benchmark: Benchmark, trainer: Trainer) -> None:
        """Merge the specialists of a checkpoint of the shared training."""
        self.source.load(checkpoint, benchmark)
        self._merge(benchmark, trainer)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """c = mu, times the scale for task arithmetic."""
        return Control.soup(preferences * self.options.scale if self._is_soup else preferences)

    def turn_to(self, preference: Array) -> Control:
        """Merge every layer at a new preference."""
        control = self.control(preference)
        merge_once(self.policy, control)
        return control

    @property
    def notes(self) -> Sequence[str]:
        """Caveats of the adapters and of the formula."""
        return (*self.source.notes, *Formula.of(self.options).notes)

    def save(self, folder: Path) -> None:
        """Save the merged banks; for task arithmetic what the specialists' method saves."""
        if self._is_soup:
            self.source.save(folder)
        else:
            super().save(folder)

    def load(self, folder: Path, benchmark: Benchmark) -> None:
        """Restore what `save` wrote, without reading any adapter's folder."""
        self.build_policy(benchmark, seed=0)
        if self._is_soup:
            self.source.load(folder, benchmark)
            self.policy = self.source.policy
        else:
            load_merged(self.policy, self._banks, folder)

    @property
    def trained_parameters(self) -> int:
        """Number of weights of the specialists; those of given adapters were not trained here."""
        return self._trained

    @property
    def _is_soup(self) -> bool:
        return bool(self.options.kind == "task_arithmetic")

    @property
    def _banks(self) -> MergedBanks:
        return MergedBanks(self.m, Formula.of(self.options))

    def _merge(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Fill the merged banks with the specialists' deltas, sparsified under the seed."""
        self._trained = self.source.trained_parameters
        trained = self.source.policy
        if self._is_soup:
            self.policy = trained
            return
        del self.source.policy  # not kept in memory beside the merge
        fill_merged(self.policy, self._banks, trained, benchmark, self.options.examples, trainer)
