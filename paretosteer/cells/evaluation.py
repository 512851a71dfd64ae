"""Sampling and scoring of a trained method, preference by preference.

Points are taken in blocks of about one batch. The result of a block is written at once, so a killed
cell resumes with the next block. Blocks depend on the configuration alone, and so does every batch.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from paretosteer import benchmark_outputs, method_outputs
from paretosteer.cells.scores import KEYS, read_samples
from paretosteer.errors import DivergenceError
from paretosteer.interfaces import Array, Point, Rewarded
from paretosteer.method import Method
from paretosteer.policies.control import Control
from paretosteer.runtime.batch_size import MOST
from paretosteer.runtime.progress import OnStep, say
from paretosteer.storage.digest import digest
from paretosteer.storage.pieces import Pieces
from paretosteer.training import candidate_selection
from paretosteer.training.rollout import GridRows, roll_out
from paretosteer.training.scoring import Scorer, filled

DRIFT = ["kl", "start_nll", "tokens"]
_JUDGED = "judged "  # prefix of a judge's columns in a piece

Block = range  # of points


class Evaluation:
    """Sampling and scoring of a trained method at its points, on the test prompts.

    Parameters
    ----------
    method, benchmark
        The trained method and the benchmark it was trained on.
    points
        Preferences with dials to evaluate.
    seed, samples
        Seed of the noise, and the number of samples per prompt.
    own_noise
        Key of the noise of this cell; each of its points then has noise of its own. If empty, all
        points of all cells with the same seed meet the same noise.

    """

    def __init__(
        self,
        method: Method,
        benchmark: Any,
        points: Sequence[Point],
        seed: int,
        samples: int,
        own_noise: str = "",
    ):
        self.method, self.benchmark, self.points = method, benchmark, points
        self.seed, self.samples, self.own_noise = seed, samples, own_noise
        self.seconds = 0.0  # over all blocks, those of interrupted runs included
        self.prompts = benchmark.prompts("test")
        self.on_row: OnStep = lambda row, figures: None  # shows progress
        self._row = 0

    @property
    def rows(self) -> int:
        """Number of samples in all."""
        return len(self.points) * len(self.prompts) * self.samples

    def sample(self, kept: Path) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """Drift of every sample, and its text where the benchmark can show it."""
        table = self._pieces(kept, self._sampled)
        shown = [name for name in table if name not in {*KEYS, *DRIFT}]
        return table[KEYS + DRIFT], table[KEYS + shown] if shown else None

    def score(self, kept: Path, cell: Path) -> tuple[pd.DataFrame, pd.DataFrame | None, Scorer]:
        """Raw scores of the samples, a judge's scores if there is one, and the counts of failures.

        Raises
        ------
        ScoringError
            If too many samples cannot be scored, or scoring does not end.

        """
        objectives = self.benchmark.objectives
        names = [objective.name for objective in objectives]
        scorer = Scorer(self.benchmark, grace=self.rows)
        texts = read_samples(cell)

        def scored(block: Block) -> pd.DataFrame:
            return self._scored(block, texts, scorer)

        table = self._pieces(kept, scored, lambda piece: scorer.book(piece[names].to_numpy()))
        table[names] = filled(objectives, table[names].to_numpy())
        judged = [name for name in map(str, table) if name.startswith(_JUDGED)]
        if not judged:
            return table[KEYS + names], None, scorer
        frame = table[KEYS + judged].rename(columns=dict(zip(judged, names, strict=True)))
        Scorer(self.benchmark, purpose="judged").count(frame[names].to_numpy())
        frame[names] = filled(objectives, frame[names].to_numpy())
        return table[KEYS + names], frame, scorer

    def extra_measures(self) -> dict[str, list[list[float]]]:
        """What the benchmark measures of the policy besides scores, a row for each point."""
        control = self.control(range(len(self.points)))
        return benchmark_outputs.extra_measures(self.benchmark, self.method.policy, control)

    def switch_seconds(self) -> float:
        """Time from a new preference to a policy conditioned on it."""
        mu = np.array([self.points[0].preference])  # (1, m)
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            self.method.turn_to(mu).to(self.benchmark.setting.device)
            taken.append(time.perf_counter() - began)
        return statistics.median(taken)

    def decoding_cost(self) -> dict[str, float]:
        """Forward passes per token and scored candidates per answer, means over preferences.

        Of the points without dials, by which methods are compared.
        """
        mu = np.array([point.preference for point in self.points if not point.dials])
        control = self.method.control(mu)
        rows = [control.take(torch.tensor([row])) for row in range(control.rows)]
        drawn = [candidate_selection.count(row) for row in rows]
        passes = [row.passes * n for row, n in zip(rows, drawn, strict=True)]
        return {
            "forward_passes_per_token": statistics.fmean(passes),
            "reward_calls_per_answer": statistics.fmean(n if n > 1 else 0 for n in drawn),
        }

    def control(self, block: Block) -> Control:
        """Control rows of a block of points."""
        return method_outputs.control(self.method, [self.points[i] for i in block])

    # -- parts ------------------------------------------------------------------------------

    def _pieces(
        self,
        kept: Path,
        make: Callable[[Block], pd.DataFrame],
        then: Callable[[pd.DataFrame], object] = lambda piece: None,
    ) -> pd.DataFrame:
        """Table of all blocks, by point, prompt and sample; blocks on disk are not repeated.

        A block with missing values is not written: what failed may work the next time.
        """
        files, blocks = Pieces(kept, ".parquet", say), self._blocks()
        pieces = []
        for block in blocks:
            name = f"{block.start:06d}"
            path = files.find(name)
            self._row = block.start * len(self.prompts) * self.samples
            piece = _timed(make, block) if path is None else pd.read_parquet(path)
            then(piece)
            last = block is blocks[-1]  # the whole table is written right after it
            if path is None and not last and not piece.isna().any(axis=None):
                files.write(name, _parquet(piece))
            self.seconds += piece.attrs.pop("seconds")  # not part of the result
            pieces.append(piece)
        table = pd.concat(pieces, ignore_index=True)
        return table.sort_values(KEYS, kind="stable", ignore_index=True)

    def _blocks(self) -> list[Block]:
        # Noise is drawn block by block, so points with their own are blocks of their own.
        size = 1 if self.own_noise else max(1, MOST // (len(self.prompts) * self.samples))
        points = range(len(self.points))
        return [points[first : first + size] for first in range(0, len(points), size)]

    def _sampled(self, block: Block) -> pd.DataFrame:
        """Keys, KL and likelihood against the start policy, length, and text."""

        def measured(cells: GridRows, rows: Control, samples: Any) -> tuple[pd.DataFrame, Any]:
            drift = candidate_selection.drift(self.method.policy, self.benchmark, samples, rows)
            if not (np.isfinite(drift.kl).all() and np.isfinite(drift.start_nll).all()):
                raise DivergenceError(
                    "the KL of some samples from the start model is not a finite number; lower "
                    "method.learning_rate, or check what the method's control gives the policy"
                )
            frame = self._index(cells, block).assign(
                kl=drift.kl, start_nll=drift.start_nll, tokens=drift.tokens.astype(int)
            )
            return frame, samples

        frames = []
        for frame, samples in self._rolls(block, measured):
            shown = pd.DataFrame(self.benchmark.describe(samples))
            frames.append(pd.concat([frame, shown], axis=1))
            self._show(len(frame))
        return pd.concat(frames, ignore_index=True)

    def _scored(self, block: Block, texts: pd.DataFrame, scorer: Scorer) -> pd.DataFrame:
        """Keys and raw scores, with those of a judge if there is one."""
        frames = []
        for index, samples in self._samples(block, texts):
            frame = self._with(index, "", scorer.raw(samples))
            if isinstance(self.benchmark, Rewarded):
                judged = self.benchmark.judged(samples)
                if judged is not None:
                    frame = self._with(frame, _JUDGED, judged)
            frames.append(frame)
            self._show(len(frame))
        return pd.concat(frames, ignore_index=True)

    def _show(self, rows: int) -> None:
        self._row += rows
        self.on_row(self._row, {})

    def _samples(self, block: Block, texts: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, Any]]:
        """Samples with their keys: read back, or drawn again where the benchmark writes no text."""
        if texts.empty:

            def indexed(cells: GridRows, rows: Control, samples: Any) -> tuple[pd.DataFrame, Any]:
                return self._index(cells, block), samples

            yield from self._rolls(block, indexed)
        else:
            chosen = texts[texts["point"].isin(block)].reset_index(drop=True)
            yield chosen[KEYS], self.benchmark.recall(chosen)

    def _rolls(self, block: Block, then: Callable[[GridRows, Control, Any], Any]) -> Iterator[Any]:
        return roll_out(
            self.method.policy,
            self.prompts,
            self.control(block),
            seed=self._noise_seed(block),
            samples=self.samples,
            batch_rows=self.benchmark.setting.eval_rows,
            benchmark=self.benchmark,
            then=then,
        )

    def _noise_seed(self, block: Block) -> int:
        if not self.own_noise:
            return self.seed
        return int(digest([self.seed, self.own_noise, block.start])[:15], 16)

    def _index(self, cells: GridRows, block: Block) -> pd.DataFrame:
        ids = [self.prompts[i].id for i in cells.prompt]
        point = cells.point + block.start
        return pd.DataFrame({"point": point, "prompt_id": ids, "sample": cells.sample})

    def _with(self, frame: pd.DataFrame, prefix: str, scores: Array) -> pd.DataFrame:
        """Frame with scores (rows, m), one column per objective."""
        names = [prefix + objective.name for objective in self.benchmark.objectives]
        return frame.assign(**dict(zip(names, np.asarray(scores, dtype=float).T, strict=True)))


def _timed(make: Callable[[Block], pd.DataFrame], block: Block) -> pd.DataFrame:
    """Table of a block; the seconds it took are an attribute, which Parquet stores."""
    began = time.perf_counter()
    piece = make(block)
    piece.attrs["seconds"] = time.perf_counter() - began
    return piece


def _parquet(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()
