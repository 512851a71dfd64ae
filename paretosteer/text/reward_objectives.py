"""Objectives that are reward models of a prompt and its answer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from paretosteer.interfaces import Array
from paretosteer.text.benchmark import TextBenchmark
from paretosteer.text.dialogue import Dialogue, parse_transcript
from paretosteer.text.samples import TextSamples


class Scores(Protocol):
    """Scores batches of answers."""

    def score(self, prompts: list[Dialogue], answers: list[str]) -> Array:
        """One score per answer, (rows,); NaN where there is none."""
        ...


class ScoredByRewards(TextBenchmark):
    """A text benchmark with one reward model per objective."""

    @property
    @abstractmethod
    def rewards(self) -> Mapping[str, Scores]:
        """Reward model of every objective, by name."""

    def score(self, samples: TextSamples) -> Array:
        """Raw scores, (rows, m); NaN where a reward model gives none."""
        return self.scores_of(self.rewards, samples)

    def scores_of(self, rewards: Mapping[str, Scores], samples: TextSamples) -> Array:
        """Scores by the given reward models, (rows, m)."""
        prompts = [p.dialogue or parse_transcript(p.text) for p in samples.prompts]
        answers = [text.strip() for text in samples.texts]
        return np.stack([rewards[o.name].score(prompts, answers) for o in self.objectives], axis=1)
