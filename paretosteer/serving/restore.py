"""A finished cell back as a usable policy.

    from paretosteer import restore_cell

    cell = restore_cell("results/quickstart/stories/clp/seed0-0123456789")
    answers = cell.answer(["Once upon a time,"], [[0.3, 0.7], [0.7, 0.3]])
    print(answers[0].text, answers[0].scores)
    cell.export([0.3, 0.7], "exported")  # for AutoModelForCausalLM.from_pretrained

What a cell needs beside its own folder is its start model; banks, also those of adapters that came
from elsewhere, are in its checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer import simplex
from paretosteer.cells.cell import Cell, find_cells
from paretosteer.cells.plan import CellPlan
from paretosteer.cells.state import State
from paretosteer.config.schema import CellConfig
from paretosteer.config.setting import Setting
from paretosteer.errors import UsageError
from paretosteer.plugins import in_use
from paretosteer.runtime.progress import say

if TYPE_CHECKING:
    from paretosteer.interfaces import Array
    from paretosteer.method import Method
    from paretosteer.policies.control import Control
    from paretosteer.serving.answers import Answer
    from paretosteer.text.hf_export import Form


@dataclass(frozen=True)
class Restored:
    """A trained cell: its folder and plan, its benchmark, and its method with the policy loaded."""

    folder: Path
    plan: CellPlan
    benchmark: Any
    method: Method

    @property
    def objectives(self) -> list[str]:
        """Names of the objectives, in the order of a preference's weights."""
        return [objective.name for objective in self.benchmark.objectives]

    def control(self, preferences: object, dials: Mapping[str, float] | None = None) -> Control:
        """One control row per preference (k, m), all with the same dials.

        Raises
        ------
        UsageError
            If a preference is off the simplex, or the method has no such dial or value of it.

        """
        mu = self._preferences(preferences)
        self.method.check_dials(dials or {}, self.plan.config.method.name)
        return self.method.control(mu, [dict(dials)] * len(mu) if dials else None)

    def answer(
        self,
        prompts: Sequence[str],
        preferences: object,
        *,
        dials: Mapping[str, float] | None = None,
        samples: int = 1,
        seed: int = 0,
    ) -> list[Answer]:
        """Answers to prompts, every one at every preference (k, m), in one batch where they fit.

        A prompt's answers stand together, by preference, then by sample. The same seed, prompt and
        sample number meet the same noise at every preference.

        Raises
        ------
        UsageError
            As `control`; if the world has no text, or if a prompt is empty, no text, or too long
            for the model's context.

        """
        from paretosteer.serving.answers import answers

        self._need_text()
        for prompt in prompts:
            _check_prompt(prompt)
        mu = self._preferences(preferences)
        control = self.control(mu, dials)
        return answers(self.benchmark, self.method.policy, prompts, mu, control, samples, seed)

    def export(
        self,
        preference: Sequence[float],
        out: str | os.PathLike[str],
        *,
        form: Form = "model",
        dials: Mapping[str, float] | None = None,
    ) -> None:
        """Write the policy at one preference (m,) as a Hugging Face folder or a PEFT adapter.

        Raises
        ------
        UsageError
            As `control`; if the world has no text, the policy no such form there, or if `out`
            exists and is not an empty folder.

        """
        from paretosteer.serving.export_folder import export

        self._need_text()
        control = self.control([preference], dials)
        about = self._about(preference, dials or {})
        export(self.method.policy, control, Path(out), form, about)

    def _about(self, preference: Sequence[float], dials: Mapping[str, float]) -> dict[str, Any]:
        """What an exported policy is, for programs."""
        plan = self.plan
        return {
            "cell": self.folder.resolve().name,
            "benchmark": plan.config.benchmark.name,
            "method": plan.config.method.name,
            "variant": plan.variant,
            "seed": plan.config.seed,
            "start_model": {"name": self.benchmark.model_name, "digest": plan.model_key},
            "preference": dict(zip(self.objectives, map(float, preference), strict=True)),
            "dials": dict(dials),
        }

    def _need_text(self) -> None:
        if not has_text(self.plan.benchmark_class):
            raise _no_text(self.folder, self.plan.config.benchmark.name)

    def _preferences(self, preferences: object) -> Array:
        try:
            return simplex.check(preferences, len(self.objectives))
        except UsageError as error:
            raise UsageError(f"{error}; the objectives are {', '.join(self.objectives)}") from None


