"""What a restored policy answers to prompts that a user types, with its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paretosteer import benchmark_outputs
from paretosteer.interfaces import Array, Policy
from paretosteer.policies.control import Control
from paretosteer.text.benchmark import TextBenchmark
from paretosteer.training.rollout import roll_out


@dataclass(frozen=True)
class Answer:
    """One answer; `scores` are in raw units, NaN where an objective could not score the text."""

    prompt: str
    preference: tuple[float, ...]
    sample: int
    text: str
    scores: dict[str, float]


def answers(
    benchmark: TextBenchmark,
    policy: Policy,
    prompts: Sequence[str],
    preferences: Array,
    control: Control,
    samples: int,
    seed: int,
) -> list[Answer]:
    """Answer every prompt at every preference (k, m), whose control rows are given."""
    typed = [benchmark.typed(prompt) for prompt in prompts]
    rows = benchmark.setting.eval_rows
    found: list[Answer] = []
    rolls: Any = roll_out(policy, typed, control, seed=seed, samples=samples, batch_rows=rows)
    names = [objective.name for objective in benchmark.objectives]
    for cells, _, written in rolls:
        scores = benchmark_outputs.scores(benchmark, written)  # (rows, m)
        found += [
            Answer(
                prompts[cells.prompt[row]],
                tuple(preferences[cells.point[row]].tolist()),
                int(cells.sample[row]),
                text,
                dict(zip(names, scores[row].tolist(), strict=True)),
            )
            for row, text in enumerate(written.texts)
        ]
    return found
