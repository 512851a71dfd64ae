"""Embedded start model, trained from scratch on the chosen answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.benchmarks.preferences.pair_data import Data
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.runtime.progress import PeriodicLines
from paretosteer.storage.cache import unfinished
from paretosteer.text.dialogue import transcript
from paretosteer.text.scratch.model_size import Size, size_for, smaller_sizes
from paretosteer.text.scratch.start_model import (
    EPOCHS,
    FACTS,
    SCRATCH_VERSION,
    Text,
    refuse_poor,
    train_start_model,
)
from paretosteer.training.snapshots import Journal

if TYPE_CHECKING:
    from paretosteer.config.schema import Budget
    from paretosteer.config.setting import Setting


def start_key(data: Data, budget: Budget, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Everything that the embedded start model depends on, to be digested."""
    return {
        "version": SCRATCH_VERSION,
        "sizes": [asdict(size) for size in _sizes(budget, given)],
        "pairs": data.digests,
        "judge": data.judge,
        "epochs": _epochs(budget, given),
    }


def train_start(data: Data, setting: Setting, given: Mapping[str, Any], folder: Path) -> None:
    """Train the model on the chosen answers of the training pairs and print its cross-entropy."""
    setting.say("training the start model on the chosen answers (once; then it is cached)")
    lines, last = PeriodicLines("start model", setting.say), 0

    def progress(step: int, total: int, loss: float) -> None:
        nonlocal lines, last
        if step <= last:  # of another size
            lines = PeriodicLines("start model of another size", setting.say)
        last = step
        lines.step(step, total, f"{loss:.2f} nats per token")

    facts = train_start_model(
        _texts(data, "train"),
        _texts(data, "calibration", "test"),
        folder,
        _sizes(setting.budget, given),
        validation=_texts(data, "validation"),
        epochs=_epochs(setting.budget, given),
        device=setting.device,
        progress=progress,
        journal=Journal(unfinished(folder), say=setting.say),
    )
    setting.say(
        f"start model: {facts['cross_entropy']:.2f} nats per held-out token, "
        f"{facts['unigram']:.2f} for a unigram model; {facts['parameters']:,} parameters, "
        f"step {facts['best_step']} of {facts['steps']} ({facts['epochs']:.1f} epochs)"
        f"{_choice(facts)}"
    )


def size_note(folder: Path) -> str | None:
    """Size of the start model and those it was chosen from; None if there was no choice."""
    facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    if not (choice := _choice(facts)):
        return None
    return f"The start model has {facts['parameters']:,} parameters{choice}."


def _choice(facts: Mapping[str, Any]) -> str:
    if len(facts["sizes"]) < 2:
        return ""
    losses = ", ".join(f"{s['validation']:.2f} at width {s['width']}" for s in facts["sizes"])
    return f"; width {facts['size']['width']} chosen by validation loss ({losses})"


def check_start(folder: Path) -> None:
    """Raise UsageError if the start model in a folder is hardly better than a unigram model."""
    refuse_poor(json.loads((folder / FACTS).read_text(encoding="utf-8")))


def _epochs(budget: Budget, given: Mapping[str, Any]) -> int | None:
    """Most passes over the texts; None where the number of steps is configured."""
    return None if budget.embedded_steps or "steps" in given else EPOCHS


def _sizes(budget: Budget, given: Mapping[str, Any]) -> tuple[Size, ...]:
    """Sizes to choose from; a single one where its size or training is configured."""
    size = _size(budget, given)
    fixed = budget.embedded_steps or not {"vocabulary", "batch_tokens", "context"}.issuperset(given)
    return (size,) if fixed else smaller_sizes(size)


def _size(budget: Budget, given: Mapping[str, Any]) -> Size:
    """Size for the budget, overridden by `benchmark.start`."""
    allowed = [field.name for field in fields(Size)]
    for name, value in given.items():
        if name not in allowed:
            raise UsageError(
                f"benchmark.start.{name} is not a setting; {did_you_mean(name, allowed)}"
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise UsageError(f"benchmark.start.{name}: found {value!r}, expected a number above 0")
    return size_for(budget.name, **{"steps": budget.embedded_steps, **given})


def _texts(data: Data, *parts: str) -> list[Text]:
    """Distinct pairs of a prompt, as a transcript, and its chosen answer."""
    pairs = (pair for name in data.names for pair in data.pairs(name, *parts))
    return list(dict.fromkeys((transcript(pair.prompt), pair.chosen) for pair in pairs))
