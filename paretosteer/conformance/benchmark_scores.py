"""Checks of scores: shape, range, odd samples, samples read back, and exact worlds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from paretosteer import benchmark_outputs
from paretosteer.conformance.finding import Findings, NotChecked, fault
from paretosteer.conformance.subject import SEED, BenchmarkSubject
from paretosteer.interfaces import Exact
from paretosteer.policies.control import Control
from paretosteer.simplex import lattice

ODD = ("", " ", "\n\n", "…", "🙂🙂", "Ünïcödé", "no" * 2000, "<s></s>", "\x00", "1 2 3", "!?!?")
OUT_OF_KEY = 1e-9


def scores(subject: BenchmarkSubject) -> Findings:
    """Scores are (rows, m), the same every time, seldom missing, never below the worst value."""
    world, samples = subject.world, subject.samples
    raw = world.score(samples)
    if not isinstance(raw, np.ndarray) or raw.shape != (len(samples), subject.m):
        yield fault(
            f"score gives {type(raw).__name__} of shape {np.shape(raw)} for {len(samples)} samples",
            "give an array (rows, m)",
        )
        return
    if not np.array_equal(raw, world.score(samples), equal_nan=True):
        yield fault("the same samples score differently", "let nothing be drawn while scoring")
    missing = ~np.isfinite(raw)
    if missing.any(axis=1).mean() > world.max_failed:
        yield fault(
            f"{int(missing.any(axis=1).sum())} of {len(raw)} start samples have no score",
            "give a finite number for whatever the start model does",
        )
    for objective, column in zip(world.objectives, raw.T, strict=True):
        lowest = float(np.min(column, where=np.isfinite(column), initial=np.inf))
        if lowest < objective.worst:
            yield fault(
                f"a sample scores {lowest:.3g} in {objective.name}, whose worst value is "
                f"{objective.worst:.3g}",
                "name a worst value that no sample can undercut: failing must never pay",
            )


def odd_samples(subject: BenchmarkSubject) -> Findings:
    """Empty, strange and very long text gets scores, or NaN where there is none, and no error."""
    shown = _shown(subject)
    if "text" not in shown:
        raise NotChecked("its samples have no text")
    rows = shown.iloc[[i % len(shown) for i in range(len(ODD))]].assign(text=list(ODD))
    raw = subject.world.score(subject.world.recall(rows.reset_index(drop=True)))
    if np.shape(raw) != (len(ODD), subject.m):
        yield fault(f"scores have shape {np.shape(raw)}", "give a row for each, NaN where it fails")


def shown_again(subject: BenchmarkSubject) -> Findings:
    """Samples read back from what describe keeps score as they did."""
    shown = _shown(subject)
    if len(shown) != len(subject.samples):
        yield fault(
            f"describe keeps {len(shown)} of {len(subject.samples)} samples",
            "keep one entry for each row, or none at all",
        )
        return
    again = subject.world.score(subject.world.recall(shown))
    if not np.allclose(again, subject.world.score(subject.samples), atol=1e-6, equal_nan=True):
        yield fault("they score differently", "let describe keep all that score reads")


def exact(subject: BenchmarkSubject) -> Findings:
    """In an exact world expectations are sums over outcomes, and nothing beats the oracle."""
    if not isinstance(subject.world, Exact):
        raise NotChecked("expectations are no sums here")
    world: Any = subject.world
    prompts, _ = subject.rows
    control = Control.start(len(prompts))
    policy: Any = subject.start
    log_policy = policy.log_policy(prompts, control).double().cpu().numpy()
    outcomes = world.outcomes(prompts)
    if outcomes.shape != (*log_policy.shape, subject.m):
        yield fault(f"outcomes have shape {outcomes.shape}", "give (rows, K, m)")
        return
    pi = np.exp(log_policy)
    if not np.allclose(pi.sum(axis=1), 1, atol=1e-5):
        yield fault("probabilities do not sum to 1", "normalise log_policy over the outcomes")
    answers = policy.answer(prompts, control, SEED, [0] * len(prompts))
    if not np.allclose(
        np.einsum("rk,rkm->rm", pi, outcomes), benchmark_outputs.scores(world, answers), atol=1e-4
    ):
        yield fault(
            "answers score other than the expectation", "let answers be whole distributions"
        )
    grid = lattice(subject.m)
    oracle = world.oracle(grid)
    utilities = oracle.points @ grid.T  # (k points, k preferences)
    if (utilities.max(axis=0) > np.diag(utilities) + OUT_OF_KEY).any():
        yield fault(
            "a preference prefers another's point to its own", "answer each with its own optimum"
        )
    if (grid @ oracle.start > np.diag(utilities) + OUT_OF_KEY).any():
        yield fault(
            "the start policy beats the oracle", "see that both are in the same coordinates"
        )


def _shown(subject: BenchmarkSubject) -> pd.DataFrame:
    """What `samples.jsonl` would keep, with its keys."""
    kept = subject.world.describe(subject.samples)
    if not kept:
        raise NotChecked("it shows nothing of its samples")
    prompts, numbers = subject.rows
    frame = pd.DataFrame(kept)
    ids = [prompt.id for prompt in prompts]
    return frame.assign(prompt_id=ids[: len(frame)], sample=numbers[: len(frame)])
