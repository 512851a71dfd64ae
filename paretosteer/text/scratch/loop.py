"""The one loop that trains a small causal language model from random weights.

Who calls it brings the batches; what they are made from (a grammar, people's dialogues) is not its
concern.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from paretosteer.runtime.devices import resolve_dtype

IGNORED = -100  # label of a token that is not learnt: padding, what comes before

Progress = Callable[[int, int, float], None]  # steps done, all steps, loss in nats per token


@dataclass(frozen=True)
class Recipe:
    """AdamW with a linear warm-up, then a cosine to zero."""

    steps: int
    learning_rate: float
    warmup: float = 0.05  # share of the steps
    weight_decay: float = 0.01
    clip: float = 1.0  # norm of the gradient

    def rate(self, step: int) -> float:
        """The learning rate of a step as a share of the highest."""
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


@dataclass(frozen=True)
class Labelled:
    """Token ids (rows, T), padded on the right, and at each place what should stand there.

    A label is a token id, mostly the one that does stand there, or `IGNORED`.
    """

    ids: Tensor
    labels: Tensor

    @classmethod
    def of(
        cls, ids: Iterable[Sequence[int]], labels: Iterable[Sequence[int]], pad: int
    ) -> Labelled:
        """Rows of ids with their labels; the first token of a row has none to learn."""
        padded = torch.nn.utils.rnn.pad_sequence
        return cls(
            padded([torch.tensor(row) for row in ids], True, pad),
            padded([torch.tensor([IGNORED, *row[1:]]) for row in labels], True, IGNORED),
        )

    @property
    def count(self) -> int:
        """Tokens that are learnt."""
        return int((self.labels != IGNORED).sum())

    def to(self, device: torch.device) -> Labelled:
        """The same batch on a device."""
        return Labelled(self.ids.to(device), self.labels.to(device))


def fresh_llama(config: LlamaConfig, seed: int) -> LlamaForCausalLM:
    """A Llama with random weights of this seed; the global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def fit(
    model: Any, batches: Iterator[Labelled], recipe: Recipe, progress: Progress | None = None
) -> int:
    """Train on one batch a step and return the tokens learnt from.

    Weights stay float32; on a GPU that can, products are in bfloat16.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(),
        recipe.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, recipe.rate)
    tokens = 0
    model.train()
    for step, batch in enumerate(islice(batches, recipe.steps)):
        count = batch.count
        with fast_products(model.device):
            loss = summed_loss(model, batch) / count
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimiser.step()
        schedule.step()
        tokens += count
        if progress is not None:
            progress(step + 1, recipe.steps, loss.item())
    model.eval()
    return tokens


@torch.no_grad()
def cross_entropy(model: Any, batches: Iterable[Labelled]) -> float:
    """Mean negative log-likelihood of the labels in nats per token."""
    total, count = 0.0, 0
    for batch in batches:
        total += summed_loss(model, batch).item()
        count += batch.count
    return total / count


def summed_loss(model: Any, batch: Labelled) -> Tensor:
    """Summed negative log-likelihood in nats of every label.

    Padding comes last, so no token attends to it and the model needs no mask.
    """
    batch = batch.to(model.device)
    logits = model(batch.ids[:, :-1]).logits  # (rows, T - 1, vocabulary)
    labels = batch.labels[:, 1:]
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def fast_products(device: torch.device) -> AbstractContextManager[Any]:
    """Matrix products in bfloat16 where a GPU computes in it, else as they are."""
    if resolve_dtype("auto", str(device)) == "bfloat16":
        return torch.autocast("cuda", torch.bfloat16)
    return nullcontext()
