"""Restoring a finished cell as a usable policy.

    from paretosteer import restore_cell

    cell = restore_cell("results/quickstart/stories/clp/seed0-0123456789")
    answers = cell.answer(["Once upon a time,"], [[0.3, 0.7], [0.7, 0.3]])
    print(answers[0].text, answers[0].scores)
    cell.export([0.3, 0.7], "exported")  # for AutoModelForCausalLM.from_pretrained

Besides its own folder, a cell only needs its start model. The checkpoint holds all banks, including
those imported from adapters.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer import simplex
from paretosteer.cells import provenance
from paretosteer.cells.cell import Cell, find_cells
from paretosteer.cells.config_yaml import CONFIG
from paretosteer.cells.plan import CellPlan
from paretosteer.cells.record import RECORD, ScoredRecord
from paretosteer.cells.state import STATE, State
from paretosteer.config.schema import CellConfig
from paretosteer.config.setting import Setting
from paretosteer.errors import UsageError
from paretosteer.plugins import in_use
from paretosteer.runtime.progress import say
from paretosteer.storage.digest import file_digest

if TYPE_CHECKING:
    from paretosteer.interfaces import Array
    from paretosteer.method import Method
    from paretosteer.policies.control import Control
    from paretosteer.serving.answers import Answer
    from paretosteer.text.hf_export import Form


@dataclass(frozen=True)
class Restored:
    """A trained cell, with its benchmark and its method's policy loaded."""

    folder: Path
    plan: CellPlan
    benchmark: Any
    method: Method

    @property
    def objectives(self) -> list[str]:
        """Names of the objectives, in the order of the weights of a preference."""
        return [objective.name for objective in self.benchmark.objectives]

    def control(self, preferences: object, dials: Mapping[str, float] | None = None) -> Control:
        """One control row per preference (k, m), all with the same dials.

        Raises
        ------
        UsageError
            If a preference is not on the simplex, or a dial is unknown or out of range.

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
        """Answer every prompt at every preference (k, m).

        Answers are ordered by prompt, then by preference, then by sample. For the same seed,
        prompt and sample number, the sampling noise is the same at every preference.

        Raises
        ------
        UsageError
            As `control`; if the benchmark has no text, if `prompts` is a single string, or if a
            prompt is empty, not valid UTF-8, or too long for the model's context.

        """
        from paretosteer.serving.answers import answers

        self._need_text()
        if isinstance(prompts, str):  # each of its characters would be a prompt
            raise UsageError("prompts: found a single string; pass a list of prompts")
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
            As `control`; if the benchmark has no text, if the policy cannot be exported in this
            form, or if `out` exists and is not an empty folder.

        """
        from paretosteer.serving.export_folder import export

        self._need_text()
        control = self.control([preference], dials)
        about = self._about(preference, dials or {})
        export(self.method.policy, control, Path(out), form, about)

    def _about(self, preference: Sequence[float], dials: Mapping[str, float]) -> dict[str, Any]:
        """Metadata of an exported policy."""
        from paretosteer.text.model_source import model_digest

        plan, model = self.plan, self.plan.config.model
        files = model_digest(model.path, revision=model.revision) if model.path else None
        start = {"name": self.benchmark.model_name, "digest": plan.model_key, "files": files}
        return {
            "cell": self.folder.resolve().name,
            "benchmark": plan.config.benchmark.name,
            "method": plan.config.method.name,
            "variant": plan.variant,
            "seed": plan.config.seed,
            "start_model": start,
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
    """Load the policy of a trained cell.

    Parameters
    ----------
    folder
        A cell, or a folder that contains exactly one.
    device
        As in the configuration; it may differ from the device of training.
    model
        New path of the start model, if it has moved since training.
    text
        Raise early if the benchmark has no text, before it is built.

    Raises
    ------
    UsageError
        If the cell does not exist, has no complete checkpoint (because it failed or did not finish
        training), or if its start model is missing or has changed.

    """
    cell = _find(Path(folder))
    in_use.need(cell.path, cell.record.plugins if cell.record else {})
    _check_files(cell)
    plan = CellPlan.of(_config(cell, device, model))
    _check_model(cell, plan)
    _say_other_plugins(cell, plan)
    if text and not has_text(plan.benchmark_class):
        raise _no_text(cell.path, cell.benchmark)
    setting = Setting.of(plan.config, plan.model_key, say)
    benchmark = plan.benchmark_class(plan.benchmark_options, setting)
    method = plan.method()
    method.load(cell.path / "checkpoint", benchmark)
    return Restored(cell.path, plan, benchmark, method)


def _check_prompt(prompt: str) -> None:
    """Raise UsageError if a prompt is empty or not valid UTF-8."""
    try:
        prompt.encode()
    except UnicodeEncodeError:  # Python decodes invalid bytes of argv as lone surrogates
        raise UsageError(f"prompt: {prompt!a} is not valid UTF-8; convert it first") from None
    if not prompt.strip():
        raise UsageError("prompt: empty; pass some text to answer")


def has_text(benchmark_class: type) -> bool:
    """True if a benchmark is about language models."""
    from paretosteer.text.benchmark import TextBenchmark

    return issubclass(benchmark_class, TextBenchmark)


def _no_text(folder: Path, benchmark: str) -> UsageError:
    return UsageError(
        f"{folder}: benchmark {benchmark} has no text; use `paretosteer report` to see its points"
    )


def _find(folder: Path) -> Cell:
    """Find the only cell at or below a folder; its training must have finished."""
    cells = find_cells(folder)
    if len(cells) > 1:
        raise UsageError(
            f"{folder}: holds {len(cells)} cells; pass one of them, such as {cells[0].path}"
        )
    (cell,) = cells
    if not State(cell.path).whole("train"):
        reason = cell.reason or "its checkpoint is incomplete"
        raise UsageError(
            f"{cell.path}: has no trained policy ({cell.status}: {reason}); run the cell again"
        )
    return cell


def _check_files(cell: Cell) -> None:
    """Raise UsageError for a checkpoint other than the record's; say if config.yaml was edited."""
    if not isinstance(cell.record, ScoredRecord):
        return
    files = cell.record.files
    if not State(cell.path).are_of(files):
        raise UsageError(
            f"{cell.path}: its {STATE} and checkpoint are not those of its record, such as another "
            "cell's; run the cell again"
        )
    edited = cell.path / CONFIG
    if edited.is_file() and file_digest(edited) != files.get(CONFIG):
        say(f"{cell.path.name}: note: {CONFIG} was edited; the configuration in {RECORD} is used")


def _config(cell: Cell, device: str, model: str | None) -> CellConfig:
    """Configuration of the cell with the current device and path of the start model."""
    if not cell.config:
        raise UsageError(f"{cell.path}: has no readable configuration; run the cell again")
    config = CellConfig.parse({**cell.config, "device": device})
    if model is None:
        return config
    if config.model.name != "hf":
        raise UsageError(
            f"--model: found {model!r}, but {cell.path} uses the embedded start model of its "
            "benchmark; omit --model"
        )
    return config.model_copy(
        update={"model": config.model.model_copy(update={"path": model, "revision": None})}
    )


def _say_other_plugins(cell: Cell, plan: CellPlan) -> None:
    """Say that a plug-in of the cell may compute something else than it did in training."""
    plugins = in_use.used(plan.config)
    made_by = cell.record.source_digest if cell.record else None
    if plugins and made_by and made_by != provenance.source_digest(plugins):
        files = ", ".join(dict.fromkeys(offer.origin for offer in plugins))
        say(f"{cell.path.name}: note: {files} or paretosteer has changed since the cell was made")


def _check_model(cell: Cell, plan: CellPlan) -> None:
    """Raise UsageError if the start model is not the one that the cell was trained on."""
    if not cell.record or not cell.record.model:  # unfinished: only its training digest is known
        if State(cell.path).stages["train"]["digest"] != plan.train_digest:
            raise UsageError(
                f"{cell.path}: did not finish, and was trained on another start model or by "
                "another version of paretosteer; run the cell again"
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
    if Path(where).exists():
        # The digest also covers the prompts and reward models of some benchmarks.
        problem = (
            f"{cell.path} was trained on another start model than {where!r}, or with other data or "
            f"reward models of {plan.config.benchmark.name}; restore these, or"
        )
    else:
        problem = f"the folder {where!r} with the start model of {cell.path} does not exist;"
    raise UsageError(f"model.path: {problem} pass the path of the start model with --model")
