"""Bradley–Terry training of a reward model on the pairs of one objective.

The loss is −log sigmoid(r(chosen) − r(rejected)) (Ouyang et al., arXiv 2203.02155, with two
answers). The number of epochs is chosen on validation pairs, which are split off the training pairs
by prompt. Held-out pairs are used for evaluation only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from paretosteer.errors import DivergenceError, UsageError, first_line
from paretosteer.text.best_weights import BestWeights
from paretosteer.text.dialogue import Dialogue
from paretosteer.text.load_weights import load_weights, placed
from paretosteer.text.model import set_padding
from paretosteer.text.model_source import model_folder
from paretosteer.text.pairs import Pair
from paretosteer.text.read_tokenizer import read_tokenizer
from paretosteer.text.rewards.accuracy import (
    RewardFacts,
    Scorer,
    accuracy,
    calibration_error,
    log_loss,
    margins_of,
    slope,
)
from paretosteer.text.rewards.bag_of_words import (
    Progress,
    fit_bag_of_words,
    fit_tuned_bag_of_words,
)
from paretosteer.text.rewards.holdout import share_of
from paretosteer.text.rewards.reward_from_scratch import scratch_network, scratch_tokenizer
from paretosteer.text.rewards.reward_model import RewardModel
from paretosteer.text.rewards.reward_spec import RewardSpec
from paretosteer.training.snapshots import (
    Fitting,
    Journal,
    read_snapshot,
    set_torch_randomness,
    torch_randomness,
)

TRAINER_VERSION = "2"  # raise it when the same pairs would give another model
Sides = tuple[Mapping[str, list[int]], Mapping[str, list[int]]]  # encoded, chosen and rejected
_FEWEST = 8  # pairs needed for cross-validation and a validation split


@dataclass(frozen=True)
class RewardTraining:
    """Hyperparameters of a reward model's training."""

    form: str = "dialogue"
    epochs: int = 3
    batch: int = 32
    lr: float = 1e-5
    weight_decay: float = 0.1
    validation: float = 0.15  # share of the training prompts
    seed: int = 0


class PairModel(Scorer, Protocol):
    """Reward model that `fit` trains."""

    network: Any  # torch.nn.Module, with the parameters to train
    progress: Progress | None

    def encode(self, prompt: Dialogue, answer: str) -> Mapping[str, list[int]]:
        """Input of a prompt and an answer."""
        ...

    def rewards(self, rows: Sequence[Mapping[str, list[int]]]) -> torch.Tensor:
        """Rewards (rows,) of such inputs, with gradients."""
        ...


