"""The budget rule: everything that a method trains counts against one cap on optimiser steps.

The cap is `budget.steps`, the same for every method. It covers all phases, all banks, and models
that a method trains only to choose between them, so that methods are compared at equal training.
Sampling on validation prompts takes no step; it is counted in tokens and reward calls. Methods with
`exempt = True` (MORL, one model per preference) may take more, and the leaderboard says so.
"""

from __future__ import annotations

from dataclasses import dataclass

from paretosteer.errors import ParetosteerError


@dataclass
class Account:
    """Costs of a method's training so far."""

    steps: int = 0
    tokens: int = 0
    selection_tokens: int = 0
    reward_calls: int = 0
    flops: float = 0.0

    def check(self, phase: str, steps: int, cap: int) -> None:
        """Raise ParetosteerError if a phase of so many steps would exceed the cap."""
        left = cap - self.steps
        if steps > left:
            raise ParetosteerError(
                f"phase {phase!r} asks for {steps} steps, the budget has {left} left; "
                "divide it with trainer.split"
            )

    def split(self, cap: int, parts: int) -> list[int]:
        """The remaining steps, divided evenly."""
        left = cap - self.steps
        return [left // parts + (i < left % parts) for i in range(parts)]

    def add_training(self, tokens: int, reward_calls: int, flops: float) -> None:
        """Count a batch that was sampled and learnt from; its steps count as they are taken."""
        self.tokens += tokens
        self.reward_calls += reward_calls
        self.flops += flops

    def add_selection(self, tokens: int, reward_calls: int, flops: float) -> None:
        """Count sampling on validation prompts."""
        self.selection_tokens += tokens
        self.reward_calls += reward_calls
        self.flops += flops
