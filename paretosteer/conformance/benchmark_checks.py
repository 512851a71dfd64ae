"""Checks of a benchmark that is built on the smoke budget: declarations, policies, scores, data."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import torch

from paretosteer import benchmark_outputs
from paretosteer.benchmark import Benchmark
from paretosteer.cells.plan import reserved_names
from paretosteer.conformance.fixtures import (
    BANKS,
    SEED,
    BenchmarkFixture,
    NotChecked,
)
from paretosteer.errors import UnsupportedError
from paretosteer.findings import Finding, fault, note
from paretosteer.interfaces import Array, Exact
from paretosteer.method import Method, TrainingOptions
from paretosteer.policies.conditioning import Banks, Features, PromptText, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.runtime.process_state import changes_since, process_state
from paretosteer.simplex import lattice
from paretosteer.training.scoring import Scorer
from paretosteer.training.trainer import Trainer

Findings = Iterator[Finding]

SPLITS = ("train", "calibration", "validation", "test")
REQUIRED = ("learning_rate", "kappa", "beta_dpo")  # list_size may be absent: lists are then whole
ATOL = 1e-3  # nats per sample: another batch may pad, and so round, differently
FAR = 2.0  # standard units between the start policy's mean and the normaliser's
MARGIN = 1e-9  # of rounding, by which something may beat the oracle
KEYED_NOISE = "draw with policies.common_random_numbers, keyed by (seed, prompt id, sample number)"
ODD = ("", " ", "\n\n", "…", "🙂🙂", "Ünïcödé", "no" * 2000, "<s></s>", "\x00", "1 2 3", "!?!?")


# -- declarations ---------------------------------------------------------------------------


def objectives(fixture: BenchmarkFixture) -> Findings:
    """Two or more objectives, each with a unique name, unit, description and finite worst value."""
    declared = fixture.benchmark.objectives
    if len(declared) < 2:
        yield fault(f"{len(declared)} objectives", "declare two or more")
    names = [objective.name for objective in declared]
    for name, count in Counter(names).items():
        if count > 1:
            yield fault(f"{count} objectives are called {name!r}", "give each its own name")
    for name in sorted(reserved_names(names)):
        yield fault(f"an objective is called {name!r}, the name of another column", "rename it")
    for objective in declared:
        if not math.isfinite(objective.worst):
            yield fault(
                f"the worst value of {objective.name} is {objective.worst}",
                "give the finite value that stands for a sample without a score",
            )
        empty = [x for x in ("unit", "description", "version") if not getattr(objective, x)]
        if empty:
            yield fault(f"{objective.name} has no {', '.join(empty)}", "define it: tables show it")
    main = fixture.benchmark.main_objective
    if main is not None and main not in names:
        yield fault(f"main_objective is {main!r}", f"use one of {', '.join(names)}, or None")
    reference = fixture.benchmark.reference
    if len(reference) != len(declared) or not np.isfinite(reference).all():
        yield fault(f"reference is {reference}", "give one finite number per objective")


def keys(fixture: BenchmarkFixture) -> Findings:
    """The model key and the objective versions are available before building, and stable."""
    plan, cls = fixture.plan, fixture.plan.benchmark_class
    for key in (plan.model_key, cls.model_key(plan.config, plan.benchmark_options)):
        if not isinstance(key, str) or not key:
            yield fault(f"model_key returns {key!r}", "return a digest, as a string")
            return
        if key != plan.model_key:
            yield fault(
                "model_key changes from call to call", "digest only the start model's inputs"
            )
    declared = {o.name: o.version for o in fixture.benchmark.objectives}
    versions = dict(cls.objective_versions(plan.benchmark_options))
    if list(versions.items()) != list(declared.items()):
        yield fault(
            f"objective_versions returns {versions}, the objectives have {declared}",
            "name the same objectives in the same order",
        )


def training_defaults(fixture: BenchmarkFixture) -> Findings:
    """Every training option that methods leave to the benchmark has a positive value."""
    values = fixture.benchmark.training_defaults(fixture.benchmark.options)
    for name in REQUIRED:
        value = values.get(name)
        if not isinstance(value, int | float) or not 0 < value < math.inf:
            yield fault(
                f"training_defaults gives {value!r} for {name}",
                "give a usual value; paretosteer.benchmark.TRAINING has those for text",
            )


def splits(fixture: BenchmarkFixture) -> Findings:
    """No split is empty, no prompt is in two splits, and prompt ids are unique."""
    ids = {split: _ids(fixture.benchmark, split) for split in SPLITS}
    for split, listed in ids.items():
        if not listed or not len(fixture.benchmark.prompts(split)):
            yield fault(f"{split} has no prompts", "provide some for every split")
        if len(set(listed)) < len(listed):
            yield fault(
                f"{split} has two prompts of one id", "make ids unique: noise depends on them"
            )
    if all(set(ids[split]) == set(ids["train"]) for split in SPLITS):
        yield note("all splits have the same prompts", "results say nothing about unseen prompts")
        return
    for one, other in combinations(SPLITS, 2):
        if common := sorted(set(ids[one]) & set(ids[other])):
            yield fault(
                f"{len(common)} prompts are in both {one} and {other}, such as {common[0]!r}",
                "assign each prompt to one split",
            )


def _ids(benchmark: Benchmark, split: str) -> list[str]:
    """Ids of all prompts of a split, including those that the budget leaves out."""
    return [prompt.id for prompt in benchmark.split(split)]


def normaliser(fixture: BenchmarkFixture) -> Findings:
    """Mean and deviation are finite, one per objective, and fit the start policy's scores."""
    found, m = fixture.benchmark.normaliser, fixture.m
    mean, std = np.asarray(found.mean, float), np.asarray(found.std, float)
    if mean.shape != (m,) or std.shape != (m,):
        yield fault(f"has {mean.size} means and {std.size} deviations", "give one per objective")
        return
    if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
        yield fault(
            f"mean {mean.tolist()}, deviation {std.tolist()}", "measure where objectives vary"
        )
        return
    z = found.apply(Scorer(fixture.benchmark).score(fixture.samples)).mean(axis=0)
    if (abs(z) > FAR).any():
        yield note(
            f"the start policy's scores average {z.round(1).tolist()} standard units, not 0",
            "measure it on the start policy's own samples, with objectives in order",
        )


