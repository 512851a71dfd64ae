"""MODPO: one model per preference, by DPO on one objective with the others' rewards as margin.

Zhou et al., "Beyond one-preference-fits-all alignment", arXiv 2310.03708. On pairs of the anchor
objective a the loss is -log sigmoid(rho+ - rho-) with
rho = (1 / w_a) [beta log(pi / pi_0) - sum_{k != a} w_k r_k]. It was read in the released code, as
were the margins of implicit rewards; a is the first objective there. As 1 / w_a then grows without
bound, ours is the objective of the largest weight by default (`anchor`). Lists of more than two
candidates are COS-DPO's baseline of the same name.

Every model has the whole budget, those of the margin too, so the method is exempt from the cap as
MORL is; with `share` they divide one budget. Models of the margin that are given as adapters
(`margins`) are not trained, and what they cost is unknown.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from paretosteer import (
    Array,
    Benchmark,
    MarginPreference,
    ModelPerPreference,
    Trainer,
    Unconditioned,
    lattice_size,
    option,
    unit,
    usual_divisions,
)
from paretosteer.text.given_adapters import GivenAdapters, is_text


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
        margins: tuple[str, ...] | None = option(
            None,
            "PEFT LoRA folders of these models, one per objective, in the objectives' order, "
            "trained from the start model at this beta_dpo; null: train them",
            place=True,
            only={"margin": ("models",)},
        )

    def __init__(self, chosen: Any):
        super().__init__(chosen)
        self.given = _given(chosen)

    @property
    def cost_unknown(self) -> bool:  # type: ignore[override]
        """True if the models of the margin were trained elsewhere."""
        return self.given is not None

    @classmethod
    def content_key(cls, options: Any) -> str | None:
        """Digest of the given models of the margin, if any."""
        return given.digest() if (given := _given(options)) else None

    def check(self, objectives: int) -> None:
        """Check for one model per objective where they are given."""
        if self.given:
            self.given.check_number(objectives)

    def prepare(self, benchmark: Benchmark) -> None:
        """Refuse models that are not the start model's before anything is written."""
        if self.given and is_text(benchmark):
            self.given.check_start(benchmark)

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """Train the models of the margin, if any, then one model per preference."""
        m = len(benchmark.objectives)
        models, margins = self.models(m), self._margins(m)
        self.build_policy(benchmark, trainer.seed, self.banks(models + len(margins)))
        trainer.steps = self.total_steps(trainer.steps, m)
        steps = trainer.split(models + len(margins))
        trained = dict(zip(margins, range(models, models + len(margins)), strict=True))
        feedback = self.feedback(benchmark, trainer, self.options.feedback)
        assert isinstance(feedback, MarginPreference)
        if self.options.margin == "models":
            feedback.specialists = trained
            if self.given:
                feedback.given = benchmark.start_policy(Unconditioned(), trainer.seed)
                self.given.fill(feedback.given, benchmark.name)
                feedback.specialists = {k: k for k in self._in_margin(m)}
            # Of lists that have no key, each time.
            feedback.flops_per_weight += 2.0 * len(feedback.specialists)
        for objective, bank in trained.items():
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
        """Objectives with a DPO model that is trained for the margin."""
        if self.options.margin == "rewards" or self.given:
            return range(0)
        return self._in_margin(objectives)

    def _in_margin(self, objectives: int) -> range:
        """Objectives whose rewards are part of some margin."""
        return range(self.options.anchor == "first", objectives)


def _given(options: Any) -> GivenAdapters | None:
    return None if options.margins is None else GivenAdapters(options.margins, "method.margins")
