"""Normalisation: objectives in standard units of the start model's samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from paretosteer.metrics.input_checks import FloatArray, MetricError, as_finite


@dataclass(frozen=True)
class Normaliser:
    """z = (s − mean) / std per objective.

    Tuples, so that two normalisers compare as equal exactly when their constants are: records
    with different constants never share a table.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(cls, scores: ArrayLike, objectives: Sequence[str] | None = None) -> Normaliser:
        """Take the constants from the start model's scores on calibration prompts.

        Parameters
        ----------
        scores
            (n, m), raw units, one row per sample.
        objectives
            m names, used in errors.

        Raises
        ------
        MetricError
            If an objective does not vary.
        """
        array = as_finite(scores, "scores")
        if array.ndim != 2:
            raise MetricError(f"scores: have shape {array.shape}; give one row per sample, (n, m)")
        # A spread this small is rounding error of the sums.
        spread = 1e-9 * np.maximum(1.0, np.abs(array).max(axis=0))
        constant = np.flatnonzero(np.ptp(array, axis=0) <= spread)
        if len(constant):
            name = repr(objectives[constant[0]]) if objectives else str(constant[0])
            raise MetricError(
                f"scores: objective {name} is {array[0, constant[0]]:g} in all {len(array)} rows; "
                "calibrate on prompts where it varies, or leave it out"
            )
        return cls(tuple(array.mean(axis=0).tolist()), tuple(array.std(axis=0).tolist()))

    def apply(self, scores: ArrayLike) -> FloatArray:
        """Return z-scores of raw `scores` (…, m), in the same shape."""
        array = as_finite(scores, "scores")
        if array.shape[-1:] != (len(self.mean),):
            raise MetricError(
                f"scores: have shape {array.shape} for {len(self.mean)} objectives; "
                "give one column per objective"
            )
        return np.asarray((array - np.array(self.mean)) / np.array(self.std))
