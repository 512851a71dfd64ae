"""Checks of a method that is trained on the smoke budget: training, checkpoints, controls."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from paretosteer import method_outputs
from paretosteer.conformance.fixtures import (
    SEED,
    MethodFixture,
    NotChecked,
    TrainingRun,
)
from paretosteer.conformance.option_checks import options
from paretosteer.errors import UnsupportedError, UsageError, first_line
from paretosteer.findings import Finding, fault, note
from paretosteer.interfaces import Array
from paretosteer.method import Method
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.runtime.process_state import changes_since, process_state
from paretosteer.simplex import check, coarse_lattice
from paretosteer.training.rollout import roll_out
from paretosteer.training.scoring import Scorer
from paretosteer.training.snapshots import Journal
from paretosteer.training.trainer import Trainer

Findings = Iterator[Finding]

CONTROL_ATOL = 1e-6
LOG_PROB_ATOL = 1e-4  # nats: batches differ, and banks are switched on and off
SHORT_RUN = 8  # steps of the run that is interrupted; each of them is saved
THREE_STEPS = 12  # optimiser steps of the run with three objectives
PROMPTS, SAMPLES = 32, 2  # that orientation is measured on
SIGNIFICANT = 3.0  # standard errors of a paired difference
ROWWISE = "compute each row from its own preference and the trained state alone"
SEEDED = "draw only from trainer.rng(phase) and trainer.seed"


# -- before and during training -------------------------------------------------------------


def planning(fixture: MethodFixture) -> Findings:
    """Steps and points are known before training, and points begin with the grid."""
    method = fixture.new_method()
    method.bind(fixture.benchmark.objectives)
    method_outputs.total_steps(fixture.name, method, fixture.cap, fixture.m)
    grid = coarse_lattice(fixture.m)
    points = method_outputs.points(fixture.name, method, grid)
    if [point.preference for point in points[: len(grid)]] != [tuple(mu) for mu in grid.tolist()]:
        yield fault("points does not begin with the grid", "append to super().points(grid)")
    known: object = method.dials()
    if not isinstance(known, Mapping):
        yield fault(
            f"dials returns {known!r}",
            "return the lower bound of each dial by name, such as {'temperature': 0.0}",
        )
        return
    for point in points:
        check(point.preference, fixture.m, "the preference of a point")
        if unknown := sorted(point.dials.keys() - known):
            yield fault(f"points use the dial {unknown[0]!r}, which dials lacks", "add it to dials")
            return


def training(fixture: MethodFixture) -> Findings:
    """Training completes and builds the policy."""
    if not isinstance(fixture.outcome, TrainingRun):
        raise fixture.outcome
    method = fixture.outcome.method
    if not hasattr(method, "policy") or not hasattr(method, "objectives"):
        yield fault("train builds no policy", "call self.build_policy(benchmark, trainer.seed)")


def budget(fixture: MethodFixture) -> Findings:
    """Training takes no more optimiser steps than declared and allowed, and records them all."""
    run = fixture.trained
    account, method, cap = run.trainer.account, run.method, fixture.cap
    declared = method_outputs.total_steps(fixture.name, method, cap, fixture.m)
    if declared > cap and not method.exempt:
        yield fault(
            f"declares {declared} optimiser steps under a cap of {cap}",
            "divide the cap with trainer.split, or set exempt = True",
        )
    if account.steps > declared:
        yield fault(
            f"took {account.steps} steps but declares {declared}",
            "return it from total_steps",
        )
    if account.steps < declared:
        yield note(
            f"leaves {declared - account.steps} of {declared} optimiser steps unused",
            "other methods use them all: divide them with trainer.split",
        )
    if run.optimiser_steps > account.steps:
        yield fault(
            f"optimisers took {run.optimiser_steps} steps, {account.steps} are recorded",
            "train only through trainer.fit",
        )
    if account.steps and not account.tokens:
        yield fault("no tokens are recorded", "count the tokens in the feedback's batches")
    if not account.steps:
        untrained = fixture.new_method()
        untrained.build_policy(fixture.benchmark, SEED)
        before, after = untrained.policy.state(), run.state
        if before.keys() == after.keys() and differing_tensor(before, after):
            yield fault("parameters changed without a recorded step", "train through trainer.fit")


def determinism(fixture: MethodFixture) -> Findings:
    """One seed gives identical tensors and controls, another seed gives different tensors."""
    mu = fixture.preferences
    first, again, other = fixture.trained, fixture.train(), fixture.train(SEED + 1)
    if name := differing_tensor(first.state, again.state):
        yield fault(f"the same seed gave a different {name}", SEEDED)
    elif not same_control(control_of(first.method, mu), control_of(again.method, mu)):
        yield fault("the same seed gave different controls", SEEDED)
    if other.trainer.account.steps and not differing_tensor(first.state, other.state):
        yield fault("another seed gave the same tensors", f"do not fix the seed: {SEEDED}")


def global_state(fixture: MethodFixture) -> Findings:
    """Training, controls and checkpoints leave process-wide state unchanged."""
    before, method = process_state(), fixture.trained.method
    with tempfile.TemporaryDirectory() as folder:
        method.control(fixture.preferences)
        method_outputs.save(fixture.name, method, Path(folder) / "checkpoint")
        fixture.new_method().load(Path(folder) / "checkpoint", fixture.benchmark)
    for name in dict.fromkeys([*fixture.trained.disturbed, *changes_since(before)]):
        yield fault(f"{name} changed", "use generators of your own, and restore what you set")


def start_policy(fixture: MethodFixture) -> Findings:
    """After training, Control.start still gives the start policy."""
    start = fixture.benchmark.start_policy(Unconditioned(), SEED)
    samples, control = fixture.samples, Control.start(len(fixture.samples))
    with torch.no_grad():
        difference = fixture.trained.method.policy.log_probs(samples, control) - start.log_probs(
            samples, control
        )
    if not difference.abs().max() <= LOG_PROB_ATOL:
        yield fault(
            f"the start policy moved by up to {float(difference.abs().max()):.3g} nats",
            "train only what the conditioning adds, never the start model",
        )


def unsupported_feedback(fixture: MethodFixture) -> Findings:
    """Feedback that the benchmark does not give is refused before training."""
    if not fixture.trained.trainer.account.steps:
        raise NotChecked("it trains nothing")
    benchmark = copy.copy(fixture.benchmark)
    benchmark.__class__ = type("NoFeedback", (type(benchmark),), {"feedback": {}})
    trainer = Trainer.under(fixture.setting, seed=SEED)
    try:
        fixture.new_method().train(benchmark, trainer)
    except UnsupportedError:
        if trainer.account.steps:
            yield fault(f"refused after {trainer.account.steps} steps", "ask for feedback first")
        return
    yield fault("trains on a benchmark that declares no feedback", "get it from Method.feedback")


# -- checkpoints ----------------------------------------------------------------------------


def save_and_load(fixture: MethodFixture) -> Findings:
    """A checkpoint holds only safetensors and JSON, and restores the same policy."""
    method = fixture.trained.method
    try:
        selection = json.loads(json.dumps(method.selection))
    except (TypeError, ValueError) as error:
        yield fault(f"selection is not JSON: {error}", "use plain numbers, strings, lists, dicts")
        return
    if selection != method.selection:
        yield fault("selection changes on its way through JSON", "use string keys and no tuples")
    with tempfile.TemporaryDirectory() as place:
        written, folder = Path(place) / "written", Path(place) / "moved"
        method_outputs.save(fixture.name, method, written)
        written.rename(folder)  # a checkpoint may be moved before it is read
        yield from _files(folder)
        loaded = fixture.new_method()
        loaded.load(folder, fixture.benchmark)
    if loaded.selection != selection:
        yield fault("selection is lost", "keep what control needs in self.selection")
    if name := differing_tensor(method.policy.state(), loaded.policy.state()):
        yield fault(f"{name} differs after loading", "include all trained tensors in policy.state")
    control, again = (control_of(each, fixture.preferences) for each in (method, loaded))
    if not same_control(control, again):
        yield fault(
            "a loaded method gives different controls", "save their inputs in self.selection"
        )
        return
    with torch.no_grad():
        log_probs, restored = (
            each.policy.log_probs(fixture.samples, control) for each in (method, loaded)
        )
    if not torch.allclose(log_probs, restored, atol=LOG_PROB_ATOL):
        yield fault("a loaded method gives different scores", "restore all that was trained")


def _files(folder: Path) -> Findings:
    from safetensors import SafetensorError, safe_open

    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".safetensors":
                with safe_open(path, "pt"):
                    continue
            else:
                yield fault(
                    f"writes {path.name}",
                    "save tensors as safetensors and the rest as JSON: a pickle can run any code",
                )
        except (ValueError, SafetensorError) as error:
            yield fault(f"{path.name} cannot be read: {error}", "write what its suffix says")


class Interruption(BaseException):
    """End of a run as sudden as a signal: no `except Exception` of a method catches it."""


def resuming(fixture: MethodFixture) -> Findings:
    """A run that is interrupted and resumed ends like one that was not."""
    if fixture.trained.trainer.account.steps < 2:
        raise NotChecked("it trains too little to be interrupted")
    steps = min(SHORT_RUN, fixture.cap)
    whole = fixture.train(steps=steps)
    half = whole.trainer.account.steps // 2

    def interrupt(step: int, figures: object) -> None:
        if step > half:
            raise Interruption

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        try:
            fixture.train(steps=steps, on_step=interrupt, journal=Journal(folder, every=0))
        except Interruption:
            resumed = fixture.train(steps=steps, journal=Journal(folder))
        else:
            raise NotChecked("a second run took fewer steps")
    if name := differing_tensor(whole.state, resumed.state):
        yield fault(
            f"{name} differs after an interruption",
            "draw only from the generator of `draw`, and keep no state outside trainer.fit",
        )
    elif whole.method.selection != resumed.method.selection:
        yield fault("selection differs after an interruption", "derive it from trained points")


# -- controls -------------------------------------------------------------------------------


def controls(fixture: MethodFixture) -> Findings:
    """Every preference has a finite control that depends neither on its batch nor on its turn."""
    method, preferences = fixture.trained.method, fixture.preferences
    given = preferences.copy()
    control = method.control(given)
    if not np.array_equal(given, preferences):
        yield fault("control changes the preferences passed to it", "copy them first")
    if not isinstance(control, Control):
        yield fault(
            f"control returns {type(control).__name__}",
            "return a Control, such as Control.soup(weights)",
        )
        return
    yield from _finite_rows(control, len(preferences))
    if not same_control(method.control(preferences), control):
        yield fault("a second call gives a different control", ROWWISE)
    for row, mu in enumerate(preferences):
        alone = method.control(mu[None])
        if not same_control(control.take(torch.tensor([row])), alone, CONTROL_ATOL):
            yield fault(
                f"{mu.round(3).tolist()} has another control alone than in a batch", ROWWISE
            )
            break
    else:
        order = np.arange(len(preferences))[::-1].copy()
        turned = method.control(preferences[order])
        if not same_control(turned, control.take(torch.tensor(order)), CONTROL_ATOL):
            yield fault("rows in another order give different controls", ROWWISE)
    with torch.no_grad():
        log_probs = method.policy.log_probs(fixture.samples, control)
    if not torch.isfinite(log_probs).all():
        yield fault("log-probabilities under the controls are not finite", "limit the control")


def dials(fixture: MethodFixture) -> Findings:
    """Each dial acts on its own row only, and a row with empty dials is a row without."""
    # Inside the simplex: at a vertex, a dial may rightly change nothing.
    method, preferences = fixture.trained.method, fixture.preferences[-2:]
    plain = control_of(method, preferences)
    if not same_control(method.control(preferences, [{}, {}]), plain, CONTROL_ATOL):
        yield fault("empty dials give a different control than none", "treat {} like None")
    for name, lowest in method.dials().items():
        value = lowest + 0.5 if np.isfinite(lowest) else 0.25
        control = method.control(preferences, [{name: value}, {}])
        yield from _finite_rows(control, 2)
        if same_control(control, plain, CONTROL_ATOL):
            yield note(f"the dial {name} changes nothing at {value:g}")
        second, alone = control.take(torch.tensor([1])), method.control(preferences[1:])
        if not same_control(second, alone, CONTROL_ATOL):
            yield fault(f"the dial {name} of one row changes another row", ROWWISE)


def control_of(method: Method, preferences: Array) -> Control:
    """Control of a method, or NotChecked if it is none, which `controls` reports."""
    control: object = method.control(preferences)
    if not isinstance(control, Control):
        raise NotChecked(f"control returns {type(control).__name__}, not a Control")
    return control


def _finite_rows(control: Control, rows: int) -> Findings:
    given = (control.values, control.sharpness, control.candidates, control.weights)
    tensors = [x for x in given if x is not None]
    lengths = {control.rows, *map(len, tensors)}
    if control.kind == "text":
        lengths.add(len(control.words))
    if lengths != {rows}:
        yield fault(f"{rows} preferences gave {sorted(lengths)} rows", "return one row for each")
    if not all(torch.isfinite(x).all() for x in tensors):
        yield fault("a control is not finite", "handle weights of 0")


def controls_train_nothing(fixture: MethodFixture) -> Findings:
    """Computing controls and points changes no trained tensor."""
    run = fixture.trained
    before = run.state
    with torch.enable_grad():
        for call in (run.method.control, run.method.steer, run.method.points):
            call(fixture.preferences)
    if name := differing_tensor(before, run.state):
        yield fault(f"{name} changed when controls were computed", "do all training in train")


def wrong_preferences(fixture: MethodFixture) -> Findings:
    """Preferences off the simplex and unknown dials are refused in one line."""
    steer, m = fixture.trained.method.steer, fixture.m
    centre, zeros = np.full((1, m), 1 / m), [0.0] * (m - 2)
    cases: dict[str, Callable[[], Control]] = {
        "weights that sum to 2": partial(steer, 2 * centre),
        "a negative weight": partial(steer, np.array([[1.5, -0.5, *zeros]])),
        "one weight too many": partial(steer, np.full((1, m + 1), 1 / (m + 1))),
        "a weight that is NaN": partial(steer, np.array([[np.nan, 0.0, *zeros]])),
        "an unknown dial": partial(steer, centre, [{"no_such_dial": 1.0}]),
    }
    for name, call in cases.items():
        try:
            call()
        except UsageError as error:
            if "\n" in str(error):
                yield fault(f"{name} is refused in several lines", "raise an error of one line")
        else:
            yield fault(f"steer accepts {name}", "raise UsageError, as Method.steer does")


def orientation(fixture: MethodFixture) -> Findings:
    """Every objective is better at its own end of the simplex than at the others' ends."""
    z, m = _scores_at_ends(fixture), fixture.m
    if all(np.array_equal(z[i], z[0]) for i in range(m)):
        yield note("does not steer: answers are the same at every end of the simplex")
        return
    names = [objective.name for objective in fixture.benchmark.objectives]
    undecided: list[tuple[float, str]] = []
    for i, j in ((i, j) for i in range(m) for j in range(m) if i != j):
        gain, error = _paired(z[i, :, i] - z[j, :, i])  # objective i: own end minus end of j
        if gain < -SIGNIFICANT * error:
            yield fault(
                f"{names[i]} is {-gain:.3g} standard units worse at its own end than at that of "
                f"{names[j]}",
                "check which objective each column of the preference drives, and its sign",
            )
        elif gain <= SIGNIFICANT * error:
            amount = f"{gain:+.2g} ± {error:.2g} standard units better at its own end"
            undecided.append((gain, f"{names[i]} is {amount} than at that of {names[j]}"))
    if undecided:
        yield note(
            f"undecided in {len(undecided)} of {m * (m - 1)} pairs after "
            f"{fixture.trained.trainer.account.steps} steps; smallest: {min(undecided)[1]}",
            f"train longer, such as budget.steps={max(100, 10 * fixture.cap)}",
        )


