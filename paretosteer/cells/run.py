"""One cell from its configuration to its record: train, sample, score, then the record, last."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from omegaconf import OmegaConf

from paretosteer.cells import memory, provenance, results
from paretosteer.cells.config import CellConfig
from paretosteer.cells.files import atomic_write
from paretosteer.cells.plan import STAGES, CellPlan, State, plan_cell
from paretosteer.cells.record import RECORD, read_record, write_record
from paretosteer.cells.setting import Setting
from paretosteer.control import Control
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.interfaces import Array, Point, Rewarded
from paretosteer.measured import read_samples
from paretosteer.progress import say, training_bar
from paretosteer.rollout import Cells, roll_out, whole
from paretosteer.scoring import Scorer
from paretosteer.tracking import Tracker
from paretosteer.trainer import Trainer

KEYS = ("point", "prompt_id", "sample")
Scored = tuple[pd.DataFrame, Array]  # keys of the rows, raw scores (rows, m)


def run_cell(config: CellConfig, tracker: Tracker) -> dict[str, Any]:
    """Run what is missing of a cell and return its record.

    A cell that fails, or that its benchmark cannot serve, gets a record that says so.

    Raises
    ------
    UsageError
        Before anything is written, where the configuration names what does not exist.

    """
    plan = plan_cell(config)
    if (record := _finished(plan)) is not None:
        return record
    run = _Run(plan, tracker)
    try:
        with run.stage("prepare"):
            run.prepare()
    except UsageError:
        run.close()
        raise
    plan.folder.mkdir(parents=True, exist_ok=True)
    (plan.folder / RECORD).unlink(missing_ok=True)  # an older state of this cell is not its result
    with atomic_write(plan.folder / "config.yaml") as path:
        path.write_text(OmegaConf.to_yaml(plan.config.model_dump(mode="json")))
    tracker.start(plan.config.model_dump(mode="json"), plan.folder, plan.identity)
    try:
        record = _outcome(run)
        write_record(plan.folder, record)
        tracker.cell(plan.folder)
    finally:
        tracker.finish()
        run.close()
    return record


def _outcome(run: _Run) -> dict[str, Any]:
    """The record of what became of a cell."""
    try:
        return run.everything()
    except UnsupportedError as reason:
        return run.record("unsupported", reason=str(reason))
    except Exception as error:
        return run.record("failed", error=results.error(error, run.doing))


class _Run:
    """The state of one run: what is loaded, what it took."""

    def __init__(self, plan: CellPlan, tracker: Tracker):
        self.plan, self.tracker = plan, tracker
        self.state: State = plan.state
        self.seconds: dict[str, float] = {}
        self.doing = "prepare"

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage, and remember it for the error if it fails."""
        self.doing, began = name, time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began

    def prepare(self) -> None:
        """Build benchmark and method; nothing of the cell is written yet."""
        config, plan = self.plan.config, self.plan
        memory.start_watching()
        torch.manual_seed(config.seed)
        self.method = plan.method()
        setting = Setting.of(config, plan.model_key, say)
        self.benchmark = plan.benchmark_class(plan.benchmark_options, setting)
        self.method.bind(self.benchmark.objectives)
        self.method.prepare(self.benchmark)
        self.points: list[Point] = self.method.points(plan.grid())
        self.setting = setting

    def everything(self) -> dict[str, Any]:
        """Do the stages that are missing."""
        done = self.state.finished(self.plan.digests)
        checkpoint = self.plan.folder / "checkpoint"
        if "train" in done:
            say(f"{self.plan.folder.name}: training found, not repeated")
            self.method.load(checkpoint, self.benchmark)
        else:
            self.train(checkpoint)
        if "sample" not in done:
            self.sample()
        if "score" not in done:
            self.score()
        found = results.results(self.plan, self.state, self.benchmark, self.points)
        return self.record("ok", **found)

    def train(self, checkpoint: Path) -> None:
        """Train within the budget; checkpoint and log are the stage's files."""
        config = self.plan.config
        title = f"{config.method.name} {self.plan.variant} seed {config.seed}".replace("  ", " ")
        with self.stage("normaliser"):
            _ = self.benchmark.normaliser
        with self.stage("train"), training_bar(title, self.plan.steps) as show:

            def on_step(step: int, row: dict[str, float | str]) -> None:
                show(step, row)
                self.tracker.log(step, row)

            trainer = Trainer.under(self.setting, seed=config.seed, on_step=on_step)
            self.method.train(self.benchmark, trainer)
        self.method.save(checkpoint)
        with atomic_write(self.plan.folder / "training.csv") as path:
            trainer.write_log(path, [o.name for o in self.benchmark.objectives])
        files = [str(f.relative_to(self.plan.folder)) for f in sorted(checkpoint.iterdir())]
        facts = {
            "account": asdict(trainer.account),
            "seconds": {name: self.seconds[name] for name in ("normaliser", "train")},
            "trained_parameters": sum(
                p.numel() for p in self.method.policy.parameters() if p.requires_grad
            ),
            "stored_bytes": sum((self.plan.folder / name).stat().st_size for name in files),
            "peak_memory_bytes": memory.peak(),
            "selection": self.method.selection,
        }
        self.finish("train", [*files, "training.csv"], facts)

    def sample(self) -> None:
        """Sample every test prompt at every point; keep what was written and how far it drifted."""
        frames, shown = [], []
        with self.stage("sample"):
            for frame, samples in self._rolls(self._drift):
                frames.append(frame)
                shown += self.benchmark.describe(samples)
        drift = pd.concat(frames, ignore_index=True)
        texts = pd.concat([drift[list(KEYS)], pd.DataFrame(shown)], axis=1) if shown else None
        with atomic_write(self.plan.folder / "samples.jsonl") as path:
            _write_lines(path, texts)
        self._write_frame("drift.parquet", drift)
        facts = {
            "seconds": self.seconds["sample"],
            "switch_seconds": self._switch_seconds(),
            "eval_rows": self.setting.eval_rows.used,
            "peak_memory_bytes": memory.peak(),
        }
        self.finish("sample", ["samples.jsonl", "drift.parquet"], facts)

    def score(self) -> None:
        """Score what was sampled, in raw units; too many failures fail the cell."""
        scorer = Scorer(self.benchmark)
        scores: list[Scored] = []
        judged: list[Scored] = []
        with self.stage("score"):
            for rows, samples in self._recalled() or self._sampled_again():
                scores.append((rows, scorer.score(samples)))
                if (raw := self._judged(samples)) is not None:
                    judged.append((rows, raw))
        files = {"scores.parquet": scores} | ({"judge.parquet": judged} if judged else {})
        for name, scored in files.items():
            self._write_frame(name, self._table(scored))
        facts = {
            "seconds": self.seconds["score"],
            "n_total": scorer.total,
            "n_failed": scorer.failed,
        }
        self.finish("score", list(files), facts)

    def finish(self, name: str, files: list[str], facts: dict[str, Any]) -> None:
        """Book a finished stage."""
        self.state.finish(name, self.plan.digests[name], files, facts)

    def record(self, status: str, **more: Any) -> dict[str, Any]:
        """The record of the cell as it stands."""
        plan = self.plan
        record = results.head(
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

    # -- parts ------------------------------------------------------------------------------

    @property
    def _control(self) -> Control:
        mu = np.array([point.preference for point in self.points])
        return self.method.control(mu, [point.dials for point in self.points])

    def _rolls(self, then: Callable[[Cells, Control, Any], Any] = whole) -> Iterator[Any]:
        budget, prompts = self.plan.config.budget, self.benchmark.prompts("test")
        say(f"{self.plan.folder.name}: sampling {len(self.points)} points x {len(prompts)} prompts")
        return roll_out(
            self.method.policy,
            prompts,
            self._control,
            seed=self.plan.config.seed,
            samples=budget.test_samples,
            batch_rows=self.setting.eval_rows,
            then=then,
        )

    def _index(self, cells: Cells) -> pd.DataFrame:
        ids = [self.benchmark.prompts("test")[i].id for i in cells.prompt]
        return pd.DataFrame({"point": cells.point, "prompt_id": ids, "sample": cells.sample})

    def _drift(self, cells: Cells, rows: Control, samples: Any) -> tuple[pd.DataFrame, Any]:
        """Samples, and of each its distance from the start policy, likelihood there, and length."""
        drift = self.method.policy.drift(samples, rows)
        frame = self._index(cells).assign(
            kl=drift.kl, start_nll=drift.start_nll, tokens=drift.tokens.astype(int)
        )
        return frame, samples

    def _recalled(self) -> list[tuple[pd.DataFrame, Any]]:
        """The samples on disk with the keys of their rows; empty where the world keeps none."""
        shown = read_samples(self.plan.folder)
        if shown.empty:
            return []
        return [(shown[list(KEYS)], self.benchmark.recall(shown))]

    def _sampled_again(self) -> Iterator[tuple[pd.DataFrame, Any]]:
        return ((self._index(cells), samples) for cells, _, samples in self._rolls())

    def _judged(self, samples: Any) -> Array | None:
        """Scores (rows, m) by models that nothing was trained on, where the benchmark has them."""
        judged = self.benchmark.judged(samples) if isinstance(self.benchmark, Rewarded) else None
        if judged is None:
            return None
        return np.where(np.isfinite(judged), judged, [o.worst for o in self.benchmark.objectives])

    def _table(self, scored: list[Scored]) -> pd.DataFrame:
        """Keys and scores of all rows, one column per objective."""
        index = pd.concat([rows for rows, _ in scored], ignore_index=True)
        names = [o.name for o in self.benchmark.objectives]
        values = pd.DataFrame(np.concatenate([raw for _, raw in scored]), columns=names)
        return pd.concat([index, values], axis=1)

    def _write_frame(self, name: str, frame: pd.DataFrame) -> None:
        with atomic_write(self.plan.folder / name) as path:
            _sorted(frame).to_parquet(path, index=False)

    def _switch_seconds(self) -> float:
        """Time from a new preference to a policy that serves it: nothing is loaded or merged."""
        mu, device = np.array([self.points[0].preference]), self.setting.device
        taken = []
        for _ in range(5):
            began = time.perf_counter()
            self.method.control(mu).to(device)
            taken.append(time.perf_counter() - began)
        return statistics.median(taken)


def _finished(plan: CellPlan) -> dict[str, Any] | None:
    """The record of a cell that needs nothing more, with a note if other code made it."""
    if plan.cached_stages != list(STAGES):
        return None
    try:
        record = read_record(plan.folder)
    except UsageError:
        return None
    if record["status"] != "ok" or record["stages"] != plan.digests:
        return None
    say(f"{plan.folder.name}: finished before, reused")
    if record["source_digest"] != provenance.source_digest():
        say(f"{plan.folder.name}: note: made by other code (commit {record['git']['commit']})")
    return record


def _sorted(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows by point, prompt and sample: batches came in another order."""
    return frame.sort_values(list(KEYS), kind="stable", ignore_index=True)


def _write_lines(path: Path, texts: pd.DataFrame | None) -> None:
    """One JSON object per row; an empty file where there is nothing to show."""
    rows = [] if texts is None else _sorted(texts).to_dict("records")
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
