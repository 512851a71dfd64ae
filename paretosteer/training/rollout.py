"""Answering under a whole grid of controls at once: every prompt under each, in full batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from paretosteer import benchmark_outputs
from paretosteer.benchmark import Benchmark
from paretosteer.interfaces import Array, Exact
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Answers, Policy, weights_passed
from paretosteer.runtime.accelerate_processes import from_first
from paretosteer.runtime.batch_size import EvalRows
from paretosteer.training import candidate_selection
from paretosteer.training.scoring import Scorer

if TYPE_CHECKING:
    from paretosteer.training.trainer import Trainer


@dataclass(frozen=True)
class GridRows:
    """Rows of a grid: control point, prompt index and sample number, each (rows,)."""

    point: NDArray[np.int64]
    prompt: NDArray[np.int64]
    sample: NDArray[np.int64]

    @classmethod
    def of(cls, points: int, prompts: int, samples: int) -> GridRows:
        """Every point with every prompt and sample number; the prompt varies slowest.

        Rows that share a prompt stand together, so a batch pads little.
        """
        prompt, point, sample = np.indices((prompts, points, samples)).reshape(3, -1)
        return cls(point, prompt, sample)

    def __len__(self) -> int:
        return len(self.point)

    def part(self, start: int, stop: int) -> GridRows:
        """A run of rows."""
        return self._rows(slice(start, stop))

    def at(self, points: NDArray[np.int64]) -> GridRows:
        """Rows of these control points."""
        return self._rows(np.isin(self.point, points))

    def _rows(self, index: Any) -> GridRows:
        return GridRows(self.point[index], self.prompt[index], self.sample[index])


def whole(cells: GridRows, control: Control, answers: Answers) -> tuple[GridRows, Control, Answers]:
    """A batch that is not split."""
    return cells, control, answers


def roll_out(
    policy: Policy,
    prompts: Sequence[Any],
    control: Control,
    *,
    seed: int,
    samples: int,
    batch_rows: int | EvalRows,
    benchmark: Benchmark | None = None,
    then: Callable[[GridRows, Control, Any], Any] = whole,
) -> Iterator[Any]:
    """Answer every prompt under every row of `control`, `samples` times, `batch_rows` at once.

    Yield `then(answers)` of each batch; `then` too is retried in smaller batches without memory.
    `benchmark` scores the candidates where the control asks for the best of several.
    """
    limit = EvalRows(batch_rows) if isinstance(batch_rows, int) else batch_rows
    size = 0 if limit.given else policy.row_bytes(prompts)
    whole_grid = GridRows.of(control.rows, len(prompts), samples)
    for candidates, points in candidate_selection.candidate_counts(control):
        cells = whole_grid if points is None else whole_grid.at(points)

        def work(start: int, stop: int, cells: GridRows = cells) -> Any:
            part = cells.part(start, stop)
            rows = control.take(torch.as_tensor(part.point))
            chosen = [prompts[i] for i in part.prompt]
            answers = candidate_selection.answer(
                policy, benchmark, chosen, rows, seed, part.sample.tolist()
            )
            return then(part, rows, answers)

        yield from limit.batches(len(cells), size, work, repeats=candidates)


def sample_rows(
    policy: Policy,
    prompts: Sequence[Any],
    control: Control,
    *,
    seed: int,
    batch_rows: int | EvalRows,
) -> Iterator[Any]:
    """Sample once per row of prompts and `control`, `batch_rows` at once; rows are the numbers."""

    def work(start: int, stop: int) -> Any:
        rows = list(range(start, min(stop, len(prompts))))
        chosen = [prompts[i] for i in rows]
        return policy.sample(chosen, control.take(torch.tensor(rows)), seed, rows)

    limit = EvalRows(batch_rows) if isinstance(batch_rows, int) else batch_rows
    return limit.batches(len(prompts), 0 if limit.given else policy.row_bytes(prompts), work)


def validation_points(
    policy: Policy, benchmark: Benchmark, control: Control, trainer: Trainer
) -> Array:
    """Points (k, m) of k controls on validation prompts, as in figures; counted as selection.

    Mean normalised scores, less the price of the KL in a world whose points are regularised.
    """
    prompts = benchmark_outputs.prompts(benchmark, "validation")
    scorer = Scorer(benchmark, purpose="validation")
    price = benchmark.kl_coefficient if isinstance(benchmark, Exact) else 0.0
    total = np.zeros((control.rows, len(benchmark.objectives)))
    rolls = roll_out(
        policy,
        prompts,
        control,
        seed=trainer.seed,
        samples=1,
        batch_rows=trainer.batch_rows,
        benchmark=benchmark,
    )
    for cells, rows, samples in rolls:
        gain = benchmark.normaliser.apply(scorer.score(samples))
        if price:
            gain = (
                gain
                - price * candidate_selection.drift(policy, benchmark, samples, rows).kl[:, None]
            )
        np.add.at(total, cells.point, gain)
        trainer.select(samples.tokens, len(samples), weights_passed(policy, rows))
    return from_first(trainer.accelerator, total / len(prompts))
