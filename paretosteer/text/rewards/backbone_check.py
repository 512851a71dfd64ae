"""Check that a backbone knows the texts that it is to read, as its tokenizer gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from paretosteer.errors import UsageError
from paretosteer.text.pairs import Pair
from paretosteer.text.rewards.backbone import Backbone

_PAIRS = 16
_TOKENS = 64  # the first of every answer
_FEWEST = 100  # tokens, from which a frequency says something


def check_reads(backbone: Backbone, pairs: Sequence[Pair]) -> None:
    """Raise UsageError if the model predicts chosen answers worse than by token frequencies.

    The frequencies are those in the answers themselves. Pretrained models predict answers far
    better (SmolLM2: 3.1 against 5.5 nats per token), but with the tokenizer of another model far
    worse (8 and more), even if its vocabulary is smaller.
    """
    losses: list[float] = []
    tokens: Counter[int] = Counter()
    for each, answer in _answers(backbone, pairs[:_PAIRS]):
        losses += each
        tokens.update(answer)
    if len(losses) < _FEWEST:
        return
    loss, shares = np.mean(losses), np.array([*tokens.values()]) / len(losses)
    entropy = -(shares * np.log(shares)).sum()
    if not loss <= entropy:
        raise UsageError(
            f"benchmark.reward_backbone: {backbone.name!r} predicts the pairs' answers worse "
            f"({loss:.1f} nats per token) than the frequencies of their tokens do ({entropy:.1f}), "
            "as untrained models do, and those with the tokenizer of another model; use a "
            "pretrained model with its own tokenizer, or set budget.checks=false"
        )


@torch.no_grad()
def _answers(backbone: Backbone, pairs: Sequence[Pair]) -> Iterator[tuple[list[float], list[int]]]:
    """Losses and tokens of each chosen answer that can be read."""
    network = backbone.model.network
    for pair in pairs:
        row = backbone.encode(pair.prompt, pair.chosen)
        if row is None:
            continue
        answer = sum(row["answer_mask"])
        kept = len(row["input_ids"]) - max(0, answer - _TOKENS)
        ids = torch.tensor([row["input_ids"][:kept]], device=network.device)
        logits = network(input_ids=ids).logits[0, -1 - min(answer, _TOKENS) : -1].float()
        own = ids[0, -len(logits) :]
        losses = torch.nn.functional.cross_entropy(logits, own, reduction="none")
        yield losses.tolist(), own.tolist()
