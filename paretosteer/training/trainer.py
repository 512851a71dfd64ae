"""Training loop: draw weights, collect feedback, step an optimiser, account for the cost.

Everything a method trains passes through `Trainer.fit`, so the budget (a cap on optimiser steps,
selection included) and the log are the same for all of them.
"""

from __future__ import annotations

import csv
import math
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import Parameter

from paretosteer.errors import DivergenceError
from paretosteer.interfaces import Array
from paretosteer.policies.control import Control
from paretosteer.policies.kl import TRAIN_LESS, brief_damage, damage
from paretosteer.policies.protocols import Policy, weights_passed
from paretosteer.runtime.accelerate_processes import accelerator, averaged, from_first, gathered
from paretosteer.runtime.batch_size import out_of_memory
from paretosteer.runtime.progress import first_in_sweep
from paretosteer.training.budget import Account
from paretosteer.training.draws import Draw, Draws
from paretosteer.training.feedback import Batch, Feedback
from paretosteer.training.snapshots import Journal, Phase, read_snapshot

if TYPE_CHECKING:
    from accelerate import Accelerator

    from paretosteer.config.setting import Setting
    from paretosteer.runtime.batch_size import EvalRows

OnStep = Callable[[int, dict[str, float | str]], None]
LOWEST_ENTROPY = 1e-3  # nats per token; a policy below it has stopped being a distribution
PATIENCE = 5  # collapsed batches in a row that stop a run
MAX_GRADIENT = 1.0


@dataclass(frozen=True)
class Part:
    """A part of a training batch: the draws of its prompts, their controls and the data."""

    draws: Draws
    rows: Control
    batch: Batch


