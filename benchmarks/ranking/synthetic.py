"""An embedded data set of MQ2008's shape, for machines without data: nothing in it is real.

A document has latent qualities. Features are noisy views of them, scaled within the query as LETOR
scales; relevance and the two auxiliary columns are different nonlinear functions of them, so each
can be learnt from the other features, and what serves one does not serve the others.
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
WIDTH = 46
CONSTANT = (6, 7, 8, 9, 10, 43)  # columns that never vary, as in MQ2008
AUXILIARY = (41, 42)
LATENT = 10
DECIMALS = 6  # as in LETOR files; and no machine's rounding of a tanh shows
SEED = 2008


def synthetic(fold: int) -> dict[str, Letor]:
    """Training, validation and test data of fold 1 ... 5, which rotate five parts as files do.

    Raises `UsageError` where there is no such fold.
    """
    check_fold(fold, FOLDS)
    return {split: join([_part(part) for part in parts]) for split, parts in rotation(fold).items()}


@cache
def _part(part: int) -> Letor:
    """Part 1 ... 5, as its file would parse."""
    rng = _generator(part)
    views = _views()
    made = [_query(rng, views) for _ in range(QUERIES)]
    return Letor(
        np.concatenate([features for features, _ in made]).astype(np.float32),
        np.concatenate([labels for _, labels in made]),
        np.repeat(1000 * part + np.arange(QUERIES), [len(labels) for _, labels in made]),
        dense=True,
    )


def _generator(part: int) -> np.random.RandomState:
    """NumPy promises the same draws from this generator in all its versions, from no other."""
    return np.random.RandomState(SEED + part)


def _views() -> Array:
    """How a feature depends on the latent qualities (LATENT, WIDTH): on two of them."""
    column = np.arange(WIDTH)
    seen = np.zeros((LATENT, WIDTH))
    seen[column % LATENT, column] = seen[(3 * column + 1) % LATENT, column] = 1
    return seen * _generator(0).standard_normal((LATENT, WIDTH))


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
    """Labels 0 to 2; an unlucky query has no relevant document."""
    luck = 0.4 * rng.standard_normal()
    fit = z[:, 0] + 0.8 * z[:, 1] * z[:, 2] + 0.5 * z[:, 3] - 0.2 * z[:, 4]
    fit = fit + luck + 0.5 * rng.standard_normal(len(z))
    return (fit > 1.2).astype(np.int64) + (fit > 2.2)


def _auxiliary(rng: np.random.RandomState, z: Array) -> Array:
    """Two properties (n, 2) that go together, and a little against relevance."""
    noise = 0.4 * rng.standard_normal((len(z), 2))
    first = z[:, 4] + 0.8 * z[:, 5] * z[:, 6] - 0.3 * z[:, 0] + noise[:, 0]
    second = 0.6 * first + z[:, 7] - 0.5 * np.abs(z[:, 8]) + noise[:, 1]
    return np.column_stack([first, second])


def _scaled(features: Array) -> Array:
    """Each column from 0 to 1 within the query."""
    low, high = features.min(axis=0), features.max(axis=0)
    scaled: Array = np.round((features - low) / (high - low), DECIMALS)
    return scaled