def rebuilding(fixture: BenchmarkFixture) -> Findings:
    """A second build is the same benchmark, and building leaves global generators alone."""
    before = process_state()
    again = fixture.build()
    for split in SPLITS:
        if _ids(fixture.benchmark, split) != _ids(again, split):
            yield fault(f"the prompts of {split} differ", "draw them with a fixed seed")
    if again.normaliser != fixture.benchmark.normaliser:
        yield fault("the normaliser differs", "draw calibration samples with a fixed seed")
    start = again.start_policy(Unconditioned(), SEED)
    if _distance(start, fixture, Control.start(len(fixture.samples))) > 1e-4:
        yield fault("the start policy differs", "initialise its weights with a fixed seed")
    for name in changes_since(before):
        if "generator" in name or "dtype" in name:
            yield fault(f"{name} changed", "use generators of your own, and restore what you set")


# -- policies -------------------------------------------------------------------------------


def start_policy(fixture: BenchmarkFixture) -> Findings:
    """The untrained policy equals the start policy under every conditioning that is supported."""
    rows, m, supported = len(fixture.samples), fixture.m, 0
    start = Control.start(rows)
    for conditioning in (
        Banks(2, rank=4, alpha=4.0),
        Banks(2, rank=4, alpha=4.0, scope="attention"),
        Banks(2, rank=4, alpha=4.0, scope="head"),
        PromptText(rank=4, alpha=4.0),
        Features(m),
        Features(m, rank=4, alpha=4.0),
    ):
        try:
            policy = fixture.benchmark.start_policy(conditioning, SEED)
        except UnsupportedError:
            continue
        supported += 1
        named_controls = {"Control.start": start}
        if isinstance(conditioning, Banks):  # words and virtual tokens matter even untrained
            named_controls["a soup"] = _mixed_soup(rows)
            named_controls["a bank"] = Control.bank(np.arange(rows) % 2)
        for name, control in named_controls.items():
            if (distance := _distance(policy, fixture, control)) > ATOL:
                kind = type(conditioning).__name__
                yield fault(
                    f"{name} of an untrained {kind} is {distance:.3g} nats away",
                    "initialise every change to zero, and switch it off for Control.start",
                )
    if not supported:
        yield note("supports no conditioning", "only the start model can be evaluated on it")
    if (distance := _distance(fixture.perturbed_banks(), fixture, start)) > ATOL:
        yield fault(
            f"with trained banks, Control.start is {distance:.3g} nats away",
            "switch every bank off",
        )


