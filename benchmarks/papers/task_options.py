"""Options of the published tasks: the same for all, with each task's own defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, make_dataclass
from typing import Any, get_type_hints

from paretosteer.config.options import option


@dataclass(frozen=True)
class TaskOptions:
    """Options of every published task; a task sets the defaults as published."""

    objectives: tuple[str, ...] = option((), "what to steer, two or more of the task's rewards")
    data: Mapping[str, Any] | str | None = option(
        None,
        "the task's data: a file, a folder, a hub name, or {path, split, folder, revision}",
        place=True,
    )
    rewards: Mapping[str, Any] = option(
        {},
        "what measures each objective: {path, form, logit, sign, ...}; a path alone names another "
        "model that reads the same",
        place=True,
    )
    max_new_tokens: int = option(128, "longest answer, in tokens", least=1)
    min_new_tokens: int = option(1, "shortest answer, in tokens", least=0)
    temperature: float = option(1.0, "temperature of sampling, above 0", above=0)
    top_k: int | None = option(None, "sample among the k likeliest tokens; null: all", least=1)
    greedy: bool = option(False, "answer test prompts greedily; false: as training samples")
    max_prompt_tokens: int = option(
        512, "longest prompt, in tokens; the task says which end a longer one loses", least=1
    )
    train_prompts: int | None = option(10_000, "most training prompts; null: all", least=1)
    evaluation_prompts: int | None = option(
        200, "most prompts of calibration, validation and test each; null: all", least=1
    )
    pool_prompts: int = option(
        128, "training prompts that the pool for offline feedback covers", least=1
    )
    label_temperature: float = option(
        0.25, "softness of preference labels; small: the best wins", above=0
    )


def published(**defaults: Any) -> type[TaskOptions]:
    """The options with a task's published values as defaults; their help and ranges stay."""
    types = get_type_hints(TaskOptions)
    changed = [
        (f.name, types[f.name], option(defaults[f.name], **_described(f.metadata)))
        for f in fields(TaskOptions)
        if f.name in defaults
    ]
    return make_dataclass("Options", changed, bases=(TaskOptions,), frozen=True)


def _described(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: metadata[key] for key in ("help", "place", "bare", "later")}
    return kept | metadata["bounds"]
