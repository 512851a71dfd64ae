"""MODPO: one model per preference, by DPO on one objective with the others' rewards as margin.

Zhou et al., "Beyond one-preference-fits-all alignment", arXiv 2310.03708. On pairs of the anchor
objective a the loss is -log sigmoid(rho+ - rho-) with
rho = (1 / w_a) [beta log(pi / pi_0) - sum_{k != a} w_k r_k]. It was read in the released code, as
were the margins of implicit rewards; a is the first objective there. As 1 / w_a then grows without
bound, ours is the objective of the largest weight by default (`anchor`). Lists of more than two
candidates are COS-DPO's baseline of the same name.

Every model has the whole budget, those of the margin too, so the method is exempt from the cap as
MORL is; with `share` they divide one budget.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from paretosteer import (
    Array,
    Benchmark,
    MarginPreference,
    ModelPerPreference,
    Trainer,
    lattice_size,
    option,
    unit,
    usual_divisions,
)


class MODPO(ModelPerPreference):
    """A bank per training preference, and for margins from models one per objective."""

    class Options(ModelPerPreference.Options):
        """Options of MODPO."""

        feedback: ClassVar[str] = "margin_preference"
        divisions: int | None = option(
            None, "divisions of the training lattice; null: as the default grid", least=1
        )
        anchor: Literal["first", "largest"] = option(
            "largest",
            "objective whose pairs are used: the first (as published; no model is trained where "
            "its weight is 0) or the one with the largest weight",
        )
        margin: Literal["rewards", "models"] = option(
            "rewards",
            "rewards of the margin: the benchmark's, or the implicit rewards of one DPO model "
            "per objective, trained within the budget",
        )

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train the models of the margin, if any, then one model per preference."""
        m = len(benchmark.objectives)
        models, margins = self.models(m), self._margins(m)
        self.build_policy(benchmark, trainer.seed, self.banks(models + len(margins)))
        trainer.steps = self.total_steps(trainer.steps, m)
        steps = trainer.split(models + len(margins))
        specialists = dict(zip(margins, range(models, models + len(margins)), strict=True))
        feedback = self.feedback(benchmark, trainer, self.options.feedback)
        assert isinstance(feedback, MarginPreference)
        if self.options.margin == "models":
            feedback.specialists = specialists
            feedback.flops_per_weight += 2.0 * len(margins)  # of lists that have no key, each time
        for objective, bank in specialists.items():
            dpo = self.feedback(benchmark, trainer, "preference")
            name = f"margin {self.objectives[objective].name}"
            self.train_bank(bank, name, unit(m, objective), dpo, trainer, steps[bank])
        for i, mu in enumerate(self.grid(m)):
            name = f"preference {mu.round(3).tolist()}"
            self.train_bank(i, name, mu, feedback, trainer, steps[i])
        self.policy.keep_banks(range(models))

    def total_steps(self, budget: int, objectives: int) -> int:
        """Budget, or without `share` the budget times all models, those of the margin included."""
        models = self.models(objectives) + len(self._margins(objectives))
        return budget if self.options.share else budget * models

    def grid(self, objectives: int) -> Array:
        """Lattice points, those alone that give a first anchor a weight."""
        points = super().grid(objectives)
        return points[points[:, 0] > 0] if self.options.anchor == "first" else points

    def models(self, objectives: int) -> int:
        """Number of training preferences."""
        whole = super().models(objectives)
        if self.options.anchor == "largest":
            return whole
        return whole - lattice_size(objectives - 1, self.divisions(objectives))

    def divisions(self, objectives: int) -> int:
        """Divisions of the training lattice: those of the usual grid by default."""
        return self.options.divisions or usual_divisions(objectives)

    def _margins(self, objectives: int) -> range:
        """Objectives with a DPO model of their own for the margin."""
        if self.options.margin == "rewards":
            return range(0)
        return range(self.options.anchor == "first", objectives)