def sampling(fixture: BenchmarkFixture) -> Findings:
    """Samples depend on the seed and the sample number, and on no global generator."""
    rows = range(len(fixture.prompts))
    before = torch.random.get_rng_state()
    again, other = (_draw(fixture, "sample", rows, seed) for seed in (SEED, SEED + 1))
    if not torch.equal(before, torch.random.get_rng_state()):
        yield fault("sampling draws from torch's global generator", KEYED_NOISE)
    first = _traits(fixture, fixture.samples)
    if not _same(first, _traits(fixture, again)):
        yield fault("the same seed gave different samples", KEYED_NOISE)
    if _same(first, _traits(fixture, other)):
        yield fault("another seed gave the same samples", KEYED_NOISE)
    pairs = np.nan_to_num(first).reshape(-1, 2, first.shape[1])  # samples 0 and 1 of each prompt
    if np.array_equal(pairs[:, 0], pairs[:, 1]):
        yield fault("another sample number gave the same sample", KEYED_NOISE)


def common_random_numbers(fixture: BenchmarkFixture) -> Findings:
    """Samples and answers depend neither on the order nor on the size of a batch."""
    rows = len(fixture.prompts)
    order = np.random.default_rng(SEED).permutation(rows).tolist()
    for name in ("sample", "answer"):
        whole, turned = (_traits(fixture, _draw(fixture, name, x)) for x in (range(rows), order))
        if not _same(turned, whole[order]):
            yield fault(f"{name} depends on the order of a batch", KEYED_NOISE)
        single = [_traits(fixture, _draw(fixture, name, [row])) for row in range(rows)]
        if not _same(np.vstack(single), whole):
            yield fault(f"{name} depends on the size of a batch", KEYED_NOISE)


def log_probs(fixture: BenchmarkFixture) -> Findings:
    """Log-probabilities that samples carry are those that log_probs computes."""
    policy, control = fixture.perturbed_banks(), _mixed_soup(len(fixture.prompts))
    samples = policy.sample(fixture.prompts, control, SEED, fixture.numbers)
    drawn, mask = samples.log_probs.float().cpu(), samples.mask.cpu()
    computed = policy.log_probs(samples, control).detach().cpu()
    if not drawn.shape == computed.shape == mask.shape:
        yield fault(
            f"samples have log_probs {tuple(drawn.shape)} and mask {tuple(mask.shape)}, log_probs "
            f"returns {tuple(computed.shape)}",
            "give all of them the shape (rows, T)",
        )
        return
    if (computed[~mask] != 0).any():
        yield fault("log_probs is not 0 outside the mask", "set it to 0: rows are summed")
    difference = float((drawn - computed).abs()[mask].max())
    if not difference <= ATOL:
        yield fault(
            f"they differ by up to {difference:.3g} nats",
            "use the distribution that was sampled from, with its temperature and control",
        )