def _scores_at_ends(fixture: MethodFixture) -> Array:
    """Normalised scores (m, prompts, m) at every vertex on the same prompts and noise."""
    benchmark, method, m = fixture.benchmark, fixture.trained.method, fixture.m
    prompts, scorer = benchmark.prompts("train")[:PROMPTS], Scorer(benchmark)
    total = np.zeros((m, len(prompts), m))
    for rows, _, answers in roll_out(
        method.policy,
        prompts,
        control_of(method, np.eye(m)),
        seed=SEED,
        samples=SAMPLES,
        batch_rows=fixture.setting.eval_rows,
        benchmark=benchmark,
    ):
        z = benchmark.normaliser.apply(scorer.score(answers))
        np.add.at(total, (rows.point, rows.prompt), z)
    return total / SAMPLES


def _paired(differences: Array) -> tuple[float, float]:
    """Mean over prompts, and its standard error."""
    error = differences.std(ddof=1) / len(differences) ** 0.5 if len(differences) > 1 else 0.0
    return float(differences.mean()), float(error)


def three_objectives(fixture: MethodFixture) -> Findings:
    """Plans, trains, steers and loads with three objectives, on the bandit."""
    _ = fixture.trained  # else the reason is reported already
    wider = fixture.with_three_objectives(THREE_STEPS)
    if isinstance(wider.outcome, UsageError | UnsupportedError):
        raise NotChecked(f"it refuses three objectives: {first_line(wider.outcome)}")
    parts = (planning, training, controls, save_and_load)
    if findings := [finding for part in parts for finding in part(wider)]:
        known = {finding.found for part in parts for finding in part(fixture)}
        yield from (finding for finding in findings if finding.found not in known)


