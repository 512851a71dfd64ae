"""Checks of what a benchmark declares: objectives, keys, splits, constants; and its stability."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np

from paretosteer.benchmark import Benchmark
from paretosteer.cells.plan import RESERVED
from paretosteer.conformance.finding import Findings, fault, note
from paretosteer.conformance.subject import SEED, BenchmarkSubject
from paretosteer.conformance.watch import changed, global_state
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.training.scoring import Scorer

SPLITS = ("train", "calibration", "validation", "test")
REQUIRED = ("learning_rate", "kappa", "beta_dpo")  # without a list_size a world's lists are whole
FAR = 2.0  # standard units between the start policy and the mean that it is measured by


def objectives(subject: BenchmarkSubject) -> Findings:
    """Two or more, each with a name of its own, unit, description, version and a finite worst."""
    declared = subject.world.objectives
    if len(declared) < 2:
        yield fault(f"{len(declared)} objectives", "steering needs two or more")
    names = [objective.name for objective in declared]
    for name, count in Counter(names).items():
        if count > 1:
            yield fault(f"{count} objectives are called {name!r}", "name each differently")
    for name in sorted(RESERVED.intersection(names)):
        yield fault(f"an objective is called {name!r}, a column of its own", "rename it")
    for objective in declared:
        if not math.isfinite(objective.worst):
            yield fault(
                f"the worst value of {objective.name} is {objective.worst}",
                "give the finite value that a sample gets which cannot be scored",
            )
        empty = [x for x in ("unit", "description", "version") if not getattr(objective, x)]
        if empty:
            yield fault(
                f"{objective.name} has no {', '.join(empty)}", "give it one: tables show it"
            )
    reference = subject.world.reference
    if len(reference) != len(declared) or not np.isfinite(reference).all():
        yield fault(f"reference is {reference}", "give one finite number per objective")


def keys(subject: BenchmarkSubject) -> Findings:
    """Model key and objective versions are known without building it, and stay the same."""
    plan, kind = subject.plan, subject.plan.benchmark_class
    for told in (plan.model_key, kind.model_key(plan.config, plan.benchmark_options)):
        if not isinstance(told, str) or not told:
            yield fault(f"model_key gives {told!r}", "give a digest, a text")
            return
        if told != plan.model_key:
            yield fault(
                "model_key changes from call to call", "digest nothing but what it is made of"
            )
    declared = {o.name: o.version for o in subject.world.objectives}
    versions = dict(kind.objective_versions(plan.benchmark_options))
    if list(versions.items()) != list(declared.items()):
        yield fault(
            f"objective_versions gives {versions}, the objectives say {declared}",
            "name the same objectives in the same order",
        )


def training_defaults(subject: BenchmarkSubject) -> Findings:
    """Every training option that methods leave to the benchmark has a positive value."""
    values = subject.world.training_defaults(subject.world.options)
    for name in REQUIRED:
        value = values.get(name)
        if not isinstance(value, int | float) or not 0 < value < math.inf:
            yield fault(
                f"training_defaults gives {value!r} for {name}",
                "give what is usual here; paretosteer.benchmark.TRAINING has values for text",
            )


def splits(subject: BenchmarkSubject) -> Findings:
    """No split is empty, no prompt is in two of them, and each has an id of its own."""
    ids = {}
    for split in SPLITS:
        named = _ids(subject.world, split)
        ids[split] = set(named)
        if not named or not len(subject.world.prompts(split)):
            yield fault(f"{split} has no prompts", "keep some for every split")
        if len(ids[split]) < len(named):
            yield fault(
                f"{split} names two prompts alike", "noise is drawn by id: make them unique"
            )
    if all(ids[split] == ids["train"] for split in SPLITS):
        yield note("all splits are the same prompts", "figures then say nothing about new ones")
        return
    for one, other in combinations(SPLITS, 2):
        if common := sorted(ids[one] & ids[other]):
            yield fault(
                f"{len(common)} prompts are in {one} and in {other}, such as {common[0]!r}",
                "give each prompt to one split",
            )


def normaliser(subject: BenchmarkSubject) -> Findings:
    """Mean and deviation are finite, one per objective, and fit the start policy's scores."""
    found, m = subject.world.normaliser, subject.m
    mean, std = np.asarray(found.mean, float), np.asarray(found.std, float)
    if mean.shape != (m,) or std.shape != (m,):
        yield fault(f"has {mean.size} means and {std.size} deviations", "one per objective")
        return
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
        yield fault(
            f"mean {mean.tolist()}, deviation {std.tolist()}",
            "measure it on prompts where every objective varies",
        )
        return
    z = found.apply(Scorer(subject.world).score(subject.samples)).mean(axis=0)
    if (abs(z) > FAR).any():
        yield note(
            f"the start policy's scores average {z.round(1).tolist()} standard units, not 0",
            "measure it on the start policy's own samples, objectives in their order",
        )


def rebuilding(subject: BenchmarkSubject) -> Findings:
    """Built again it is the same world, and building leaves the process's generators alone."""
    before = global_state()
    again = subject.build()
    for split in SPLITS:
        if _ids(subject.world, split) != _ids(again, split):
            yield fault(f"the prompts of {split} are others", "fix what they are drawn with")
    if again.normaliser != subject.world.normaliser:
        yield fault("the normaliser is another", "draw calibration samples from a fixed seed")
    prompts, _ = subject.rows
    start = again.start_policy(Unconditioned(), SEED)
    control = Control.start(len(prompts))
    own, other = (policy.log_probs(subject.samples, control) for policy in (subject.start, start))
    if not np.allclose(own.detach().cpu(), other.detach().cpu(), atol=1e-4):
        yield fault("the start policy is another", "draw its weights from a fixed seed")
    for name in changed(before):
        if "generator" in name or "dtype" in name:
            yield fault(f"{name} changed", "use generators of your own, and put back what you set")


def _ids(world: Any, split: str) -> list[str]:
    """Of all prompts of a split, also of those that the budget leaves out."""
    whole = world.split(split) if isinstance(world, Benchmark) else world.prompts(split)
    return [prompt.id for prompt in whole]
