"""Synthetic data set with the shape of MQ2008, for runs without data files.

Every document has latent qualities. Its features are noisy projections of them, scaled to [0, 1]
within the query as in LETOR. Relevance and the two auxiliary columns are different nonlinear
functions of the latent qualities, so each can be predicted from the other features, and the
objectives conflict.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from paretosteer.benchmarks.ranking.fold_files import PARTS, check_fold, rotation
from paretosteer.benchmarks.ranking.letor import Letor, join
from paretosteer.interfaces import Array

SYNTHETIC_VERSION = "1"

FOLDS = PARTS
QUERIES = 100  # in each part
FEWEST, MEDIAN, MOST = 5, 10, 40  # documents of a query
WIDTH = 46  # features, as in MQ2008
CONSTANT = (6, 7, 8, 9, 10, 43)  # constant columns, as in MQ2008
AUXILIARY = (41, 42)  # columns with the auxiliary properties
LATENT = 10
DECIMALS = 6  # as in LETOR files; also hides platform differences in the rounding of tanh
SEED = 2008


def synthetic(fold: int) -> dict[str, Letor]:
    """Training, validation and test data of a fold from 1 to 5; see `rotation`.

    Raises `UsageError` if the fold does not exist.
    """
    check_fold(fold, FOLDS)
    return {split: join([_part(part) for part in parts]) for split, parts in rotation(fold).items()}


@cache
def _part(part: int) -> Letor:
    """Part 1 ... 5."""
    rng = _generator(part)
    views = _views()
    queries = [_query(rng, views) for _ in range(QUERIES)]
    return Letor(
        np.concatenate([features for features, _ in queries]).astype(np.float32),
        np.concatenate([labels for _, labels in queries]),
        np.repeat(1000 * part + np.arange(QUERIES), [len(labels) for _, labels in queries]),
        dense=True,
    )


def _generator(part: int) -> np.random.RandomState:
    # RandomState's stream is frozen across NumPy versions; the stream of Generator may change.
    return np.random.RandomState(SEED + part)


def _views() -> Array:
    """Projection of the latent qualities onto the features, (LATENT, WIDTH).

    Each feature depends on at most two of them.
    """
    column = np.arange(WIDTH)
    mask = np.zeros((LATENT, WIDTH))
    mask[column % LATENT, column] = mask[(3 * column + 1) % LATENT, column] = 1
    return mask * _generator(0).standard_normal((LATENT, WIDTH))


def _query(rng: np.random.RandomState, views: Array) -> tuple[Array, npt.NDArray[np.int64]]:
    """Features (n, WIDTH) and labels (n,) of one query."""
    n = int(np.clip(rng.lognormal(np.log(MEDIAN), 0.6), FEWEST, MOST))
    z = rng.standard_normal((n, LATENT))
    features = np.tanh(z @ views + 0.5 * rng.standard_normal((n, WIDTH)))
    features[:, [column - 1 for column in AUXILIARY]] = _auxiliary(rng, z)
    features = _scaled(features)
    features[:, [column - 1 for column in CONSTANT]] = 0
    return features, _relevance(rng, z)


def _relevance(rng: np.random.RandomState, z: Array) -> npt.NDArray[np.int64]:
    """Relevance labels 0 to 2, (n,); some queries have no relevant document, as in real data."""
    luck = 0.4 * rng.standard_normal()
    fit = z[:, 0] + 0.8 * z[:, 1] * z[:, 2] + 0.5 * z[:, 3] - 0.2 * z[:, 4]
    fit = fit + luck + 0.5 * rng.standard_normal(len(z))
    return (fit > 1.2).astype(np.int64) + (fit > 2.2)


def _auxiliary(rng: np.random.RandomState, z: Array) -> Array:
    """Two properties, (n, 2), correlated with each other and slightly opposed to relevance."""
    noise = 0.4 * rng.standard_normal((len(z), 2))
    first = z[:, 4] + 0.8 * z[:, 5] * z[:, 6] - 0.3 * z[:, 0] + noise[:, 0]
    second = 0.6 * first + z[:, 7] - 0.5 * np.abs(z[:, 8]) + noise[:, 1]
    return np.column_stack([first, second])


def _scaled(features: Array) -> Array:
    """Scale each column to [0, 1] within the query."""
    low, high = features.min(axis=0), features.max(axis=0)
    scaled: Array = np.round((features - low) / (high - low), DECIMALS)
    return scaled
