"""Interfaces of a policy for training, evaluation and serving.

A policy hides the shape of its benchmark behind log-probabilities of what it sampled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from paretosteer.interfaces import Drift
from paretosteer.policies.control import Control

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Parameter


class Answers(Protocol):
    """Outputs of a policy, one per row; their content is private to the benchmark."""

    @property
    def tokens(self) -> int:
        """Total number of units over all rows (tokens, ranked documents, actions)."""
        ...

    def __len__(self) -> int: ...


class Samples(Answers, Protocol):
    """Sampled answers, for training."""

    @property
    def mask(self) -> Tensor:
        """Positions that belong to the sample, (rows, T) bool."""
        ...

    @property
    def log_probs(self) -> Tensor:
        """Log-probabilities under the policy that sampled them, (rows, T)."""
        ...


@runtime_checkable
class StoredSamples(Samples, Protocol):
    """Samples whose rows can be learnt from again later."""

    def take(self, rows: Sequence[int]) -> StoredSamples:
        """These rows, repeats allowed."""
        ...


class Policy(Protocol):
    """A benchmark's model with one conditioning; under `Control.start` it is the start policy."""

    @property
    def size(self) -> int:
        """Number of weights used in a forward pass, for counting FLOPs."""
        ...

    def row_bytes(self, prompts: Sequence[Any]) -> int:
        """Estimated memory for answering the longest of these prompts, in bytes."""
        ...

    def sample(
        self, prompts: Sequence[Any], control: Control, seed: int, samples: Sequence[int]
    ) -> Samples:
        """Sample once per row, for training; prompts, control and sample numbers are aligned."""
        ...

    def answer(
        self, prompts: Sequence[Any], control: Control, seed: int, samples: Sequence[int]
    ) -> Answers:
        """Answer as for a user: with samples, or with the benchmark's own decision rule.

        These answers are scored.
        """
        ...

    def drift(self, answers: Any, control: Control) -> Drift:
        """Drift of answers under these controls from the start policy."""
        ...

    def log_probs(self, samples: Any, control: Control) -> Tensor:
        """Log-probabilities (rows, T) under each row's control, 0 outside the mask."""
        ...

    def list_log_probs(self, candidates: Any, control: Control) -> Tensor:
        """Scores (lists, n) of the candidates of lists, one control row per list."""
        ...

    def parameters(self, bank: int | None = None) -> list[Parameter]:
        """Trainable parameters, or those of one bank."""
        ...

    def keep_banks(self, banks: Sequence[int]) -> None:
        """Keep only these banks, in this order."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Trainable tensors by name."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Load the output of `state`; raise UsageError if names or shapes differ."""
        ...


@runtime_checkable
class OfTwoModels(Protocol):
    """A policy whose controls run models of different sizes."""

    def weights_passed(self, control: Control) -> int:
        """Number of weights that a token passes under a control."""
        ...


def weights_passed(policy: Policy, control: Control) -> int:
    """Number of weights that a token passes under a control: those of each pass, added up."""
    if isinstance(policy, OfTwoModels):
        return policy.weights_passed(control)
    return policy.size * control.passes


@runtime_checkable
class Dropping(Protocol):
    """A policy with dropout, whose random state has to be saved with a snapshot."""

    def dropout_state(self) -> Tensor | None:
        """State of the dropout generator as bytes; None if it has not been used yet."""
        ...

    def set_dropout_state(self, state: Tensor | None) -> None:
        """Restore the output of `dropout_state`."""
        ...
