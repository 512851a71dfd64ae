"""Checks of what a benchmark gives to learn from: each kind that it declares, for one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from paretosteer.benchmark import Benchmark
from paretosteer.conformance.finding import Findings, NotChecked, fault
from paretosteer.conformance.subject import BANKS, SEED, BenchmarkSubject
from paretosteer.errors import UnsupportedError
from paretosteer.interfaces import Array
from paretosteer.method import Method, TrainingOptions
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.training.trainer import Trainer

ATOL = 1e-3  # nats


class OneStep(Method):
    """Two banks, of which the first takes one step on the middle of the simplex."""

    Options = TrainingOptions
    kind: str

    def conditioning(self, objectives: int) -> Banks:
        """Two banks."""
        return BANKS

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        """One step."""
        self.build_policy(benchmark, trainer.seed)
        middle = np.full(self.m, 1 / self.m)
        feedback = self.feedback(benchmark, trainer, self.kind)
        self.train_bank(0, self.kind, middle, feedback, trainer, 1)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        """The bank, whatever the preference."""
        return Control.bank([0] * len(preferences))


def feedback(subject: BenchmarkSubject) -> Findings:
    """Every kind of feedback that it declares teaches a bank in one step."""
    world = subject.world
    if not world.feedback:
        yield fault("declares none", "methods learn from reward, preference or imitation: give one")
    untrained = subject.banked().state()
    for kind in world.feedback:
        method, trainer = OneStep(TrainingOptions()), Trainer.under(subject.setting, seed=SEED)
        method.kind = kind
        try:
            method.train(world, trainer)
        except UnsupportedError as reason:
            yield fault(f"{kind} is declared and refused: {reason}", "declare what is supported")
            continue
        if not trainer.account.tokens:
            yield fault(
                f"{kind}: a step books no tokens", "count the tokens of what is learnt from"
            )
        after = method.policy.state()
        if all(torch.equal(untrained[name], after[name]) for name in after):
            yield fault(
                f"{kind}: a step changes nothing", "give it something to tell samples apart"
            )


def preference_lists(subject: BenchmarkSubject) -> Findings:
    """Lists have one label per candidate and objective, and the start policy's own scores."""
    world, m = subject.world, subject.m
    if "preference" not in world.feedback:
        raise NotChecked("it declares no preference feedback")
    own = world.training_defaults(world.options)
    weights = np.full((4, m), 1 / m)
    lists, again = (
        world.lists(np.random.default_rng(SEED), weights, own.get("list_size")) for _ in range(2)
    )
    if not torch.equal(lists.labels, again.labels):
        yield fault(
            "one generator gave other lists", "draw from the generator that is given, alone"
        )
    shape = (*lists.start.shape, m)
    if tuple(lists.labels.shape) != shape or len(lists.start) != len(weights):
        yield fault(
            f"labels have shape {tuple(lists.labels.shape)} beside start scores of "
            f"{tuple(lists.start.shape)} for {len(weights)} lists",
            "give labels (lists, n, m) and start scores (lists, n)",
        )
        return
    total = lists.labels.sum(dim=1)
    if (lists.labels < 0).any() or not torch.isfinite(lists.labels).all() or not (total > 0).any():
        yield fault("labels are negative, missing, or all 0", "give shares of each list")
    with torch.no_grad():
        found = subject.start.list_log_probs(lists.candidates, Control.start(len(weights)))
    apart = (found.cpu() - lists.start.cpu()).abs()
    if lists.mask is not None:
        apart = apart[lists.mask.cpu()]
    if not float(apart.max()) <= ATOL:
        yield fault(
            f"their start scores are up to {float(apart.max()):.3g} nats from the start policy's",
            "take them from list_log_probs under Control.start",
        )
