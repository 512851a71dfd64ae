"""Answers of a restored policy to prompts typed by a user, with their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paretosteer import benchmark_outputs
from paretosteer.interfaces import Array
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.text.benchmark import TextBenchmark
from paretosteer.training.rollout import roll_out


@dataclass(frozen=True)
class Answer:
    """One answer to a prompt at a preference."""

    prompt: str
    preference: tuple[float, ...]
    sample: int
    text: str
    scores: dict[str, float]  # by objective, in raw units; NaN where it cannot score the text


def answers(
    benchmark: TextBenchmark,
    policy: Policy,
    prompts: Sequence[str],
    preferences: Array,
    control: Control,
    samples: int,
    seed: int,
) -> list[Answer]:
    """Answer every prompt at every preference (k, m), under the k rows of `control`."""
    typed = [benchmark.typed(prompt) for prompt in prompts]
    rows = benchmark.setting.eval_rows
    results: list[Answer] = []
    rolls: Any = roll_out(
        policy, typed, control, seed=seed, samples=samples, batch_rows=rows, benchmark=benchmark
    )
    names = [objective.name for objective in benchmark.objectives]
    for cells, _, written in rolls:
        scores = benchmark_outputs.scores(benchmark, written)  # (rows, m)
        results += [
            Answer(
                prompts[cells.prompt[row]],
                tuple(preferences[cells.point[row]].tolist()),
                int(cells.sample[row]),
                text,
                dict(zip(names, scores[row].tolist(), strict=True)),
            )
            for row, text in enumerate(written.texts)
        ]
    return results