# -- comparisons ----------------------------------------------------------------------------


def differing_tensor(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> str:
    """Name of the first tensor that is not bitwise equal in both; empty if all are."""
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other or not torch.equal(one[name], other[name]):
            return name
    return ""


def same_control(one: Control, other: Control, atol: float = 0.0) -> bool:
    """True if two controls are equal row by row."""
    if (one.kind, one.rows, one.words) != (other.kind, other.rows, other.words):
        return False
    if (one.rule, len(one.parts)) != (other.rule, len(other.parts)):
        return False
    parts = zip(one.parts, other.parts, strict=True)
    if not all(same_control(a, b, atol) for a, b in parts):
        return False
    pairs = (
        (one.values, other.values),
        (one.sharpness, other.sharpness),
        (one.candidates, other.candidates),
        (one.weights, other.weights),
    )
    return all(a is b if a is None or b is None else _close(a, b, atol) for a, b in pairs)


def _close(a: Tensor, b: Tensor, atol: float) -> bool:
    a, b = a.cpu().double(), b.cpu().double()
    return a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=atol, equal_nan=True)


METHOD_CHECKS = (
    planning,
    training,
    budget,
    determinism,
    global_state,
    save_and_load,
    resuming,
    controls,
    dials,
    controls_train_nothing,
    start_policy,
    orientation,
    options,
    three_objectives,
    wrong_preferences,
    unsupported_feedback,
)