def restore_cell(
    folder: str | os.PathLike[str],
    *,
    device: str = "auto",
    model: str | None = None,
    text: bool = False,
) -> Restored:
    """Load what a cell trained.

    Parameters
    ----------
    folder
        A cell, or a folder in which exactly one lies.
    device
        As in the configuration; it need not be the one that the cell was trained on.
    model
        Where the start model is now, if it is not where the cell found it.
    text
        Refuse a world without text, before it is built.

    Raises
    ------
    UsageError
        If there is no such cell, if it has no whole checkpoint (it failed, or never finished
        training), or if its start model is not there any more or is another one.

    """
    cell = _find(Path(folder))
    in_use.need(cell.path, cell.record.plugins if cell.record else {})
    plan = CellPlan.of(_config(cell, device, model))
    _check_model(cell, plan)
    if text and not has_text(plan.benchmark_class):
        raise _no_text(cell.path, cell.benchmark)
    setting = Setting.of(plan.config, plan.model_key, say)
    benchmark = plan.benchmark_class(plan.benchmark_options, setting)
    method = plan.method()
    method.load(cell.path / "checkpoint", benchmark)
    return Restored(cell.path, plan, benchmark, method)


def _check_prompt(prompt: str) -> None:
    """UsageError where there is nothing to answer."""
    try:
        prompt.encode()
    except UnicodeEncodeError:  # bytes that were no UTF-8 reach Python as lone surrogates
        raise UsageError(f"prompt: {prompt!a} is not valid UTF-8; convert it first") from None
    if not prompt.strip():
        raise UsageError("prompt: is empty; give some text to answer")


def has_text(benchmark_class: type) -> bool:
    """Whether a world is of language models."""
    from paretosteer.text.benchmark import TextBenchmark

    return issubclass(benchmark_class, TextBenchmark)


def _no_text(folder: Path, benchmark: str) -> UsageError:
    return UsageError(f"{folder}: {benchmark} has no text; `paretosteer report` shows its points")


def _find(folder: Path) -> Cell:
    """The one cell at or below a folder, with its training finished."""
    cells = find_cells(folder)
    if len(cells) > 1:
        raise UsageError(
            f"{folder}: holds {len(cells)} cells; give one of them, such as {cells[0].path}"
        )
    (cell,) = cells
    if not State(cell.path).whole("train"):
        reason = cell.reason or "its checkpoint is incomplete"
        raise UsageError(
            f"{cell.path}: has no trained policy ({cell.status}: {reason}); run the cell again"
        )
    return cell


def _config(cell: Cell, device: str, model: str | None) -> CellConfig:
    """The cell's configuration, here and now."""
    if not cell.config:
        raise UsageError(f"{cell.path}: has no readable configuration; run the cell again")
    config = CellConfig.parse({**cell.config, "device": device})
    if model is None:
        return config
    if config.model.name != "hf":
        raise UsageError(
            f"--model: {model!r} given, but the start model of {cell.path} is the benchmark's own; "
            "leave it out"
        )
    return config.model_copy(update={"model": config.model.model_copy(update={"path": model})})


def _check_model(cell: Cell, plan: CellPlan) -> None:
    """UsageError where the start model is not the one that the banks change."""
    if not cell.record or not cell.record.model:  # unfinished: only its training digest is known
        if State(cell.path).stages["train"]["digest"] != plan.digests["train"]:
            raise UsageError(
                f"{cell.path}: was trained on another start model, or by another version of "
                "paretosteer, and never finished; run the cell again"
            )
        return
    if cell.record.model.digest == plan.model_key:
        return
    where = plan.config.model.path
    if where is None:
        raise UsageError(
            f"{cell.path}: was trained on another version of the start model or data of "
            f"{plan.config.benchmark.name}; run the cell again"
        )
    found = "holds another model than" if Path(where).is_dir() else "is no folder from here, as"
    raise UsageError(
        f"model.path: {where!r} {found} {cell.path} was trained on; say where that is with --model"
    )
