"""Options of the published tasks: the same for all, with each task's own defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, create_model

from paretosteer.config.options import BaseOptions, option


class TaskOptions(BaseOptions):
    """Options of every published task; a task sets the defaults as published."""

    objectives: tuple[str, ...] = option((), "objectives: two or more of the task's rewards")
    data: Mapping[str, Any] | str | None = option(
        None,
        "the task's data: a file, a folder, a hub name, or {path, split, folder, revision}",
        place=True,
    )
    rewards: Mapping[str, Any] = option(
        {},
        "scorer of each objective: {path, form, logit, sign, ...}; a path alone replaces only "
        "the model",
        place=True,
    )
    max_new_tokens: int = option(128, "longest answer, in tokens", least=1)
    min_new_tokens: int = option(1, "shortest answer, in tokens", least=0)
    temperature: float = option(1.0, "temperature of sampling, above 0", above=0)
    top_k: int | None = option(None, "sample from the k most likely tokens; null: all", least=1)
    greedy: bool = option(False, "decode test answers greedily; false: sample as in training")
    max_prompt_tokens: int = option(
        512, "longest prompt, in tokens; the task sets which end is truncated", least=1
    )
    train_prompts: int | None = option(
        10_000, "maximum number of training prompts; null: all", least=1
    )
    evaluation_prompts: int | None = option(
        200,
        "maximum number of calibration, validation and test prompts each; null: all",
        least=1,
    )
    pool_prompts: int = option(128, "training prompts in the pool for offline feedback", least=1)
    label_temperature: float = option(
        0.25, "softness of preference labels; near 0, the best always wins", above=0
    )


def published(**defaults: Any) -> type[TaskOptions]:
    """Options with a task's published values as defaults; help and ranges are unchanged."""
    fields = {name: TaskOptions.model_fields[name] for name in defaults}
    changed: dict[str, Any] = {
        name: (
            Annotated[field.annotation, Field(description=field.description), *field.metadata],
            Field(defaults[name], json_schema_extra=field.json_schema_extra),
        )
        for name, field in fields.items()
    }
    return create_model("Options", __base__=TaskOptions, **changed)
