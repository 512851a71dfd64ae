"""Training loop for a small causal language model with random initial weights.

The caller provides the batches, for example from a grammar or from human dialogues.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from paretosteer.runtime.devices import resolve_dtype
from paretosteer.training.snapshots import Fitting, Journal, Snapshot, read_snapshot

IGNORED = -100  # label that the loss ignores: padding, and tokens before the answer

Progress = Callable[[int, int, float], None]  # steps done, total steps, loss in nats per token


class Companion(Protocol):
    """State beside the weights that belongs into a snapshot, under keys of its own."""

    def snapshot(self) -> Snapshot:
        """Tensors by name, and the rest as JSON."""

    def restore(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Restore what `snapshot` returned."""


@dataclass(frozen=True)
class Recipe:
    """AdamW with linear warm-up, followed by cosine decay to zero."""

    steps: int
    learning_rate: float
    warmup: float = 0.05  # share of the steps
    weight_decay: float = 0.01
    clip: float = 1.0  # largest gradient norm

    def rate(self, step: int) -> float:
        """Learning rate of a step as a share of the peak."""
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


@dataclass(frozen=True)
class Labelled:
    """Token ids, padded on the right, with the label of each position."""

    ids: Tensor  # (rows, T)
    labels: Tensor  # (rows, T): the target token, usually equal to the id, or `IGNORED`

    @classmethod
    def of(
        cls, ids: Iterable[Sequence[int]], labels: Iterable[Sequence[int]], pad: int
    ) -> Labelled:
        """Pad rows of ids and labels; the first token of a row is never a target."""
        padded = torch.nn.utils.rnn.pad_sequence
        return cls(
            padded([torch.tensor(row) for row in ids], True, pad),
            padded([torch.tensor([IGNORED, *row[1:]]) for row in labels], True, IGNORED),
        )

    @property
    def count(self) -> int:
        """Number of target tokens."""
        return int((self.labels != IGNORED).sum())

    def to(self, device: torch.device) -> Labelled:
        return Labelled(self.ids.to(device), self.labels.to(device))


def fresh_llama(config: LlamaConfig, seed: int) -> LlamaForCausalLM:
    """Llama with random weights from `seed`; the global random state is not changed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def fit(
    model: Any,
    batches: Iterator[Labelled],
    recipe: Recipe,
    progress: Progress | None = None,
    journal: Journal | None = None,
    companion: Companion | None = None,
) -> int:
    """Train on one batch per step and return the number of target tokens.

    Weights are float32; matrix products use bfloat16 on GPUs that support it. With a journal, a
    killed run resumes from its last snapshot, which includes that of the `companion`; `batches` are
    then the same again, and those of steps already taken are skipped.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(),
        recipe.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, recipe.rate)
    # A snapshot of another library or kind of device would not end in the same weights.
    name = f"language model, torch {torch.__version__}, {model.device.type}"
    fitting = Fitting(name, list(model.parameters()), optimiser, recipe.steps)
    journal = journal or Journal()
    tokens = 0
    if path := journal.open(fitting):
        tensors, state = read_snapshot(path)
        fitting.restore(tensors, state)
        schedule.last_epoch, tokens = fitting.done, state["tokens"]
        if companion is not None:
            companion.restore(tensors, state)
    model.train()
    for batch in islice(batches, fitting.done, recipe.steps):
        count = batch.count
        with fast_products(model.device):
            loss = summed_loss(model, batch) / count
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimiser.step()
        schedule.step()
        tokens += count
        fitting.done += 1
        if progress is not None:
            progress(fitting.done, recipe.steps, loss.item())
        if journal.due(fitting):
            tensors, state = fitting.snapshot()
            more, rest = companion.snapshot() if companion is not None else ({}, {})
            journal.write(tensors | more, state | rest | {"tokens": tokens})
    model.eval()
    return tokens


@torch.no_grad()
def cross_entropy(model: Any, batches: Iterable[Labelled]) -> float:
    """Mean negative log-likelihood of the labels, in nats per token."""
    total, count = 0.0, 0
    for batch in batches:
        total += summed_loss(model, batch).item()
        count += batch.count
    return total / count


def summed_loss(model: Any, batch: Labelled) -> Tensor:
    """Summed negative log-likelihood of the labels, in nats."""
    # No attention mask: padding is on the right, where causal attention never looks.
    batch = batch.to(model.device)
    logits = model(batch.ids[:, :-1]).logits  # (rows, T - 1, vocabulary)
    labels = batch.labels[:, 1:]
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def fast_products(device: torch.device) -> AbstractContextManager[Any]:
    """Autocast to bfloat16 on a GPU that supports it; a null context otherwise."""
    if resolve_dtype("auto", str(device)) == "bfloat16":
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()