@dataclass
class Trainer:
    """Run a method's phases under one budget, seed and log.

    Parameters
    ----------
    accelerator
        Device, precision and processes.
    steps
        The cap on optimiser steps over all phases.
    rows
        Samples per optimiser step over all processes, equal for every method.
    samples
        Samples per prompt with reward feedback.
    batch_rows
        Rows sampled at once when a method evaluates candidates on validation prompts.
    seed
        Seed of the cell. A phase's own stream also hashes its name, so equal phases of two methods
        meet the same prompts and noise.
    on_step
        Called with (step, figures) after every optimiser step, for progress bars and trackers.
    journal
        Stores snapshots, from which a killed run resumes.
    say
        Shows one line to the user.

    """

    accelerator: Accelerator
    steps: int
    rows: int
    samples: int
    seed: int
    batch_rows: int | EvalRows = 256
    on_step: OnStep = lambda step, figures: None
    journal: Journal = field(default_factory=Journal)
    say: Callable[[str], None] = lambda line: None
    account: Account = field(default_factory=Account)
    log: list[dict[str, float | str]] = field(default_factory=list)
    parts: int = 1  # pieces that a batch is split into; doubled whenever memory runs out

    def __post_init__(self) -> None:
        self._began = time.perf_counter()
        self._visits: Counter[str] = Counter()
        self.drift_warned = False

    @property
    def seconds(self) -> float:
        """Time spent so far, including earlier runs of the same training."""
        return time.perf_counter() - self._began

    @classmethod
    def under(
        cls,
        setting: Setting,
        *,
        seed: int,
        steps: int | None = None,
        on_step: OnStep | None = None,
        journal: Journal | None = None,
    ) -> Trainer:
        """A trainer with a setting's budget and device; `steps` replaces its cap."""
        budget = setting.budget
        steps = steps or budget.steps
        assert steps is not None  # a plan fills in the benchmark's
        return cls(
            accelerator(setting.device),
            steps=steps,
            rows=budget.prompts * budget.samples,
            samples=budget.samples,
            seed=seed,
            batch_rows=setting.eval_rows,
            on_step=on_step or (lambda step, figures: None),
            journal=journal or Journal(),
            say=setting.say,
        )

    def rng(self, name: str) -> np.random.Generator:
        """Random stream of a phase: a new one for each process and each phase of that name."""
        key, visit = zlib.crc32(name.encode()), self._visits[name]
        self._visits[name] += 1
        return np.random.default_rng([self.seed, key, visit, self.accelerator.process_index])

    def split(self, parts: int) -> list[int]:
        """Remaining steps, divided evenly."""
        return self.account.split(self.steps, parts)

    def fit(
        self,
        name: str,
        policy: Policy,
        feedback: Feedback,
        *,
        draw: Draw,
        control: Callable[[Draws], Control],
        parameters: Sequence[Parameter],
        steps: int,
        optimiser: torch.optim.Optimizer | float,
        lead: str | None = None,
    ) -> torch.optim.Optimizer:
        """Train `parameters` for `steps` optimiser steps in a phase `name`; return the optimiser.

        `optimiser` is a learning rate for a new Adam, or one that an earlier phase returned, to
        continue with its state. The rate falls linearly to 0 over the phase, since the noise left
        in a converged policy is proportional to the size of the last steps. `lead` is the figure
        that progress shows first, such as the objective that the phase is for.

        Raises
        ------
        DivergenceError
            On a loss that is not finite, or when entropy has collapsed.

        """
        self.account.check(name, steps, self.steps)
        parameters = list(parameters)
        if isinstance(optimiser, float):
            optimiser = torch.optim.Adam(parameters, lr=optimiser)
        phase = Phase(name, parameters, optimiser, steps, policy, feedback, self.rng(name), lead)
        # The first process decides for all: another may see an older state of the folder.
        if path := from_first(self.accelerator, self.journal.open(phase)):
            self._resume(phase, *read_snapshot(path))
        while not phase.finished:
            self._learn(phase, draw, control)
            self._keep(phase)
        return optimiser

    def select(self, tokens: int, reward_calls: int, parameters: int) -> None:
        """Add the cost of a selection on validation prompts to the account.

        `parameters` are those that a token passes: a mixture's once per policy.
        """
        self.account.add_selection(tokens, reward_calls, 2.0 * parameters * tokens)

    def write_log(self, path: Path, objectives: Sequence[str]) -> None:
        """Write the log as CSV: step, phase, loss, objectives in raw units, KL, tokens, seconds.

        Further figures of the feedback follow as columns of their own.
        """
        names = ["step", "phase", "loss", *objectives, "kl", "entropy", "tokens", "seconds"]
        names += dict.fromkeys(name for row in self.log for name in row if name not in names)
        with path.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, names, restval="")
            writer.writeheader()
            writer.writerows(self.log)

    # -- one batch --------------------------------------------------------------------------

    def _learn(self, phase: Phase, draw: Draw, control: Callable[[Draws], Control]) -> None:
        """Collect one batch and take the optimiser steps of its feedback."""
        share = max(1, self.rows // phase.feedback.rows_per_draw // self.accelerator.num_processes)
        draws = phase.feedback.complete(draw(phase.rng, share))
        parts, loss = self._first_gradients(phase, draws, control)
        figures = averaged(self.accelerator, _mean_figures(parts))
        phase.collapsed = self._check_entropy(phase.name, figures, phase.collapsed)
        self._warn_of_damage(phase.name, figures, parts)
        updates = min(phase.feedback.updates, phase.steps - phase.done)
        for update in range(updates):
            if update:
                loss = self._gradients(phase, parts)
            loss = self._step(phase, loss)
            if update == 0:
                self._book(phase, parts)
            self._record(phase, loss, figures)

    def _first_gradients(
        self, phase: Phase, draws: Draws, control: Callable[[Draws], Control]
    ) -> tuple[list[Part], float]:
        """Collect a batch and its gradients, in twice as many parts whenever memory runs out."""
        before = phase.randomness()
        while True:
            try:
                parts = [self._collect(phase, part, control) for part in draws.parts(self.parts)]
                return parts, self._gradients(phase, parts)
            except RuntimeError as error:
                if not out_of_memory(error) or self.parts >= len(draws.weights):
                    raise
            parts = []  # frees the collected batches
            self.parts *= 2
            self.say(f"out of memory; continuing with each training batch in {self.parts} parts")
            phase.set_randomness(before)

    def _collect(self, phase: Phase, draws: Draws, control: Callable[[Draws], Control]) -> Part:
        rows = control(draws).to(self.accelerator.device)
        batch = phase.feedback.collect(phase.policy, draws, rows, phase.rng)
        if draws.others is not None:
            others = control(replace(draws, weights=draws.others))
            batch = replace(batch, others=others.to(self.accelerator.device))
        return Part(draws, rows, batch)

    def _gradients(self, phase: Phase, parts: Sequence[Part]) -> float:
        """Accumulate the gradients of all parts on the parameters; return the loss."""
        phase.optimiser.zero_grad(set_to_none=True)
        total, terms = 0.0, sum(part.batch.terms for part in parts)
        for part in parts:
            with self.accelerator.autocast():
                loss = phase.feedback.loss(phase.policy, part.batch, part.draws, part.rows)
            loss = loss * (part.batch.terms / terms)
            total += float(loss.detach())
            self.accelerator.backward(loss)
        return total

    def _step(self, phase: Phase, loss: float) -> float:
        """Take one optimiser step along the gradients; return the loss over all processes.

        The rate falls linearly over the phase.
        """
        loss = averaged(self.accelerator, {"loss": loss})["loss"]
        if not math.isfinite(loss):
            raise DivergenceError(
                f"phase {phase.name!r}, step {self.account.steps + 1}: the loss is {loss}; "
                "lower method.learning_rate or raise method.kappa"
            )
        _set_rate(phase.optimiser, 1 - phase.done / phase.steps)
        self._average_gradients(phase.parameters)
        torch.nn.utils.clip_grad_norm_(phase.parameters, MAX_GRADIENT)
        phase.optimiser.step()
        phase.done += 1
        self.account.steps += 1
        return loss

    def _average_gradients(self, parameters: Sequence[Parameter]) -> None:
        """Average over processes. Banks are small, so plain reductions need no wrapper."""
        if self.accelerator.num_processes > 1:
            for p in parameters:
                grad = torch.zeros_like(p) if p.grad is None else p.grad
                p.grad = self.accelerator.reduce(grad, reduction="mean")

    def _check_entropy(self, name: str, figures: dict[str, float], collapsed: int) -> int:
        if figures.get("entropy", math.inf) >= LOWEST_ENTROPY:
            return 0
        if collapsed + 1 >= PATIENCE:
            raise DivergenceError(
                f"phase {name!r}, step {self.account.steps}: entropy has been below "
                f"{LOWEST_ENTROPY} nats per token for {PATIENCE} batches, the policy repeats one "
                "text; raise method.kappa or lower method.learning_rate"
            )
        return collapsed + 1

    def _warn_of_damage(self, name: str, figures: dict[str, float], parts: Sequence[Part]) -> None:
        """Say once in each training that the policy has drifted too far."""
        if self.drift_warned:
            return
        tokens = sum(part.batch.tokens for part in parts) / sum(part.batch.terms for part in parts)
        if warning := damage(figures.get("kl", 0.0), tokens):
            self.drift_warned = True
            step = f"phase {name!r}, step {self.account.steps + 1}"
            full = f"{step}: {warning}; {TRAIN_LESS}"
            first = first_in_sweep("trained_damage")
            self.say(f"warning: {full if first else brief_damage(figures['kl'])}")

    def _book(self, phase: Phase, parts: Sequence[Part]) -> None:
        processes = self.accelerator.num_processes
        tokens = sum(part.batch.tokens for part in parts) * processes
        # A mixture needs a forward pass per policy. The start scores of `Reward` need only one, so
        # its cost is an upper bound.
        passed = sum(p.batch.tokens * weights_passed(phase.policy, p.rows) for p in parts)
        calls = sum(part.batch.reward_calls for part in parts) * processes
        flops = phase.feedback.flops_per_weight * passed * processes
        self.account.add_training(tokens, calls, flops)

    def _record(self, phase: Phase, loss: float, figures: dict[str, float]) -> None:
        row: dict[str, float | str] = {"step": self.account.steps, "phase": phase.name}
        row |= {name: value for name, value in figures.items() if name == phase.lead}
        row |= {"loss": loss} | figures
        row |= {"tokens": self.account.tokens, "seconds": self.seconds}
        self.log.append(row)
        self.on_step(self.account.steps, row)

    # -- resuming ---------------------------------------------------------------------------

    def _keep(self, phase: Phase) -> None:
        """Write a snapshot if one is due. The first process decides and writes, all contribute."""
        if not from_first(self.accelerator, self.journal.due(phase)):
            return
        tensors, state = phase.snapshot()
        state["trainer"] = {
            "account": asdict(self.account),
            "log": self.log,
            "seconds": self.seconds,
        }
        own = {"randomness": phase.randomness(), "parts": self.parts}
        state["processes"] = gathered(self.accelerator, own)
        if self.accelerator.is_main_process:
            self.journal.write(tensors, state)

    def _resume(
        self, phase: Phase, tensors: dict[str, torch.Tensor], state: dict[str, Any]
    ) -> None:
        """Restore a snapshot and replay the log to `on_step`."""
        phase.restore(tensors, state)
        own = state["processes"][self.accelerator.process_index]
        phase.set_randomness(own["randomness"])
        self.parts = own["parts"]
        shared, known = state["trainer"], len(self.log)
        self.say(f"{phase.name}: resuming at step {phase.done} of {phase.steps}")
        self.account, self.log = Account(**shared["account"]), shared["log"]
        self._began = time.perf_counter() - shared["seconds"]
        for row in self.log[known:]:
            self.on_step(int(row["step"]), row)


def _mean_figures(parts: Sequence[Part]) -> dict[str, float]:
    """Figures of a batch: means over its parts, which are of nearly equal length."""
    figures = [part.batch.figures or {} for part in parts]
    sizes = [len(part.draws.weights) for part in parts]
    return {
        name: sum(n * each[name] for n, each in zip(sizes, figures, strict=True)) / sum(sizes)
        for name in figures[0]
    }


def _set_rate(optimiser: torch.optim.Optimizer, share: float) -> None:
    """Set every group's learning rate to a share of its initial one."""
    for group in optimiser.param_groups:
        group["lr"] = share * group.setdefault("initial_lr", group["lr"])


def unit(objectives: int, i: int) -> Array:
    """Preference for objective i alone, (m,)."""
    return np.eye(objectives)[i]