def row_independence(fixture: BenchmarkFixture) -> Findings:
    """Each row depends on its own control only, and gradients reach the banks."""
    policy, samples = fixture.perturbed_banks(), fixture.samples
    control = _mixed_soup(len(samples))
    scores = policy.log_probs(samples, control)
    together = scores.detach().float().cpu().numpy().sum(axis=1)
    for row in (0, len(samples) - 1):
        same = control.take(torch.full((len(samples),), row))
        alone = _log_probs(policy, samples, same).sum(axis=1)[row]
        if not abs(together[row] - alone) <= ATOL:
            yield fault(
                f"row {row} changes by {abs(together[row] - alone):.3g} nats with the controls of "
                "other rows",
                "apply each row's control to that row only",
            )
    scores.sum().backward()  # type: ignore[no-untyped-call]
    if not any(p.grad is not None and p.grad.abs().sum() > 0 for p in policy.parameters()):
        yield fault("log_probs has no gradient in the banks", "do not detach it")


def drift(fixture: BenchmarkFixture) -> Findings:
    """The start policy has no drift, and that of another policy is one finite value per row."""
    rows = len(fixture.prompts)
    for name, policy, control in (
        ("start policy", fixture.start, Control.start(rows)),
        ("perturbed policy", fixture.perturbed_banks(), _mixed_soup(rows)),
    ):
        answers = policy.answer(fixture.prompts, control, SEED, fixture.numbers)
        found = policy.drift(answers, control)
        columns = (found.kl, found.start_nll, found.tokens)
        if any(len(x) != rows or not np.isfinite(x).all() for x in columns):
            yield fault(f"that of the {name} is not one finite value per row", "return (rows,)")
        elif policy is fixture.start and not np.abs(found.kl).max() <= ATOL:
            yield fault(
                f"the start policy is {np.abs(found.kl).max():.3g} nats from itself",
                "compare with Control.start, under the same distribution",
            )


def _mixed_soup(rows: int) -> Control:
    """A different soup of two banks in every row, with negative coefficients among them."""
    return Control.soup(np.random.default_rng(SEED).uniform(-1, 1.5, size=(rows, 2)))


@torch.no_grad()
def _log_probs(policy: Policy, samples: Any, control: Control) -> Array:
    return policy.log_probs(samples, control).double().cpu().numpy()


def _distance(policy: Policy, fixture: BenchmarkFixture, control: Control) -> float:
    """Largest difference from the start policy on its samples, in nats; infinite if NaN."""
    start = _log_probs(fixture.start, fixture.samples, Control.start(len(fixture.samples)))
    difference = np.abs(_log_probs(policy, fixture.samples, control) - start)
    return float(np.nan_to_num(difference, nan=np.inf).max())


def _draw(fixture: BenchmarkFixture, call: str, rows: Sequence[int], seed: int = SEED) -> Any:
    """Draw some of the rows with the start policy's `sample` or `answer`."""
    prompts, numbers = ([column[i] for i in rows] for column in (fixture.prompts, fixture.numbers))
    return getattr(fixture.start, call)(prompts, Control.start(len(rows)), seed, numbers)


def _traits(fixture: BenchmarkFixture, answers: Any) -> Array:
    """Numbers that distinguish answers, a row each: scores, and the likelihood if sampled."""
    raw = fixture.benchmark.score(answers)
    if not hasattr(answers, "log_probs"):
        return raw
    likelihood = answers.log_probs.double().cpu().numpy().sum(axis=1, keepdims=True)
    return np.hstack([raw, likelihood])


def _same(one: Array, other: Array) -> bool:
    return np.allclose(one, other, rtol=1e-5, atol=ATOL, equal_nan=True)


# -- scores ---------------------------------------------------------------------------------


def extra_measures(fixture: BenchmarkFixture) -> Findings:
    """Extra measures have one row of finite values for each control row."""
    control = Control.start(2)
    if not benchmark_outputs.extra_measures(fixture.benchmark, fixture.start, control):
        raise NotChecked("it has none")
    yield from ()


