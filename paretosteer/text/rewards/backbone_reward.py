"""Reward models with a linear head on the features of a pretrained backbone.

A Bradley–Terry model whose reward is linear in the features (see `backbone`): logistic regression
on the differences of a pair's features, with an L2 penalty chosen by cross-validation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from paretosteer.text.dialogue import Dialogue
from paretosteer.text.pairs import Pair
from paretosteer.text.rewards.accuracy import HeadFacts, head_facts
from paretosteer.text.rewards.backbone import AdaptedBackbone, Backbone
from paretosteer.text.rewards.bag_of_words import Progress, fit_differences

HEAD_VERSION = "1"  # raise it when the same features would give another head
_HEAD, _FEATURES = "head.safetensors", "features.safetensors"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PairFeatures:
    """Features of the two answers of pairs, (pairs, features) each; NaN where there are none."""

    chosen: NDArray[np.float32]
    rejected: NDArray[np.float32]

    @classmethod
    def of(cls, backbone: Backbone, pairs: Sequence[Pair]) -> PairFeatures:
        """Read all answers of the pairs."""
        prompts = [pair.prompt for pair in pairs]
        answers = [*(p.chosen for p in pairs), *(p.rejected for p in pairs)]
        both = backbone.features(prompts * 2, answers)
        return cls(both[: len(pairs)], both[len(pairs) :])

    @classmethod
    def joined(cls, parts: Sequence[PairFeatures]) -> PairFeatures:
        chosen, rejected = ([getattr(p, side) for p in parts] for side in ("chosen", "rejected"))
        return cls(np.concatenate(chosen), np.concatenate(rejected))

    @classmethod
    def read(cls, folder: Path) -> PairFeatures:
        return cls(**load_file(folder / _FEATURES))

    def write(self, folder: Path) -> None:
        save_file({"chosen": self.chosen, "rejected": self.rejected}, folder / _FEATURES)

    def take(self, rows: Sequence[int]) -> PairFeatures:
        """Some of the pairs."""
        return PairFeatures(self.chosen[rows], self.rejected[rows])

    @property
    def differences(self) -> Floats:
        return (self.chosen - self.rejected).astype(np.float64)

    @property
    def finite(self) -> list[int]:
        """Pairs of which both answers have features."""
        return np.flatnonzero(np.isfinite(self.differences).all(axis=1)).tolist()

    @property
    def both(self) -> Floats:
        """Features of all answers, (2 pairs, features)."""
        return np.concatenate([self.chosen, self.rejected]).astype(np.float64)


@dataclass(frozen=True)
class Head:
    """Weights (features,) of features divided by `scale`, and the L2 penalty of their fit."""

    scaled: Floats
    scale: Floats
    penalty: float

    @classmethod
    def fit(
        cls, features: PairFeatures, keys: Sequence[str], progress: Progress | None = None
    ) -> Head:
        """Fit to pairs, whose `keys` are those of their prompts."""
        scale = features.both.std(axis=0)
        scale[scale == 0] = 1.0
        scaled, penalty = fit_differences(features.differences / scale, keys, progress)
        return cls(scaled, scale, penalty)

    @property
    def weights(self) -> Floats:
        return self.scaled / self.scale


@dataclass
class SharedFeatures:
    """Features of the batch that was read last, for the heads that score it one after another."""

    backbone: Backbone
    _texts: tuple[tuple[Dialogue, ...], tuple[str, ...]] | None = field(default=None, init=False)
    _features: NDArray[np.float32] | None = field(default=None, init=False)

    def __call__(self, prompts: Sequence[Dialogue], answers: Sequence[str]) -> NDArray[np.float32]:
        texts = tuple(prompts), tuple(answers)
        if self._features is None or texts != self._texts:
            self._texts, self._features = texts, self.backbone.features(prompts, answers)
        return self._features


@dataclass(frozen=True)
class BackboneReward:
    """Linear reward of features, (features,) weights; its mean over the training answers is 0."""

    name: str  # of the objective
    features: SharedFeatures
    weights: Floats
    mean: float

    @classmethod
    def read(cls, folder: Path, name: str, features: SharedFeatures) -> BackboneReward:
        head = load_file(folder / _HEAD)
        if AdaptedBackbone.is_in(folder):
            features = SharedFeatures(AdaptedBackbone.load(features.backbone.model, folder))
        return cls(name, features, head["weights"], float(head["mean"][0]))

    def score(self, prompts: Sequence[Dialogue], answers: Sequence[str]) -> Floats:
        """Score per row, (rows,); higher is better, NaN where there is nothing to read."""
        scores: Floats = self.features(prompts, answers) @ self.weights - self.mean
        return scores

    @property
    def note(self) -> str | None:
        """Number of texts that were cut, if any."""
        backbone = self.features.backbone
        if not backbone.truncated:
            return None
        return (
            f"{self.name}: its reward model read {backbone.truncated} texts only in part: the last "
            f"{backbone.prompt_room} tokens of a prompt, the first {backbone.answer_room} of an "
            "answer."
        )


def train_head(
    train: Sequence[Pair],
    held_out: Sequence[Pair],
    features: PairFeatures,
    held_out_features: PairFeatures,
    folder: Path,
    progress: Progress | None = None,
) -> HeadFacts:
    """Fit a head on `train`, evaluate it on `held_out`, and write it to a folder.

    Pairs without features are left out.
    """
    own, keys = features.take(features.finite), [train[i].key for i in features.finite]
    head = Head.fit(own, keys, progress)
    return write_head(head, train, held_out, own, held_out_features, folder, progress)


def write_head(
    head: Head,
    train: Sequence[Pair],
    held_out: Sequence[Pair],
    features: PairFeatures,
    held_out_features: PairFeatures,
    folder: Path,
    progress: Progress | None = None,
) -> HeadFacts:
    """Write a head with mean 0 over `features`, and evaluate it on `held_out`."""
    weights = head.weights
    mean = (features.both @ weights).mean(keepdims=True)
    save_file({"weights": weights, "mean": mean}, folder / _HEAD)
    margins = held_out_features.differences @ weights
    scored = np.flatnonzero(np.isfinite(margins))
    pairs = [held_out[i] for i in scored.tolist()]
    refused = len(held_out) - len(pairs)
    return head_facts(margins[scored], train, pairs, head.penalty, refused, progress)
