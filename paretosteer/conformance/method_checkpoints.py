"""Checks of what is kept: a checkpoint of what was learnt, and a run that is taken up again."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import torch

from paretosteer import method_outputs
from paretosteer.conformance.compare import differing, same_rows
from paretosteer.conformance.finding import Findings, NotChecked, fault
from paretosteer.conformance.subject import MethodSubject
from paretosteer.method import Method
from paretosteer.training.snapshots import Journal

FILES = {".safetensors", ".json"}
ATOL = 1e-4  # nats
SHORT = 8  # steps: every one of them is kept on disk


class Killed(BaseException):
    """The end of a run, as sudden as a signal's: no method can catch it by accident."""


def save_and_load(subject: MethodSubject) -> Findings:
    """What is saved is safetensors and JSON, and gives the same policy to a new object."""
    method = subject.trained.method
    try:
        told = json.loads(json.dumps(method.selection))
    except (TypeError, ValueError) as error:
        yield fault(f"selection is no JSON: {error}", "keep plain numbers, texts, lists and dicts")
        return
    if told != method.selection:
        yield fault(
            "selection changes on its way through JSON", "use text keys, and lists for tuples"
        )
    with tempfile.TemporaryDirectory() as place:
        written, folder = Path(place) / "written", Path(place) / "moved"
        method_outputs.save(subject.name, method, written)
        written.rename(folder)  # a checkpoint is read wherever it lies by now
        yield from _files(folder)
        again = subject.make()
        again.load(folder, subject.benchmark)
    if again.selection != told:
        yield fault("selection is lost", "save what control needs in self.selection")
    if (name := differing(method.policy.state(), again.policy.state())) is not None:
        yield fault(f"{name} comes back as another", "let policy.state() hold all that is trained")
    if not same_rows(method.control(subject.probes), again.control(subject.probes)):
        yield fault(
            "a loaded one gives other controls",
            "keep what control needs in self.selection; load does not train",
        )
    elif not torch.allclose(_scores(method, subject), _scores(again, subject), atol=ATOL):
        yield fault("a loaded one gives other scores", "restore all that was trained in load")


def taking_up_again(subject: MethodSubject) -> Findings:
    """Killed in the middle of training and taken up again, it ends as if nothing had happened."""
    if subject.trained.trainer.account.steps < 2:
        raise NotChecked("it trains too little to be killed")
    steps = min(SHORT, subject.cap)
    whole = subject.train(steps=steps)
    half = whole.trainer.account.steps // 2

    def kill(step: int, figures: object) -> None:
        if step > half:
            raise Killed

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        try:
            subject.train(steps=steps, on_step=kill, journal=Journal(folder, every=0))
        except Killed:
            again = subject.train(steps=steps, journal=Journal(folder))
        else:
            raise NotChecked("another run of it took fewer steps")
    if (name := differing(whole.state, again.state)) is not None:
        yield fault(
            f"{name} is another than without the interruption",
            "draw from the generator that `draw` is given, and keep nothing beside what fit keeps",
        )
    elif whole.method.selection != again.method.selection:
        yield fault("selection is another than without the interruption", "choose it from points")


# -- parts ----------------------------------------------------------------------------------


def _files(folder: Path) -> Findings:
    from safetensors import SafetensorError, safe_open

    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".safetensors":
                with safe_open(path, "pt"):
                    continue
        except (ValueError, SafetensorError) as error:
            yield fault(f"{path.name} cannot be read: {error}", "write what its suffix says")
        if path.suffix not in FILES:
            yield fault(
                f"writes {path.name}",
                "keep tensors in safetensors and the rest in JSON: a pickle can run anything",
            )


@torch.no_grad()
def _scores(method: Method, subject: MethodSubject) -> torch.Tensor:
    return method.policy.log_probs(subject.samples, method.control(subject.probes))
