"""Checks of a world's policy: equal to the start model untrained, common noise, aligned rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from paretosteer.conformance.finding import Findings, fault, note
from paretosteer.conformance.subject import SEED, BenchmarkSubject
from paretosteer.errors import UnsupportedError
from paretosteer.interfaces import Array, Policy
from paretosteer.policies.conditioning import Banks, Conditioning, Features, PromptText
from paretosteer.policies.control import Control

ATOL = 1e-3  # nats of a whole sample: another batch may pad, and so round, differently
NOISE = "draw with paretosteer.policies.noise, keyed by (seed, prompt id, sample number)"


def start_policy(subject: BenchmarkSubject) -> Findings:
    """Under every conditioning that it takes, the untrained policy is the start policy."""
    rows = len(subject.samples)
    expected = _scores(subject.start, subject.samples, Control.start(rows))
    taken = 0
    for conditioning in _conditionings(subject.m):
        try:
            policy = subject.world.start_policy(conditioning, SEED)
        except UnsupportedError:
            continue
        taken += 1
        for told, control in _untrained(conditioning, rows):
            apart = np.abs(_scores(policy, subject.samples, control) - expected).max()
            if not apart <= ATOL:
                kind = type(conditioning).__name__
                yield fault(
                    f"{told} of an untrained {kind} is {apart:.3g} nats away",
                    "begin every change at zero, and switch all of them off for Control.start",
                )
    if not taken:
        yield note("takes no conditioning", "methods can then only show the start model")
    moved = _scores(subject.moved(), subject.samples, Control.start(rows))
    if not (apart := np.abs(moved - expected).max()) <= ATOL:
        yield fault(
            f"with trained banks, Control.start is {apart:.3g} nats away",
            "switch every bank off for Control.start",
        )


def sampling(subject: BenchmarkSubject) -> Findings:
    """One seed gives the same samples, another gives others; no global generator is drawn on."""
    prompts, numbers = subject.rows
    control = Control.start(len(prompts))
    before = torch.random.get_rng_state()
    again, other = (subject.start.sample(prompts, control, s, numbers) for s in (SEED, SEED + 1))
    if not torch.equal(before, torch.random.get_rng_state()):
        yield fault("sampling draws on torch's global generator", NOISE)
    first = _traits(subject, subject.samples)
    if not _same(first, _traits(subject, again)):
        yield fault("the same seed gave other samples", NOISE)
    if _same(first, _traits(subject, other)):
        yield fault("another seed gave the same samples", NOISE)
    pairs = np.nan_to_num(first).reshape(-1, 2, first.shape[1])
    if np.array_equal(pairs[:, 0], pairs[:, 1]):
        yield fault("another sample number gave the same sample", NOISE)


def common_random_numbers(subject: BenchmarkSubject) -> Findings:
    """Neither the order nor the size of a batch changes a sample or an answer."""
    prompts, numbers = subject.rows
    order = np.random.default_rng(SEED).permutation(len(prompts)).tolist()
    for name in ("sample", "answer"):
        draw = getattr(subject.start, name)

        def traits(rows: Sequence[int], draw: Any = draw) -> Array:
            chosen = [prompts[i] for i in rows]
            count = [numbers[i] for i in rows]
            return _traits(subject, draw(chosen, Control.start(len(rows)), SEED, count))

        whole = traits(range(len(prompts)))
        if not _same(traits(order), whole[order]):
            yield fault(f"{name} depends on the order of a batch", NOISE)
        if not _same(np.vstack([traits([i]) for i in range(len(prompts))]), whole):
            yield fault(f"{name} depends on the size of a batch", NOISE)


def scores_of_samples(subject: BenchmarkSubject) -> Findings:
    """What sampling says of a sample's likelihood is what scores says of it."""
    policy = subject.moved()
    prompts, numbers = subject.rows
    control = _mixed(len(prompts))
    samples = policy.sample(prompts, control, SEED, numbers)
    drawn, scored = (
        samples.log_probs.float().cpu(),
        policy.log_probs(samples, control).detach().cpu(),
    )
    mask = samples.mask.cpu()
    if drawn.shape != scored.shape or drawn.shape != mask.shape:
        yield fault(
            f"log_probs has shape {tuple(drawn.shape)}, scores {tuple(scored.shape)}, mask "
            f"{tuple(mask.shape)}",
            "give all of them as (rows, T)",
        )
        return
    if (scored[~mask] != 0).any():
        yield fault("scores are not 0 outside the mask", "set them to 0 there: sums run over rows")
    apart = float((drawn - scored).abs()[mask].max())
    if not apart <= ATOL:
        yield fault(
            f"they differ by up to {apart:.3g} nats",
            "score under the distribution that was drawn from, temperature and control included",
        )


