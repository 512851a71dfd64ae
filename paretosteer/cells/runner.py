"""One cell from its configuration to its record: train, sample, score, then the record, last."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from paretosteer import benchmark_outputs, method_outputs
from paretosteer.cells import record_content
from paretosteer.cells.config_yaml import write_config
from paretosteer.cells.evaluation import Evaluation
from paretosteer.cells.plan import CellPlan, plan_cell
from paretosteer.cells.record import RECORD, write_record
from paretosteer.cells.resume import Unfinished
from paretosteer.cells.reuse import say_if_damaged, settled
from paretosteer.cells.state import State
from paretosteer.config.schema import CellConfig
from paretosteer.config.setting import Setting
from paretosteer.errors import (
    PLUGIN_ERRORS,
    DivergenceError,
    UnsupportedError,
    UsageError,
    stops_job,
)
from paretosteer.interfaces import Point
from paretosteer.runtime import peak_memory
from paretosteer.runtime.processes import accelerator, are_several, from_first, parting
from paretosteer.runtime.progress import say, training_bar
from paretosteer.storage.atomic import atomic_folder, atomic_write, remove
from paretosteer.storage.locks import owned
from paretosteer.tracking import Tracker
from paretosteer.training.snapshots import Journal
from paretosteer.training.trainer import OnStep, Trainer

GRACE = 10.0  # seconds for the first process to record an error that it may have met as well


def run_cell(config: CellConfig, tracker: Tracker) -> dict[str, Any] | None:
    """Run what is missing of a cell and return its record.

    A cell that fails, or that its benchmark cannot serve, gets a record that says so. Where
    `accelerate launch` started several processes, all but the first help to train, and return None.

    Raises
    ------
    UsageError
        Before anything is written, where the configuration names what does not exist.

    """
    plan = plan_cell(config)
    if are_several():
        return _together(_Run(plan, tracker))
    if (record := settled(plan)) is not None:
        return record
    with _Run(plan, tracker) as run, owned(plan.folder, say):
        # Another job may have done it meanwhile.
        return settled(plan) or _recorded(run)


def _together(run: _Run) -> dict[str, Any] | None:
    """Run a cell in several processes: the first decides what there is to do, and tells."""
    with run, parting(run.accelerator):
        if not run.accelerator.is_main_process:
            run.follow()
            return None
        try:
            with owned(run.plan.folder, say, wait=False):
                return settled(run.plan) or _recorded(run)
        finally:
            run.tell(training=False)


def _recorded(run: _Run) -> dict[str, Any]:
    """Run a cell that this job owns, and write its record, last."""
    plan, tracker = run.plan, run.tracker
    config = plan.config.model_dump(mode="json")
    run.unfinished.tidy(say)
    say_if_damaged(plan)
    remove(plan.folder / RECORD)  # an older state of this cell is not its result
    write_config(plan.folder, config)
    tracker.start(config, plan.folder, plan.identity)
    try:
        record = _outcome(run)
        record = write_record(plan.folder, record)
        tracker.cell(plan.folder)
    finally:
        tracker.finish()
    return record


def _outcome(run: _Run) -> dict[str, Any]:
    """The record of what became of a cell."""
    try:
        return run.everything()
    except UnsupportedError as reason:
        return run.record("unsupported", reason=str(reason))
    except PLUGIN_ERRORS as error:
        if stops_job(error):
            raise
        return run.record("failed", error=record_content.error(error, run.doing))


class _Run:
    """The state of one run: what is loaded, what it took."""

    def __init__(self, plan: CellPlan, tracker: Tracker):
        self.plan, self.tracker = plan, tracker
        self.seconds: dict[str, float] = {}
        self.doing = "prepare"
        self.told = False

    def __enter__(self) -> _Run:
        try:
            with self.stage("prepare"):
                self.prepare()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage, and remember it for the error if it fails."""
        self.doing, began = name, time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began

    def prepare(self) -> None:
        """Build benchmark and method; nothing of the cell is written yet."""
        config, plan = self.plan.config, self.plan
        peak_memory.start_watching()
        torch.manual_seed(config.seed)
        self.method = plan.method()
        self.setting = Setting.of(config, plan.model_key, say)
        self.benchmark = plan.benchmark_class(plan.benchmark_options, self.setting)
        self.method.bind(self.benchmark.objectives)
        self.method.prepare(self.benchmark)
        self.points: list[Point] = method_outputs.points(
            config.method.name, self.method, plan.grid()
        )
        for split in benchmark_outputs.NEEDED:
            benchmark_outputs.prompts(self.benchmark, split)
        self.accelerator = accelerator(self.setting.device)
        processes = self.accelerator.num_processes
        self.unfinished = Unfinished(plan, self.setting.device.type, processes)

    def everything(self) -> dict[str, Any]:
        """Do the stages that are missing."""
        self.state: State = self.plan.state
        for damage in self.state.damage(self.plan.digests):
            say(f"{self.plan.folder.name}: {damage}")
        done = self.state.finished(self.plan.digests)
        for stage in done:
            self.unfinished.clear(stage)
        checkpoint = self.plan.folder / "checkpoint"
        self.tell(training="train" not in done)
        if "train" in done:
            say(f"{self.plan.folder.name}: training found, not repeated")
            self.method.load(checkpoint, self.benchmark)
        else:
            self.train(checkpoint)
        if "sample" not in done:
            self.sample()
        if "score" not in done:
            self.score()
        found = record_content.results(self.plan, self.state, self.benchmark, self.points)
        return self.record("ok", **found)

    def train(self, checkpoint: Path) -> None:
        """Train within the budget; checkpoint and log are the stage's files."""
        config = self.plan.config
        title = f"{config.method.name} {self.plan.variant} seed {config.seed}".replace("  ", " ")
        self.unfinished.clear_after("train")
        with self.stage("normaliser"):
            _ = self.benchmark.normaliser
        with self.stage("train"), training_bar(title, self.plan.steps) as show:

            def on_step(step: int, row: dict[str, float | str]) -> None:
                show(step, row)
                self.tracker.log(step, row)

            trainer = self.trainer(on_step)
            self.method.train(self.benchmark, trainer)
        with atomic_folder(checkpoint) as draft:
            method_outputs.save(config.method.name, self.method, draft)
        with atomic_write(self.plan.folder / "training.csv") as path:
            trainer.write_log(path, [o.name for o in self.benchmark.objectives])
        files = [str(f.relative_to(self.plan.folder)) for f in sorted(checkpoint.iterdir())]
        facts = {
            "account": asdict(trainer.account),
            "parts": trainer.parts,
            "processes": self.accelerator.num_processes,
            "seconds": {"normaliser": self.seconds["normaliser"], "train": trainer.seconds},
            "trained_parameters": sum(
                p.numel() for p in self.method.policy.parameters() if p.requires_grad
            ),
            "stored_bytes": sum((self.plan.folder / name).stat().st_size for name in files),
            "peak_memory_bytes": peak_memory.peak(),
            "selection": self.method.selection,
        }
        self.finish("train", [*files, "training.csv"], facts)

    def sample(self) -> None:
        """Sample every test prompt at every point; keep what was written and how far it drifted."""
        self.unfinished.clear_after("sample")
        evaluation, name = self.evaluation, self.plan.folder.name
        say(f"{name}: sampling {len(self.points)} points x {len(evaluation.prompts)} prompts")
        with self.stage("sample"):
            drift, texts = evaluation.sample(self.unfinished.folder("sample"))
        with atomic_write(self.plan.folder / "samples.jsonl") as path:
            _write_lines(path, texts)
        self._write_frame("drift.parquet", drift)
        facts = {
            "seconds": evaluation.seconds,
            "switch_seconds": self._switch_seconds(),
            "eval_rows": self.setting.eval_rows.used,
            "peak_memory_bytes": peak_memory.peak(),
        }
        self.finish("sample", ["samples.jsonl", "drift.parquet"], facts)

    def score(self) -> None:
        """Score what was sampled, in raw units; too many failures fail the cell."""
        evaluation = self.evaluation
        with self.stage("score"):
            kept = self.unfinished.folder("score")
            scores, judged, scorer = evaluation.score(kept, self.plan.folder)
        files = {"scores.parquet": scores} | ({} if judged is None else {"judge.parquet": judged})
        for name, frame in files.items():
            self._write_frame(name, frame)
        facts = {
            "seconds": evaluation.seconds,
            "n_total": scorer.total,
            "n_failed": scorer.failed,
        }
        self.finish("score", list(files), facts)

    def finish(self, name: str, files: list[str], facts: dict[str, Any]) -> None:
        """Book a finished stage; its pieces have served."""
        self.state.finish(name, self.plan.digests[name], files, facts)
        self.unfinished.clear(name)

    def record(self, status: str, **more: Any) -> dict[str, Any]:
        """The record of the cell as it stands."""
        plan = self.plan
        record = record_content.head(
            plan.config, plan.identity, plan.variant, plan.benchmark_class.version
        )
        record |= {"status": status, "exempt": plan.method().exempt}
        record["stages"] = {name: stage["digest"] for name, stage in self.state.stages.items()}
        return record | more

    def close(self) -> None:
        """Free what the cell held: a sweep runs many in one process."""
        self.__dict__.pop("method", None)
        self.__dict__.pop("benchmark", None)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    # -- several processes ------------------------------------------------------------------

    def tell(self, training: bool) -> None:
        """Tell the other processes of this cell, once, whether there is anything to train."""
        if not self.told:
            from_first(self.accelerator, training)
        self.told = True

    def follow(self) -> None:
        """Train along with the first process, which keeps what comes of it."""
        if not from_first(self.accelerator, False):
            return
        try:
            self.method.train(self.benchmark, self.trainer())
        except (UnsupportedError, DivergenceError, UsageError):
            return  # every process met it, and the first says so
        except PLUGIN_ERRORS:
            time.sleep(GRACE)
            raise

    # -- parts ------------------------------------------------------------------------------

    def trainer(self, on_step: OnStep | None = None) -> Trainer:
        """The trainer of this cell; what it has learnt can be taken up again."""
        config, first = self.plan.config, self.accelerator.is_main_process
        kept = self.unfinished.folder("train")
        journal = Journal(kept, config.checkpoint_seconds, first, say)
        return Trainer.under(self.setting, seed=config.seed, on_step=on_step, journal=journal)

    @property
    def evaluation(self) -> Evaluation:
        """The trained method on its points."""
        config = self.plan.config
        samples = config.budget.test_samples
        return Evaluation(self.method, self.benchmark, self.points, config.seed, samples)

    def _write_frame(self, name: str, frame: pd.DataFrame) -> None:
        with atomic_write(self.plan.folder / name) as path:
            frame.to_parquet(path, index=False)

    def _switch_seconds(self) -> float:
        """Time from a new preference to a policy that serves it: nothing is loaded or merged."""
        mu, device = np.array([self.points[0].preference]), self.setting.device
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            self.method.control(mu).to(device)
            taken.append(time.perf_counter() - began)
        return statistics.median(taken)


def _write_lines(path: Path, texts: pd.DataFrame | None) -> None:
    """One JSON object per row; an empty file where there is nothing to show."""
    rows = [] if texts is None else texts.to_dict("records")
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
