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
    Banks,
    Benchmark,
    Conditioning,
    Control,
    Method,
    Trainer,
    TrainingOptions,
    Unconditioned,
    UsageError,
    option,
)
from paretosteer.methods.adapters import Adapters
from paretosteer.methods.rewarded_soup import RewardedSoup, specialists
from paretosteer.policies.merge_options import RANDOM, MergeOptions
from paretosteer.policies.merged_banks import MergedBanks
from paretosteer.policies.merging import Merge as Formula
from paretosteer.storage.safetensors_only import read_tensors
from paretosteer.training.specialists import (
    add_merged_banks,
    banked,
    banked_layers,
    fill_grams,
    fill_merged,
    merge_once,
)


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

    _adapter_notes: Sequence[str] = ()

    @classmethod
    def content_key(cls, options: Any) -> str | None:
        """Digest of the adapters, if any are given."""
        return Adapters.content_key(options) if options.paths else None

    def check(self, objectives: int) -> None:
        """Check for one adapter per objective where adapters are given."""
        paths = self.options.paths
        if len(paths) == 1:
            raise UsageError("method.paths: found 1 adapter; a merge needs two or more specialists")
        if paths:
            self._source().check(objectives)

    def shared_training(self) -> tuple[str, Mapping[str, Any]] | None:
        """Rewarded Soup under the same training options."""
        return None if self.options.paths else specialists(self.options)

    def conditioning(self, objectives: int) -> Conditioning:
        """Banks of full rank that are merged, or Rewarded Soup's for task arithmetic."""
        o = self.options
        if o.paths:
            return Unconditioned()  # the adapters say which layers have banks
        if o.kind == "task_arithmetic":
            return Banks(objectives, o.rank, o.alpha, dropout=o.dropout)
        return MergedBanks(objectives, Formula.of(o))

    def total_steps(self, budget: int, objectives: int) -> int:
        """Specialists share the budget; given adapters are not trained."""
        return 0 if self.options.paths else budget

    def prepare(self, benchmark: Benchmark) -> None:
        """Refuse adapters that do not fit the start model before anything is written."""
        if self.options.paths:
            source = self._source()
            source.prepare(benchmark)
            self._adapter_notes = source.notes

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train or load the specialists, then merge them."""
        self.build_policy(benchmark, trainer.seed)  # refused here, before any training
        source = self._source()
        source.train(benchmark, trainer)
        self._merge(source, benchmark, trainer)

    def train_from(self, checkpoint: Path, benchmark: Benchmark, trainer: Trainer) -> None:
        """Merge the specialists of a checkpoint of the shared training."""
        source = self._source()
        source.load(checkpoint, benchmark)
        self._merge(source, benchmark, trainer)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """c = mu, times the scale for task arithmetic."""
        linear = self.options.kind == "task_arithmetic"
        return Control.soup(preferences * self.options.scale if linear else preferences)

    def turn_to(self, preference: Array) -> Control:
        """Merge every layer at a new preference."""
        control = self.control(preference)
        merge_once(self.policy, control)
        return control

    @property
    def notes(self) -> Sequence[str]:
        """Caveats of the adapters, and of random dropping."""
        if self.options.kind not in RANDOM:
            return self._adapter_notes
        return (
            *self._adapter_notes,
            f"{self.options.kind} drops entries at random, which presumes many redundant weights; "
            "in a table or a small network it may do worse than the start model.",
        )

    def save(self, folder: Path) -> None:
        """Save the merged banks; for task arithmetic what the specialists' method saves."""
        if self.options.kind == "task_arithmetic":
            self._specialists.save(folder)
        else:
            super().save(folder)

    def load(self, folder: Path, benchmark: Benchmark) -> None:
        """Restore what `save` wrote, without reading any adapter's folder."""
        self.build_policy(benchmark, seed=0)
        if self.options.kind == "task_arithmetic":
            self._specialists = self._source()
            self._specialists.load(folder, benchmark)
            self.policy = self._specialists.policy
            return
        state = read_tensors(folder / "policy.safetensors")
        if self.options.paths:
            add_merged_banks(self.policy, self._banks, banked_layers(state))
        self.policy.load_state(state)

    @property
    def trained_parameters(self) -> int:
        """Number of weights of the specialists; those of given adapters were not trained here."""
        return self._trained

    @property
    def _banks(self) -> MergedBanks:
        return MergedBanks(self.m, Formula.of(self.options))

    def _source(self) -> Method:
        """Method that the specialists come from, neither trained nor loaded."""
        if self.options.paths:
            return Adapters(Adapters.Options(paths=self.options.paths))
        return RewardedSoup(RewardedSoup.Options(**specialists(self.options)[1]))

    def _merge(self, source: Method, benchmark: Benchmark, trainer: Trainer) -> None:
        """Fill the merged banks with the specialists' deltas, sparsified under the seed."""
        self._trained = source.trained_parameters
        if self.options.kind == "task_arithmetic":
            self._specialists, self.policy = source, source.policy
            return
        if self.options.paths:
            add_merged_banks(self.policy, self._banks, banked(source.policy))
        fill_merged(self.policy, self._banks.how, source.policy, self.m, trainer)
        if self.options.kind == "regmean":
            prompts = benchmark.prompts("train")
            fill_grams(self.policy, source.policy, self.m, prompts, self.options.examples, trainer)