def train_reward(
    train: Sequence[Pair],
    held_out: Sequence[Pair],
    folder: Path,
    start: str | None = None,
    training: RewardTraining | None = None,
    device: torch.device | None = None,
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> RewardFacts:
    """Train on `train`, evaluate on `held_out`, and write a Hugging Face folder.

    Training starts from the body of the causal language model `start` (a folder or hub name).
    Without one it starts from a bag of tokens (see `reward_from_scratch`), which reads the answer
    alone; this model is finally retrained on all of `train` for the chosen number of epochs.
    `progress` is called with a few words at every step. A killed training run resumes from the
    snapshots of its `journal`.

    Raises
    ------
    UsageError
        If there are too few pairs, or the start model cannot be loaded.
    DivergenceError
        If the loss becomes NaN or infinite.

    """
    training = training or RewardTraining()
    device = device or torch.device("cpu")
    _check(train, held_out)
    fit_pairs, val_pairs = validation_split(train, training)
    if start is None:
        tokenizer = scratch_tokenizer(train)
        spec = RewardSpec("trained", str(folder), form="answer", logit=0)
        model = _from_scratch(spec, fit_pairs, tokenizer, training, device, progress)
        epochs = fit(model, fit_pairs, training, val_pairs, journal=journal)
        # Retraining is cheap here, and makes use of the validation pairs.
        model = _from_scratch(spec, train, tokenizer, training, device, progress)
        if epochs:
            fit(model, train, training, (), epochs, journal)
    else:
        spec = RewardSpec("trained", str(folder), form=training.form, logit=0)
        model = _from_start(spec, start, device, training.seed)
        model.progress = progress
        epochs = fit(model, fit_pairs, training, val_pairs, journal=journal)
    model.network.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return measure_reward(model, train, held_out, epochs, progress)


def validation_split(
    pairs: Sequence[Pair], training: RewardTraining
) -> tuple[list[Pair], list[Pair]]:
    """Pairs to train on, and those on which the number of epochs is chosen."""
    fit_pairs: list[Pair] = []
    val_pairs: list[Pair] = []
    for pair in pairs:
        left_out = share_of(pair.key, "validation") < training.validation
        (val_pairs if left_out else fit_pairs).append(pair)
    return fit_pairs, val_pairs


def _check(train: Sequence[Pair], held_out: Sequence[Pair]) -> None:
    if len(train) < _FEWEST or not held_out:
        raise UsageError(
            f"benchmark.pairs: {len(train)} training and {len(held_out)} held-out pairs are too "
            f"few for a reward model; provide at least {_FEWEST} and 1"
        )
    shared = {pair.key for pair in train} & {pair.key for pair in held_out}
    if shared:
        raise ValueError(f"{len(shared)} prompts are both in training and held-out pairs")


def _from_scratch(
    spec: RewardSpec,
    pairs: Sequence[Pair],
    tokenizer: Any,
    training: RewardTraining,
    device: Any,
    progress: Progress | None,
) -> RewardModel:
    network = scratch_network(pairs, tokenizer, training.seed, progress).to(device)
    model = RewardModel(spec, network, tokenizer)
    model.progress = progress
    return model


def _from_start(spec: RewardSpec, start: str, device: Any, seed: int) -> RewardModel:
    """Body of a causal language model with a new score head."""
    from transformers import AutoModelForSequenceClassification

    folder = model_folder(start)
    torch.manual_seed(seed)
    try:
        tokenizer = read_tokenizer(folder, "model.path")
        network = load_weights(
            AutoModelForSequenceClassification,
            folder,
            "model.path",
            new_head=True,
            num_labels=1,
            dtype=torch.float32,
        )
    except UsageError:
        raise
    except Exception as error:  # parsers of damaged or mismatched files raise arbitrary errors
        reason = first_line(error)
        raise UsageError(
            f"model.path: {start!r} cannot initialise a reward model ({reason}); "
            "use a folder with config.json, model.safetensors and a tokenizer, or a hub name"
        ) from None
    set_padding(tokenizer, start, None)
    network.config.pad_token_id = tokenizer.pad_token_id
    return RewardModel(spec, placed(network, device), tokenizer)


def fit(
    model: PairModel,
    pairs: Sequence[Pair],
    training: RewardTraining,
    val_pairs: Sequence[Pair],
    epochs: int | None = None,
    journal: Journal | None = None,
    at_once: int | None = None,
) -> int:
    """Train, restore the weights with the lowest validation loss, and return their epoch.

    Epoch 0 is the initialisation. Without validation pairs the last epoch is used. `at_once` is the
    number of pairs in one pass, of which a batch may need several; None: the whole batch.
    """
    network, journal = model.network, journal or Journal()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=training.lr, weight_decay=training.weight_decay
    )
    rng = np.random.default_rng(training.seed)
    last, parts = epochs or training.epochs, math.ceil(len(pairs) / training.batch)
    parameters = list(network.parameters())
    # A snapshot of another library or kind of device would not end in the same weights.
    name = f"reward model, torch {torch.__version__}, {parameters[0].device.type}"
    fitting = Fitting(name, parameters, optimiser, last * parts)
    best = BestWeights(network)
    if path := journal.open(fitting):
        tensors, state = read_snapshot(path)
        fitting.restore(tensors, state)
        best.restore(tensors, state)
        set_torch_randomness(state, fitting.gpu)  # from which a start model draws its dropout
    else:
        best.offer(0, _validation_loss(model, val_pairs))
    step = 0
    for epoch in range(1, last + 1):
        network.train()
        for part, batch in enumerate(_batches(model, pairs, training.batch, rng), start=1):
            step += 1
            if step <= fitting.done:  # in an earlier process
                continue
            if model.progress:
                model.progress(f"epoch {epoch} of {last}, batch {part} of {parts}")
            optimiser.zero_grad()
            for begin in range(0, len(batch), at_once or len(batch)):
                some = batch[begin : begin + (at_once or len(batch))]
                torch.autograd.backward(_loss(model, some) * (len(some) / len(batch)))
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            fitting.done += 1
            if part == parts:
                best.offer(epoch, _validation_loss(model, val_pairs))
            if journal.due(fitting):
                tensors, state = fitting.snapshot()
                weights, loss = best.snapshot()
                randomness = torch_randomness(fitting.gpu)
                journal.write(tensors | weights, state | loss | randomness)
    network.eval()
    return best.load(last)


