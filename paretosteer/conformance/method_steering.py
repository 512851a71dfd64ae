"""Does the dial turn the right way? Answers at the ends, on the same prompts and noise."""

from __future__ import annotations

import numpy as np

from paretosteer.conformance.finding import Findings, fault, note
from paretosteer.conformance.subject import SEED, MethodSubject
from paretosteer.interfaces import Array
from paretosteer.training.rollout import roll_out
from paretosteer.training.scoring import Scorer

PROMPTS = 32
SAMPLES = 2
SIGNIFICANT = 3.0  # standard errors of a paired difference


def orientation(subject: MethodSubject) -> Findings:
    """At its own end, every objective is better than at the others' ends."""
    z, m = _at_the_ends(subject), subject.m
    if all(np.array_equal(z[i], z[0]) for i in range(m)):
        yield note("does not steer: answers are the same at every end of the simplex")
        return
    names = [objective.name for objective in subject.benchmark.objectives]
    weak: list[tuple[float, str]] = []
    for i in range(m):
        for j in (j for j in range(m) if j != i):
            gain, error = _paired(z[i, :, i] - z[j, :, i])  # objective i: own end less end of j
            if gain < -SIGNIFICANT * error:
                yield fault(
                    f"{names[i]} is {-gain:.3g} standard units worse at its own end than at that "
                    f"of {names[j]}",
                    "see that column i of the preference drives objective i, and with which sign",
                )
            elif gain <= SIGNIFICANT * error:
                told = (
                    f"{names[i]} is {gain:+.2g} ± {error:.2g} standard units better at its own end"
                )
                weak.append((gain, f"{told} than at that of {names[j]}"))
    if weak:
        steps = subject.trained.trainer.account.steps
        yield note(
            f"too little to tell in {len(weak)} of {m * (m - 1)} pairs after {steps} steps, where "
            f"least: {min(weak)[1]}",
            f"give it more, such as budget.steps={max(100, 10 * subject.cap)}",
        )


def _at_the_ends(subject: MethodSubject) -> Array:
    """Normalised scores (m, prompts, m) at every end, averaged over a prompt's samples."""
    benchmark, method, m = subject.benchmark, subject.trained.method, subject.m
    prompts, scorer = benchmark.prompts("train")[:PROMPTS], Scorer(benchmark)
    total = np.zeros((m, len(prompts), m))
    for cells, _, answers in roll_out(
        method.policy,
        prompts,
        method.control(np.eye(m)),
        seed=SEED,
        samples=SAMPLES,
        batch_rows=subject.setting.eval_rows,
    ):
        z = benchmark.normaliser.apply(scorer.score(answers))
        np.add.at(total, (cells.point, cells.prompt), z)
    return total / SAMPLES


def _paired(differences: Array) -> tuple[float, float]:
    """Mean over prompts, and its standard error."""
    error = differences.std(ddof=1) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
    return float(differences.mean()), float(error)
