"""Checks of what training does, what it leaves behind, and what it must leave alone."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import torch

from paretosteer import method_outputs
from paretosteer.conformance.compare import differing, same_rows
from paretosteer.conformance.finding import Findings, NotChecked, fault, note
from paretosteer.conformance.subject import SEED, MethodSubject, Training
from paretosteer.conformance.watch import changed
from paretosteer.conformance.watch import global_state as state_of_the_process
from paretosteer.errors import UnsupportedError
from paretosteer.method import Method
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.training.trainer import Trainer

ATOL = 1e-4  # nats: another batch, or banks that were switched on and off again


def training(subject: MethodSubject) -> Findings:
    """It trains to the end and makes its policy."""
    if not isinstance(subject.outcome, Training):
        raise subject.outcome
    method = subject.outcome.method
    if not hasattr(method, "policy") or not hasattr(method, "objectives"):
        yield fault(
            "train made no policy", "begin it with self.build_policy(benchmark, trainer.seed)"
        )


def budget(subject: MethodSubject) -> Findings:
    """It takes no more optimiser steps than declared and allowed, and books all that it takes."""
    trained, m = subject.trained, subject.m
    account, method = trained.trainer.account, trained.method
    declared = method_outputs.total_steps(subject.name, method, subject.cap, m)
    if declared > subject.cap and not method.exempt:
        yield fault(
            f"declares {declared} optimiser steps under a cap of {subject.cap}",
            "share them out with trainer.split, or say exempt = True",
        )
    if account.steps > declared:
        yield fault(
            f"took {account.steps} optimiser steps and declares {declared}",
            "let total_steps say what train takes",
        )
    if account.steps < declared:
        yield note(
            f"leaves {declared - account.steps} of {declared} optimiser steps unused",
            "others use all of them: share them out with trainer.split",
        )
    if trained.optimiser_steps > account.steps:
        yield fault(
            f"optimisers took {trained.optimiser_steps} steps, {account.steps} are booked",
            "train through trainer.fit alone",
        )
    if account.steps and not account.tokens:
        yield fault("no tokens are booked", "let the feedback's batches say their tokens")
    if not account.steps and _moved(subject, trained):
        yield fault(
            "parameters were changed without a step being booked",
            "train through trainer.fit alone",
        )


def determinism(subject: MethodSubject) -> Findings:
    """One seed gives the same tensors and controls bit for bit, another seed gives others."""
    first, again, other = subject.trained, subject.train(), subject.train(SEED + 1)
    told = "draw from trainer.rng(phase) and from trainer.seed alone"
    if (name := differing(first.state, again.state)) is not None:
        yield fault(f"the same seed gave another {name}", told)
    elif not _same_control(first.method, again.method, subject):
        yield fault("the same seed gave other controls", told)
    if other.trainer.account.steps and differing(first.state, other.state) is None:
        yield fault("another seed gave the same tensors", f"do not fix the seed: {told}")


def global_state(subject: MethodSubject) -> Findings:
    """Training, controls and checkpoints leave what the process shares as it was."""
    disturbed = list(subject.trained.disturbed)
    before, method = state_of_the_process(), subject.trained.method
    with tempfile.TemporaryDirectory() as folder:
        method.control(subject.probes)
        method_outputs.save(subject.name, method, Path(folder) / "checkpoint")
        subject.make().load(Path(folder) / "checkpoint", subject.benchmark)
    disturbed += [name for name in changed(before) if name not in disturbed]
    for name in disturbed:
        yield fault(
            f"{name} changed",
            "use generators of your own, and put back what you set",
        )


def answering_trains_nothing(subject: MethodSubject) -> Findings:
    """Asking for controls and points leaves every trained tensor as it is."""
    trained = subject.trained
    before, method = trained.state, trained.method
    with torch.enable_grad():
        method.control(subject.probes)
        method.steer(subject.probes)
        method.points(subject.probes)
    if (name := differing(before, trained.state)) is not None:
        yield fault(f"{name} changed when controls were asked for", "do all training in train")


def start_policy(subject: MethodSubject) -> Findings:
    """After training, Control.start still gives the start policy."""
    start = subject.benchmark.start_policy(Unconditioned(), SEED)
    control = Control.start(len(subject.probes))
    with torch.no_grad():
        apart = subject.trained.method.policy.log_probs(subject.samples, control) - start.log_probs(
            subject.samples, control
        )
    if not apart.abs().max() <= ATOL:
        yield fault(
            f"scores of the start policy moved by up to {float(apart.abs().max()):.3g} nats",
            "train what the conditioning adds, never the start model",
        )


def unsupported_feedback(subject: MethodSubject) -> Findings:
    """Feedback that the benchmark cannot give is refused before any training."""
    if not subject.trained.trainer.account.steps:
        raise NotChecked("it trains nothing")
    trainer = Trainer.under(subject.setting, seed=SEED)
    try:
        subject.make().train(_silent(subject.benchmark), trainer)
    except UnsupportedError:
        if trainer.account.steps:
            yield fault(
                f"it is refused after {trainer.account.steps} steps", "ask for feedback first"
            )
        return
    yield fault(
        "it trains on a benchmark that declares no feedback",
        "get it from self.feedback(benchmark, trainer, kind), which refuses what is not there",
    )


# -- parts ----------------------------------------------------------------------------------


def _silent(benchmark: Any) -> Any:
    """The same benchmark, declaring no feedback."""
    silent = copy.copy(benchmark)
    silent.__class__ = type("Silent", (type(benchmark),), {"feedback": {}})
    return silent


def _same_control(one: Method, other: Method, subject: MethodSubject) -> bool:
    first, second = (method.control(subject.probes) for method in (one, other))
    return same_rows(first, second)


def _moved(subject: MethodSubject, trained: Training) -> bool:
    """Whether the policy differs from the untrained one that has the same tensors."""
    untrained = subject.make()
    untrained.build_policy(subject.benchmark, SEED)
    before, after = untrained.policy.state(), trained.state
    return before.keys() == after.keys() and differing(before, after) is not None
