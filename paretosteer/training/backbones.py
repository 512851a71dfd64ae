"""Backbones: banks trained on the rows of a matrix of weights, whose training can be continued."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch.optim import Optimizer

from paretosteer.interfaces import Array
from paretosteer.training.feedback import Feedback
from paretosteer.training.trainer import Trainer


@dataclass
class Backbones:
    """Banks, one per row of the matrix, with the state needed to resume their training.

    Attributes
    ----------
    matrix
        Training weights, (m, m).
    banks
        Bank of every row.
    feedback
        Of every row.
    note
        Ends the names of their phases.

    """

    matrix: Array
    banks: range
    feedback: Sequence[Feedback]
    note: str = ""
    optimisers: dict[int, Optimizer] = field(default_factory=dict)  # by row

    def train(
        self, train_bank: Callable[..., Optimizer], trainer: Trainer, steps: Sequence[int]
    ) -> None:
        """Train one after the other by a method's `train_bank`, resuming where they stopped."""
        for row, bank in enumerate(self.banks):
            self.optimisers[row] = train_bank(
                bank,
                f"bank {row}{self.note}",
                self.matrix[row],
                self.feedback[row],
                trainer,
                steps[row],
                self.optimisers.get(row),
            )
