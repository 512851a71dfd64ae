"""Training of a reward model on the pairs of one objective: Bradley–Terry.

Loss −log sigmoid(r(chosen) − r(rejected)) (Ouyang et al., arXiv 2203.02155, of two answers). How
many epochs to train is chosen on validation pairs that are set apart from the training pairs by
prompt; held-out pairs are only measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from paretosteer.errors import DivergenceError, UsageError, first_line
from paretosteer.text.model import check_source, set_padding
from paretosteer.text.pairs import Pair
from paretosteer.text.rewards.accuracy import (
    RewardFacts,
    accuracy,
    calibration_error,
    log_loss,
    margins_of,
    slope,
)
from paretosteer.text.rewards.bag_of_words import fit_bag_of_words, fit_tuned_bag_of_words
from paretosteer.text.rewards.holdout import share_of
from paretosteer.text.rewards.reward_from_scratch import scratch_network, scratch_tokenizer
from paretosteer.text.rewards.reward_model import RewardModel
from paretosteer.text.rewards.spec import RewardSpec

TRAINER_VERSION = "2"  # raised when the same pairs give another model
_FEWEST = 8  # pairs that can be folded and set apart


@dataclass(frozen=True)
class RewardTraining:
    """How a reward model is trained. `validation` is a share of the training prompts."""

    form: str = "dialogue"
    epochs: int = 3
    batch: int = 32
    lr: float = 1e-5
    weight_decay: float = 0.1
    validation: float = 0.15
    seed: int = 0


def train_reward(
    train: Sequence[Pair],
    held_out: Sequence[Pair],
    folder: Path,
    start: str | None = None,
    training: RewardTraining | None = None,
    device: torch.device | None = None,
) -> RewardFacts:
    """Train on `train`, measure on `held_out`, and write a Hugging Face folder.

    From a causal language model's folder (or hub name) `start`, whose body is taken over; without
    one, from a bag of tokens (see `scratch`), which reads the answer alone and is trained again on
    all of `train` for the epochs that validation chose.

    Raises
    ------
    UsageError
        If there are too few pairs, or the start model cannot be loaded.
    DivergenceError
        If the loss is not a number.

    """
    training = training or RewardTraining()
    device = device or torch.device("cpu")
    _check(train, held_out)
    fitted = [pair for pair in train if share_of(pair.key, "validation") >= training.validation]
    checked = [pair for pair in train if share_of(pair.key, "validation") < training.validation]
    if start is None:
        tokenizer = scratch_tokenizer(train)
        spec = RewardSpec("trained", str(folder), form="answer")
        model = _from_scratch(spec, fitted, tokenizer, training, device)
        epochs = _fit(model, fitted, training, checked)
        model = _from_scratch(spec, train, tokenizer, training, device)
        if epochs:
            _fit(model, train, training, (), epochs)
    else:
        spec = RewardSpec("trained", str(folder), form=training.form)
        model = _from_start(spec, start, device, training.seed)
        epochs = _fit(model, fitted, training, checked)
    model.network.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return measure_reward(model, train, held_out, epochs)


def _check(train: Sequence[Pair], held_out: Sequence[Pair]) -> None:
    if len(train) < _FEWEST or not held_out:
        raise UsageError(
            f"benchmark.pairs: {len(train)} pairs for training and {len(held_out)} held out are "
            f"too few for a reward model; at least {_FEWEST} and 1 are needed"
        )
    shared = {pair.key for pair in train} & {pair.key for pair in held_out}
    if shared:
        raise ValueError(f"{len(shared)} prompts are both in training and held out")


def _from_scratch(
    spec: RewardSpec, pairs: Sequence[Pair], tokenizer: Any, training: RewardTraining, device: Any
) -> RewardModel:
    return RewardModel(spec, scratch_network(pairs, tokenizer, training.seed).to(device), tokenizer)


def _from_start(spec: RewardSpec, start: str, device: Any, seed: int) -> RewardModel:
    """The body of a causal language model under a new score head."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    check_source(start)
    torch.manual_seed(seed)
    try:
        tokenizer = AutoTokenizer.from_pretrained(start, trust_remote_code=False)
        network = AutoModelForSequenceClassification.from_pretrained(
            start,
            num_labels=1,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except Exception as error:  # damaged or mismatched files raise whatever reads them raises
        reason = first_line(error)
        raise UsageError(
            f"model.path: no reward model can start from {start!r} ({reason}); "
            "give a folder with config.json, model.safetensors and a tokenizer, or a hub name"
        ) from None
    set_padding(tokenizer, start, None)
    tokenizer.padding_side = "right"
    network.config.pad_token_id = tokenizer.pad_token_id
    return RewardModel(spec, network.to(device), tokenizer)


def _fit(
    model: RewardModel,
    pairs: Sequence[Pair],
    training: RewardTraining,
    checked: Sequence[Pair],
    epochs: int | None = None,
) -> int:
    """Train, and keep the weights of the epoch with the smallest validation loss, 0 the start.

    Without pairs to check, the last epoch's weights are kept. Returns the epoch kept.
    """
    optimiser = torch.optim.AdamW(
        model.network.parameters(), lr=training.lr, weight_decay=training.weight_decay
    )
    rng = np.random.default_rng(training.seed)
    kept, best, weights = 0, _validation_loss(model, checked), _copied(model.network)
    for epoch in range(1, (epochs or training.epochs) + 1):
        model.network.train()
        for batch in _batches(model, pairs, training.batch, rng):
            optimiser.zero_grad()
            torch.autograd.backward(_loss(model.network, batch))
            torch.nn.utils.clip_grad_norm_(model.network.parameters(), 1.0)
            optimiser.step()
        loss = _validation_loss(model, checked)
        if not checked or loss < best:
            kept, best, weights = epoch, loss, _copied(model.network)
    model.network.load_state_dict(weights)
    model.network.eval()
    return kept


def _copied(network: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}


def _validation_loss(model: RewardModel, pairs: Sequence[Pair]) -> float:
    model.network.eval()
    return log_loss(margins_of(model, pairs)) if pairs else float("inf")


def _batches(
    model: RewardModel, pairs: Sequence[Pair], size: int, rng: np.random.Generator
) -> Iterator[Any]:
    """Every pair once, those of like length together, chosen above rejected. # (2 pairs, T)"""
    sides = [(model.encode(p.prompt, p.chosen), model.encode(p.prompt, p.rejected)) for p in pairs]
    lengths = np.array([max(len(one["input_ids"]) for one in pair) for pair in sides])
    order = np.argsort(lengths * rng.uniform(0.8, 1.25, len(pairs)))
    groups = [order[begin : begin + size] for begin in range(0, len(order), size)]
    for place in rng.permutation(len(groups)):
        rows = [sides[index][side] for side in (0, 1) for index in groups[place]]
        yield model.tokenizer.pad(rows, return_tensors="pt").to(model.network.device)


def _loss(network: Any, batch: Any) -> torch.Tensor:
    chosen, rejected = network(**batch).logits[:, 0].chunk(2)  # (pairs,) each
    loss = -torch.nn.functional.logsigmoid(chosen - rejected).mean()
    if not torch.isfinite(loss):
        raise DivergenceError("the loss of the reward model is not a number; lower its lr")
    return loss


def measure_reward(
    model: RewardModel, train: Sequence[Pair], held_out: Sequence[Pair], epochs: int = 0
) -> RewardFacts:
    """Figures of a model on `held_out`, beside those of a bag of words fitted on `train`.

    `epochs` are those that it was trained here for; 0 of a model from elsewhere.
    """
    model.truncated = 0
    margins = margins_of(model, held_out)
    return RewardFacts(
        train_pairs=len(train),
        held_out_pairs=len(held_out),
        accuracy=accuracy(margins),
        baseline_accuracy=accuracy(fit_bag_of_words(train).margins(held_out)),
        tuned_baseline_accuracy=accuracy(fit_tuned_bag_of_words(train).margins(held_out)),
        log_loss=log_loss(margins),
        ece=calibration_error(margins),
        slope=slope(margins),
        margin=float(margins.mean()),
        epochs=epochs,
        truncated=model.truncated,
    )
