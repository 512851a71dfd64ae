"""How a policy reads target scores: its conditioning, the range that is chosen, the control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paretosteer.interfaces import Array
from paretosteer.policies.conditioning import Conditioning, Features, PromptText
from paretosteer.policies.control import Control
from paretosteer.policies.shifts import Shifts
from paretosteer.training.score_targets import TargetText, level_edges, target_range


def conditioning(options: Any, objectives: int) -> Conditioning:
    """Text before the prompt, or a number for each objective: soft prompt or shifts."""
    o = options
    if o.condition == "features":
        return Features(objectives, rank=o.rank, alpha=o.alpha, dropout=o.dropout)
    if o.condition == "shifts":
        return Shifts.of(objectives, o)
    return PromptText(o.rank, o.alpha, o.dropout)


def chosen_range(
    options: Any, scores: Array, names: Sequence[str], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """Range of the targets from training scores (examples, m), and once the levels, as JSON.

    `chosen` is what was chosen before; levels stay as they are.
    """
    low, high = target_range(options, scores, names)
    found = {"low": low.tolist(), "high": high.tolist()}
    if options.tokens == "attributes" and "edges" not in chosen:
        found["edges"] = level_edges(scores, options.levels).tolist()
    return found


def control(condition: str | None, targets: Array, text: TargetText) -> Control:
    """Control that states targets (k, m), as numbers or in the words of `text`."""
    if condition == "features":
        return Control.features(targets)
    if condition == "shifts":
        return Control.soup(targets)
    return Control.text(text(targets))
