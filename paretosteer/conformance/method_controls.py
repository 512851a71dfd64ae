"""Checks of how a preference becomes a control, on the grid and off it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from paretosteer import method_outputs
from paretosteer.conformance.compare import same_rows
from paretosteer.conformance.finding import Findings, fault, note
from paretosteer.conformance.subject import MethodSubject
from paretosteer.errors import UsageError
from paretosteer.policies.control import Control
from paretosteer.simplex import check, coarse_lattice

ATOL = 1e-6
ALONE = "work out each row from its own preference and from what training left behind"


def planning(subject: MethodSubject) -> Findings:
    """Steps and points are known before training; points are on the simplex, the grid first."""
    method = subject.make()
    method.bind(subject.benchmark.objectives)
    method_outputs.total_steps(subject.name, method, subject.cap, subject.m)
    grid = coarse_lattice(subject.m)
    points = method_outputs.points(subject.name, method, grid)
    if [point.preference for point in points[: len(grid)]] != [tuple(mu) for mu in grid.tolist()]:
        yield fault(
            "points does not begin with the grid", "add to super().points(grid), change none of it"
        )
    known = method.dials()
    for point in points:
        check(point.preference, subject.m, "the preference of a point")
        if unknown := sorted(point.dials.keys() - known):
            yield fault(f"points use the dial {unknown[0]!r}, which dials does not name", "name it")
            return


def controls(subject: MethodSubject) -> Findings:
    """Any preference has a finite control; a batch is its rows, in their order, every time."""
    method, probes = subject.trained.method, subject.probes
    given = probes.copy()
    control = method.control(given)
    if not np.array_equal(given, probes):
        yield fault("control changes the preferences that it is given", "copy them first")
    if not isinstance(control, Control):
        yield fault(f"control gives {type(control).__name__}", "give a paretosteer Control")
        return
    yield from _whole(control, len(probes))
    yield from _rows(subject, control)
    with torch.no_grad():
        scores = method.policy.log_probs(subject.samples, control)
    if not torch.isfinite(scores).all():
        yield fault("scores under the controls are not finite", "keep the control in range")


def dials(subject: MethodSubject) -> Findings:
    """Every dial moves within its range, and a row without dials is as none were given."""
    method, probes = subject.trained.method, subject.probes[:2]
    plain = method.control(probes)
    if not same_rows(method.control(probes, [{}, {}]), plain, ATOL):
        yield fault("empty dials give another control than none", "treat {} as None")
    for name, lowest in method.dials().items():
        value = lowest + 0.5 if np.isfinite(lowest) else 0.25
        control = method.control(probes, [{name: value}, {}])
        yield from _whole(control, 2)
        if same_rows(control, plain, ATOL):
            yield note(f"the dial {name} changes nothing at {value:g}")
        if not same_rows(control.take(torch.tensor([1])), method.control(probes[1:]), ATOL):
            yield fault(f"the dial {name} of one row changes another row", ALONE)


def wrong_preferences(subject: MethodSubject) -> Findings:
    """A preference off the simplex and an unknown dial are refused in one line."""
    method, m = subject.trained.method, subject.m
    middle = np.full((1, m), 1 / m)
    cases = {
        "weights that sum to 2": np.full((1, m), 2 / m),
        "a negative weight": np.array([[1.5, -0.5, *[0.0] * (m - 2)]]),
        "a weight too many": np.full((1, m + 1), 1 / (m + 1)),
        "a weight that is no number": np.array([[np.nan, *[0.0] * (m - 1)]]),
    }
    for told, preference in cases.items():
        yield from _refused(told, partial(method.steer, preference))
    yield from _refused("an unknown dial", partial(method.steer, middle, [{"no_such_dial": 1.0}]))


# -- parts ----------------------------------------------------------------------------------


def _whole(control: Control, rows: int) -> Findings:
    """One finite row each."""
    lengths = {control.rows} | {
        len(x) for x in (control.values, control.sharpness) if x is not None
    }
    if control.kind == "text":
        lengths.add(len(control.words))
    if lengths != {rows}:
        yield fault(f"{rows} preferences gave {sorted(lengths)} rows", "give one row for each")
    for values in (control.values, control.sharpness):
        if values is not None and not torch.isfinite(values).all():
            yield fault("a control is not finite", "mind weights of 0, where logarithms end")


def _rows(subject: MethodSubject, control: Control) -> Findings:
    method, probes = subject.trained.method, subject.probes
    if not same_rows(method.control(probes), control):
        yield fault("asked twice, it gives another control", ALONE)
    for row, mu in enumerate(probes):
        if not same_rows(control.take(torch.tensor([row])), method.control(mu[None]), ATOL):
            yield fault(f"{mu.round(3).tolist()} alone has another control than in a batch", ALONE)
            return
    order = np.arange(len(probes))[::-1].copy()
    if not same_rows(method.control(probes[order]), control.take(torch.tensor(order)), ATOL):
        yield fault("rows in another order give other controls", ALONE)


def _refused(told: str, call: Callable[[], Control]) -> Findings:
    try:
        call()
    except UsageError as error:
        if "\n" in str(error):
            yield fault(f"{told} is refused in several lines", "say it in one")
        return
    yield fault(f"steer takes {told}", "check it, as Method.steer does, and raise UsageError")