def scores(fixture: BenchmarkFixture) -> Findings:
    """Scores are (rows, m), repeatable, rarely missing and never below the worst value."""
    benchmark, samples = fixture.benchmark, fixture.samples
    raw = benchmark.score(samples)
    if not isinstance(raw, np.ndarray) or raw.shape != (len(samples), fixture.m):
        yield fault(
            f"score returns {type(raw).__name__} of shape {np.shape(raw)} for {len(samples)} "
            "samples",
            "return an array (rows, m)",
        )
        return
    if not np.array_equal(raw, benchmark.score(samples), equal_nan=True):
        yield fault("the same samples score differently", "make scoring deterministic")
    missing = (~np.isfinite(raw)).any(axis=1)
    if missing.mean() > benchmark.max_failed:
        yield fault(
            f"{missing.sum()} of {len(raw)} start samples have no score", "give finite scores"
        )
    for objective, column in zip(benchmark.objectives, raw.T, strict=True):
        lowest = float(np.min(column, where=np.isfinite(column), initial=np.inf))
        if lowest < objective.worst:
            yield fault(
                f"a sample scores {lowest:.3g} in {objective.name}, whose worst value is "
                f"{objective.worst:.3g}",
                "declare a worst value below every score, so that failing never pays",
            )


def odd_samples(fixture: BenchmarkFixture) -> Findings:
    """Empty, unusual and very long text gets scores, or NaN where there is none, and no error."""
    shown = _described(fixture)
    if "text" not in shown:
        raise NotChecked("its samples have no text")
    rows = shown.iloc[[i % len(shown) for i in range(len(ODD))]].assign(text=list(ODD))
    raw = fixture.benchmark.score(fixture.benchmark.recall(rows.reset_index(drop=True)))
    if np.shape(raw) != (len(ODD), fixture.m):
        yield fault(f"scores have shape {np.shape(raw)}", "return a row for each, NaN if it fails")


def recall(fixture: BenchmarkFixture) -> Findings:
    """Samples that are recalled from what describe keeps have the same scores."""
    shown, samples = _described(fixture), fixture.samples
    if len(shown) != len(samples):
        yield fault(f"describe keeps {len(shown)} of {len(samples)} samples", "keep all or none")
        return
    again = fixture.benchmark.score(fixture.benchmark.recall(shown))
    if not np.allclose(again, fixture.benchmark.score(samples), atol=1e-6, equal_nan=True):
        yield fault("recalled samples score differently", "describe everything that score reads")


def _described(fixture: BenchmarkFixture) -> pd.DataFrame:
    """Samples as `samples.jsonl` stores them, with their keys."""
    rows = fixture.benchmark.describe(fixture.samples)
    if not rows:
        raise NotChecked("it describes none of its samples")
    ids = [prompt.id for prompt in fixture.prompts][: len(rows)]
    return pd.DataFrame(rows).assign(prompt_id=ids, sample=fixture.numbers[: len(rows)])


def exact(fixture: BenchmarkFixture) -> Findings:
    """Expectations are sums over the outcomes, and nothing beats the oracle."""
    if not isinstance(fixture.benchmark, Exact):
        raise NotChecked("its expectations are not sums")
    benchmark: Any = fixture.benchmark
    policy: Any = fixture.start
    prompts, control = fixture.prompts, Control.start(len(fixture.prompts))
    log_policy = policy.log_policy(prompts, control).double().cpu().numpy()  # (rows, K)
    outcomes = benchmark.outcomes(prompts)
    if outcomes.shape != (*log_policy.shape, fixture.m):
        yield fault(f"outcomes have shape {outcomes.shape}", "return (rows, K, m)")
        return
    pi = np.exp(log_policy)
    if not np.allclose(pi.sum(axis=1), 1, atol=1e-5):
        yield fault("probabilities do not sum to 1", "normalise log_policy over the outcomes")
    answers = policy.answer(prompts, control, SEED, [0] * len(prompts))
    expected = np.einsum("rk,rkm->rm", pi, outcomes)
    if not np.allclose(expected, benchmark_outputs.scores(benchmark, answers), atol=1e-4):
        yield fault("answers do not score the expectation", "answer with whole distributions")
    grid = lattice(fixture.m)
    oracle = benchmark.oracle(grid)
    utilities = oracle.points @ grid.T  # (k points, k preferences)
    own = np.diag(utilities) + MARGIN
    if (utilities.max(axis=0) > own).any():
        yield fault("a preference prefers another's point to its own", "return its optimum")
    if (grid @ oracle.start > own).any():
        yield fault("the start policy beats the oracle", "give both in the same coordinates")