def rows_keep_apart(subject: BenchmarkSubject) -> Findings:
    """Rows under different controls score as each does alone, and gradients reach the banks."""
    policy, samples = subject.moved(), subject.samples
    controls = _mixed(len(samples))
    scores = policy.log_probs(samples, controls)
    together = scores.detach().float().cpu().numpy().sum(axis=1)
    for row in (0, len(samples) - 1):
        same = controls.take(torch.full((len(samples),), row))
        alone = _scores(policy, samples, same).sum(axis=1)[row]
        if not abs(together[row] - alone) <= ATOL:
            yield fault(
                f"row {row} is {abs(together[row] - alone):.3g} nats away from itself alone",
                "let each row's control act on that row only",
            )
    scores.sum().backward()  # type: ignore[no-untyped-call]
    if not any(p.grad is not None and p.grad.abs().sum() > 0 for p in policy.parameters()):
        yield fault("scores have no gradient in the banks", "keep them in the graph")


def drift(subject: BenchmarkSubject) -> Findings:
    """The start policy has no drift; of others it is finite, one per row."""
    prompts, numbers = subject.rows
    rows = len(prompts)
    for told, policy, control in (
        ("start policy", subject.start, Control.start(rows)),
        ("moved policy", subject.moved(), _mixed(rows)),
    ):
        found = policy.drift(policy.answer(prompts, control, SEED, numbers), control)
        columns = (found.kl, found.start_nll, found.tokens)
        if any(len(x) != rows or not np.isfinite(x).all() for x in columns):
            yield fault(
                f"of the {told} it is not one finite number per row", "give Drift of (rows,)"
            )
        elif policy is subject.start and not np.abs(found.kl).max() <= ATOL:
            yield fault(
                f"the start policy is {np.abs(found.kl).max():.3g} nats from itself",
                "compare with Control.start, under the same distribution",
            )


# -- parts ----------------------------------------------------------------------------------


def _conditionings(objectives: int) -> list[Conditioning]:
    return [
        Banks(2, rank=4, alpha=4.0),
        Banks(2, rank=4, alpha=4.0, scope="attention"),
        Banks(2, rank=4, alpha=4.0, scope="head"),
        PromptText(rank=4, alpha=4.0),
        Features(objectives),
        Features(objectives, rank=4, alpha=4.0),
    ]


def _untrained(conditioning: Conditioning, rows: int) -> list[tuple[str, Control]]:
    """Controls that must not matter yet. Words and virtual tokens do, before any training."""
    start = [("Control.start", Control.start(rows))]
    if not isinstance(conditioning, Banks):
        return start
    return [*start, ("a soup", _mixed(rows)), ("a bank", Control.bank(np.arange(rows) % 2))]


def _mixed(rows: int) -> Control:
    """Another soup of two banks in every row, negative coefficients among them."""
    return Control.soup(np.random.default_rng(SEED).uniform(-1, 1.5, size=(rows, 2)))


@torch.no_grad()
def _scores(policy: Policy, samples: Any, control: Control) -> Array:
    return policy.log_probs(samples, control).double().cpu().numpy()


def _traits(subject: BenchmarkSubject, answers: Any) -> Array:
    """Numbers that tell one answer from another: its scores, and its likelihood if it was drawn."""
    raw = subject.world.score(answers)
    if not hasattr(answers, "log_probs"):
        return raw
    likelihood = answers.log_probs.double().cpu().numpy().sum(axis=1, keepdims=True)
    return np.hstack([raw, likelihood])


def _same(one: Array, other: Array) -> bool:
    return np.allclose(one, other, rtol=1e-5, atol=ATOL, equal_nan=True)