def _validation_loss(model: PairModel, pairs: Sequence[Pair]) -> float:
    model.network.eval()
    return log_loss(margins_of(model, pairs)) if pairs else float("inf")


def _batches(
    model: PairModel, pairs: Sequence[Pair], size: int, rng: np.random.Generator
) -> Iterator[list[Sides]]:
    """One epoch of batches of encoded pairs.

    Pairs of similar length are batched together to save padding; the noise on the lengths varies
    the batches between epochs.
    """
    sides = [(model.encode(p.prompt, p.chosen), model.encode(p.prompt, p.rejected)) for p in pairs]
    lengths = np.array([max(len(one["input_ids"]) for one in pair) for pair in sides])
    order = np.argsort(lengths * rng.uniform(0.8, 1.25, len(pairs)))
    groups = [order[begin : begin + size] for begin in range(0, len(order), size)]
    for group in rng.permutation(len(groups)):
        yield [sides[index] for index in groups[group]]


def _loss(model: PairModel, pairs: Sequence[Sides]) -> torch.Tensor:
    rows = [pair[side] for side in (0, 1) for pair in pairs]
    chosen, rejected = model.rewards(rows).chunk(2)  # (pairs,) each
    loss = -torch.nn.functional.logsigmoid(chosen - rejected).mean()
    if not torch.isfinite(loss):
        raise DivergenceError("the loss of the reward model is not finite; lower its lr")
    return loss


def measure_reward(
    model: RewardModel,
    train: Sequence[Pair],
    held_out: Sequence[Pair],
    epochs: int = 0,
    progress: Progress | None = None,
) -> RewardFacts:
    """Evaluate a model on `held_out`, beside bags of words fitted on `train`.

    `epochs` is the epoch of its weights, 0 for a model that was not trained here. `progress` is
    called with a few words at every step.
    """
    refused = [pair for pair in held_out if model.refusal(pair.prompt)]
    if len(refused) == len(held_out):
        raise UsageError(
            f"{model.spec.option}.form: the chat template of {model.spec.path!r} refuses all "
            f"{len(held_out)} held-out pairs ({model.refusal(held_out[0].prompt)}); set "
            f"{model.spec.option}.form to another form"
        )
    if refused:
        held_out = [pair for pair in held_out if not model.refusal(pair.prompt)]
    model.truncated = 0
    model.progress = progress
    margins = margins_of(model, held_out)
    model.progress = None
    return RewardFacts(
        train_pairs=len(train),
        held_out_pairs=len(held_out),
        accuracy=accuracy(margins),
        baseline_accuracy=accuracy(fit_bag_of_words(train).margins(held_out)),
        tuned_baseline_accuracy=accuracy(fit_tuned_bag_of_words(train, progress).margins(held_out)),
        log_loss=log_loss(margins),
        ece=calibration_error(margins),
        slope=slope(margins),
        margin=float(margins.mean()),
        epochs=epochs,
        truncated=model.truncated,
        refused=len(refused),
        form=model.spec.form or "dialogue",
        logit=model.spec.logit or 0,
    )