# -- training data --------------------------------------------------------------------------


class OneStep(Method):
    """One training step of the first of two banks, on equal weights."""

    Options = TrainingOptions
    kind: str

    def conditioning(self, objectives: int) -> Banks:
        return BANKS

    def train(self, benchmark: Benchmark, trainer: Trainer) -> None:
        self.build_policy(benchmark, trainer.seed)
        equal = np.full(self.m, 1 / self.m)
        feedback = self.feedback(benchmark, trainer, self.kind)
        self.train_bank(0, self.kind, equal, feedback, trainer, 1)

    def control(
        self, preferences: Array, dials: Sequence[Mapping[str, float]] | None = None
    ) -> Control:
        return Control.bank([0] * len(preferences))


def feedback(fixture: BenchmarkFixture) -> Findings:
    """One step on any declared kind of feedback trains a bank."""
    if not fixture.benchmark.feedback:
        yield fault("declares none", "give reward, preference or imitation feedback")
    untrained = fixture.untrained_banks().state()
    for kind in fixture.benchmark.feedback:
        method, trainer = OneStep(TrainingOptions()), Trainer.under(fixture.setting, seed=SEED)
        method.kind = kind
        try:
            method.train(fixture.benchmark, trainer)
        except UnsupportedError as reason:
            yield fault(f"{kind} is declared but refused: {reason}", "declare what is supported")
            continue
        if not trainer.account.tokens:
            yield fault(f"{kind}: a step records no tokens", "count the tokens of its batches")
        trained = method.policy.state()
        if all(torch.equal(untrained[name], trained[name]) for name in trained):
            yield fault(f"{kind}: a step changes nothing", "give samples different scores")


def preference_lists(fixture: BenchmarkFixture) -> Findings:
    """Lists hold a label per candidate and objective, and the start policy's own scores."""
    benchmark, m = fixture.benchmark, fixture.m
    if "preference" not in benchmark.feedback:
        raise NotChecked("it declares no preference feedback")
    size = benchmark.training_defaults(benchmark.options).get("list_size")
    weights = np.full((4, m), 1 / m)
    lists, again = (benchmark.lists(np.random.default_rng(SEED), weights, size) for _ in range(2))
    if not torch.equal(lists.labels, again.labels):
        yield fault("the same generator gave different lists", "draw from that generator only")
    shape = (*lists.start_log_probs.shape, m)
    if tuple(lists.labels.shape) != shape or len(lists.start_log_probs) != len(weights):
        yield fault(
            f"labels have shape {tuple(lists.labels.shape)} and start scores "
            f"{tuple(lists.start_log_probs.shape)} for {len(weights)} lists",
            "give labels (lists, n, m) and start scores (lists, n)",
        )
        return
    total = lists.labels.sum(dim=1)
    if (lists.labels < 0).any() or not torch.isfinite(lists.labels).all() or not (total > 0).any():
        yield fault("labels are negative, missing, or all 0", "give the shares of each list")
    with torch.no_grad():
        start = fixture.start.list_log_probs(lists.candidates, Control.start(len(weights)))
    difference = (start.cpu() - lists.start_log_probs.cpu()).abs()
    if lists.mask is not None:
        difference = difference[lists.mask.cpu()]
    if not float(difference.max()) <= ATOL:
        yield fault(
            f"start scores are up to {float(difference.max()):.3g} nats from the start policy's",
            "compute them with list_log_probs under Control.start",
        )


DECLARATION_CHECKS = (objectives, keys, training_defaults, splits)
SAMPLING_CHECKS = (
    normaliser,
    rebuilding,
    start_policy,
    sampling,
    common_random_numbers,
    log_probs,
    row_independence,
    drift,
    extra_measures,
    scores,
    odd_samples,
    recall,
    feedback,
    preference_lists,
    exact,
)
