"""Run one cell: train → sample → score → record. The record is written last."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from paretosteer import benchmark_outputs, method_outputs
from paretosteer.cells import record_content
from paretosteer.cells.cell_name import tracking_key
from paretosteer.cells.cell_tracker import CellTracker
from paretosteer.cells.config_yaml import write_config
from paretosteer.cells.drift_warning import say_drift_warning
from paretosteer.cells.evaluation import Evaluation
from paretosteer.cells.maker import Maker
from paretosteer.cells.plan import CellPlan
from paretosteer.cells.process_group import ProcessGroup
from paretosteer.cells.record import RECORD, Record, write_record
from paretosteer.cells.resume import PartialStages
from paretosteer.cells.reuse import existing_record, warn_of_replacement
from paretosteer.cells.shared_failures import SharedFailures
from paretosteer.cells.shared_training import SharedTraining, find_shared, make_shared
from paretosteer.cells.stage_files import write_checkpoint, write_json_lines, write_table
from paretosteer.cells.state import STAGES
from paretosteer.config.setting import Setting
from paretosteer.errors import PLUGIN_ERRORS, UnsupportedError, stops_job
from paretosteer.plugins.in_use import used
from paretosteer.policies.sampling_engine import SamplingEngine
from paretosteer.runtime import memory
from paretosteer.runtime.accelerate_processes import accelerator, are_several, check_reachable
from paretosteer.runtime.process_state import known_state, seed_generators
from paretosteer.runtime.progress import say, stage
from paretosteer.runtime.terminal import plural
from paretosteer.storage import opened_files
from paretosteer.storage.atomic import atomic_write, remove
from paretosteer.storage.cache import root
from paretosteer.storage.digest import digest
from paretosteer.storage.locks import owned
from paretosteer.storage.origin import Uses, uses
from paretosteer.training.snapshots import Journal
from paretosteer.training.trainer import OnStep, Trainer


def run_cell(
    plan: CellPlan, tracker: CellTracker, failures: SharedFailures | None = None
) -> Record | None:
    """Run the missing stages of a cell and return its record.

    A cell that fails, or that its benchmark does not support, gets a record with the reason. Where
    `accelerate launch` started several processes, all but the first only help to train; they return
    None. Shared preparation that is among the `failures` of earlier cells is not tried again.

    Raises
    ------
    UsageError
        If the cell cannot be prepared. Nothing has been written then.

    """
    if not are_several() and (record := existing_record(plan)) is not None:
        return record
    try:
        with known_state(), uses() as entries:
            seed_generators(plan.config.seed)
            return _run(CellRun(plan, tracker, failures or SharedFailures(), entries))
    finally:
        memory.free_memory()  # a sweep runs many cells in one process


def _run(run: CellRun) -> Record | None:
    with run.group:
        if not run.group.is_first:
            run.group.follow(lambda: run.method.train(run.benchmark, run.trainer()))
            return None
        with owned(run.plan.folder, say, wait=not are_several()):
            # Another job may have finished the cell in the meantime.
            return existing_record(run.plan) or run.write_record()


class CellRun:
    """One run of a cell. `stages` is the sequence; the other methods are its steps."""

    def __init__(
        self, plan: CellPlan, tracker: CellTracker, failures: SharedFailures, entries: Uses
    ):
        """Build benchmark and method. Nothing is written to the cell's folder yet.

        `entries` collects the entries of the cache that the cell uses.
        """
        self.plan, self.tracker, self.failures = plan, tracker, failures
        self.entries = entries
        entries.code |= {str(code) for offer in used(plan.config) for code in offer.code}
        self.config, self.folder = plan.config, plan.folder
        self.stage = "prepare"  # named in the record if the cell fails
        self.drift_warned = False  # once is enough for a cell
        self.caveats: list[str] = []  # about reused work, for the record
        stage(plan.title, "preparing")
        check_reachable()
        plan.check_inputs()
        memory.reset_peak()
        self.method = plan.method()
        self.setting = Setting.of(self.config, plan.model_key, say)
        self.maker = Maker.of(plan, self.setting.device.type)
        entries.device = self.maker.device
        with failures.once(plan):
            self.benchmark = plan.benchmark_class(plan.benchmark_options, self.setting)
        self.method.bind(self.benchmark.objectives)
        self.method.prepare(self.benchmark)
        self.points = method_outputs.points(self.config.method.name, self.method, plan.grid())
        for split in benchmark_outputs.NEEDED:
            benchmark_outputs.prompts(self.benchmark, split)
        plan.check_inputs()  # again: a file may have been edited before it was read
        self.group = ProcessGroup(accelerator(self.setting.device))
        self.partial = PartialStages(plan, self.setting.device.type, self.group.size)

    def stages(self) -> dict[str, Any]:
        """Train, sample and score, as far as an earlier run did not; then gather the record."""
        done = self.state.finished(self.plan.digests)
        for finished in done:
            self.partial.clear(finished)
        for caveat in self.maker.caveats(self.state, done):
            self.add_caveat(caveat)
        with self.benchmark.engine(self.folder) as engine:
            if "train" not in done:
                self.check_engine(engine)
            self.group.announce(training="train" not in done)
            if "train" in done:
                say(f"{self.plan.title}: training is finished, not repeated")
                self.method.load(self.folder / "checkpoint", self.benchmark)
            else:
                self.train()
            if "sample" not in done:
                self.attach_engine(engine)
                self.sample()
        if "score" not in done:
            self.score()
        self.check_units()
        results = record_content.results(
            self.plan, self.state, self.method, self.benchmark, self.points
        )
        self.add_caveats()
        if found := self.all_openers():
            self.add_caveat(opened_files.note(found))
        results["notes"] = list(dict.fromkeys([*results["notes"], *self.caveats]))
        return self.record("ok", **results)

    def check_units(self) -> None:
        """Note units that are not those of training, where the start model was scored again."""
        trained = self.state.facts("train").get("units")
        used = asdict(self.benchmark.normaliser)
        if trained is not None and digest(trained) != digest(used):
            self.add_caveat(
                "Trained and scored in different units: the start model was scored again in "
                "between, with other results."
            )

    def check_engine(self, engine: SamplingEngine) -> None:
        """Refuse before training what the engine cannot sample. Our own loop samples everything."""
        if self.config.engine.name == "native":
            return
        self.stage = "engine"
        self.method.build_policy(self.benchmark, self.config.seed)
        try:
            control = method_outputs.control(self.method, self.points)
        except Exception:  # it depends on what training chooses
            control = None
        engine.check(self.method.policy, control)

    def attach_engine(self, engine: SamplingEngine) -> None:
        """Let the engine write the test answers."""
        if self.config.engine.name != "native":
            self.stage = "engine"
            control = method_outputs.control(self.method, self.points)
            engine.attach(self.method.policy, control)

    def train(self) -> None:
        """Train within the budget. Writes `checkpoint/` and `training.csv`."""
        self.partial.clear_after("train")
        self.stage, began = "normaliser", time.perf_counter()
        with self.failures.once(self.plan):
            _ = self.benchmark.normaliser  # computed here, so that training is not charged for it
        normaliser_seconds = time.perf_counter() - began

        self.stage = "train"
        show = stage(self.plan.title, "training", self.plan.steps)

        def on_step(step: int, row: Mapping[str, float | str]) -> None:
            show(step, row)
            self.tracker.log(step, row)

        trainer = self.trainer(on_step)
        shared = self.shared_training(trainer)
        self.drift_warned = trainer.drift_warned
        if shared is None:
            self.method.train(self.benchmark, trainer)
        else:
            trainer = self.trainer()  # counts what this cell adds
            if self.plan.shared:
                self.method.train_from(shared.checkpoint, self.benchmark, trainer)
            else:
                self.method.load(shared.checkpoint, self.benchmark)
        self.drift_warned |= trainer.drift_warned

        if self.plan.content_key or used(self.config):
            self.plan.check_inputs()  # the method has read its files now
        files = write_checkpoint(self.folder, self.config.method.name, self.method)
        with atomic_write(self.folder / "training.csv") as path:
            if shared is None:
                trainer.write_log(path, [o.name for o in self.benchmark.objectives])
            else:
                shutil.copy(shared.log, path)
        account, parts, seconds = trainer.account, trainer.parts, trainer.seconds
        if shared is not None:
            account, parts = shared.cost(account), shared.facts["parts"]
            seconds += shared.facts["seconds"]
            for caveat in shared.facts["caveats"]:
                self.add_caveat(caveat)
        facts = {
            "account": asdict(account),
            "parts": parts,
            "processes": self.group.size,
            "seconds": {"normaliser": normaliser_seconds, "train": seconds},
            "trained_parameters": self.method.trained_parameters,
            "stored_bytes": sum((self.folder / name).stat().st_size for name in files),
            "peak_memory_bytes": memory.peak(),
            "selection": self.method.selection,
            "units": shared.facts["units"] if shared else asdict(self.benchmark.normaliser),
        }
        self.finish("train", [*files, "training.csv"], facts)

    def shared_training(self, trainer: Trainer) -> SharedTraining | None:
        """Training that this cell has in common with others, made if need be; None: its own.

        Several processes train together, so that each must take part: then nothing is shared.
        """
        if self.group.size > 1:
            return None
        if (plan := self.plan.shared) is None:
            return find_shared(self.plan, self.setting.device.type)
        # Refused here, if at all, before the shared training.
        self.method.build_policy(self.benchmark, self.config.seed)
        return make_shared(plan, self.benchmark, trainer)

    def sample(self) -> None:
        """Sample every test prompt at every point. Writes `samples.jsonl` and `drift.parquet`.

        What the benchmark measures besides is among the facts of the stage.
        """
        self.stage, evaluation = "sample", self.evaluation("sampling")
        self.partial.clear_after("sample")
        points, prompts = len(self.points), len(evaluation.prompts)
        extent = f"{plural(points, 'point')} x {plural(prompts, 'prompt')}"
        say(f"{self.plan.title}: sampling {extent}")
        drift, texts = evaluation.sample(self.partial.folder("sample"))
        if not self.drift_warned:
            say_drift_warning(drift, trained=self.plan.steps > 0)
        files = [
            write_json_lines(self.folder / "samples.jsonl", texts),
            write_table(self.folder / "drift.parquet", drift),
        ]
        facts = {
            "seconds": evaluation.seconds,
            "switch_seconds": evaluation.switch_seconds(),
            "decoding": evaluation.decoding_cost(),
            "eval_rows": self.setting.eval_rows.used,
            "peak_memory_bytes": memory.peak(),
            "measures": evaluation.extra_measures(),
        }
        self.finish("sample", files, facts)

    def score(self) -> None:
        """Score the samples in raw units. Writes `scores.parquet`, with a judge `judge.parquet`."""
        self.stage, evaluation = "score", self.evaluation("scoring")
        scores, judged, scorer = evaluation.score(self.partial.folder("score"), self.folder)
        files = [write_table(self.folder / "scores.parquet", scores)]
        if judged is not None:
            files.append(write_table(self.folder / "judge.parquet", judged))
        facts = {
            "seconds": evaluation.seconds,
            "n_total": scorer.total,
            "n_failed": scorer.failed,
        }
        self.finish("score", files, facts)

    def record(self, status: str, **more: Any) -> dict[str, Any]:
        """Current record of the cell."""
        record, method = record_content.head_of(self.plan), self.plan.method()
        record |= {"status": status, "exempt": method.exempt}
        if method.cost_unknown:
            record["cost_unknown"] = True
        record["stages"] = {name: stage["digest"] for name, stage in self.state.stages.items()}
        return record | more

    # -- around the stages --------------------------------------------------------------------

    def write_record(self) -> Record:
        """Run the stages and write the record, whether or not they fail."""
        config = self.config.model_dump(mode="json")
        self.partial.tidy(say)
        warn_of_replacement(self.plan)
        remove(self.folder / RECORD)  # that of an earlier state is not the result of this run
        write_config(self.folder, config)
        self.state = self.plan.state
        for damage in self.state.damage(self.plan.digests):
            say(f"{self.folder.name}: {damage}")
        key = tracking_key(self.plan.identity, self.plan.digests["score"])
        self.tracker.start(config, self.folder, key, self.plan.title)
        try:
            record = write_record(self.folder, self._outcome())
            self.tracker.cell(self.folder)
        finally:
            self.tracker.finish()
        return record

    def _outcome(self) -> dict[str, Any]:
        try:
            return self.stages()
        except UnsupportedError as reason:
            return self.record("unsupported", reason=str(reason))
        except PLUGIN_ERRORS as error:
            if stops_job(error):
                raise
            return self.record("failed", error=record_content.error(error, self.stage))

    def finish(self, stage: str, files: list[str], facts: dict[str, Any]) -> None:
        """Mark a stage as finished and remove its pieces."""
        self.add_caveats()
        # What was cut is counted in this process alone.
        caveats = dict.fromkeys([*self.caveats, *self.benchmark.scoring_notes])
        facts |= self.maker.facts | {"caveats": list(caveats)}
        found = self.openers()
        facts |= {"openers": found, "opened": opened_files.digests(found)}
        self.state.finish(stage, self.plan.digests[stage], files, facts)
        self.partial.clear(stage)

    def add_caveats(self) -> None:
        """Say what the record will note of entries of the cache."""
        for caveat in self.entries.caveats():
            self.add_caveat(caveat)

    def openers(self) -> dict[str, str]:
        """Files that the cell's code opened beyond its identity, each with its source file."""
        return opened_files.openers(self.entries.code, own=[str(self.folder), str(root())])

    def all_openers(self) -> dict[str, str]:
        """Files that plug-ins opened, now or in an earlier run, each with the plug-in."""
        facts = [self.state.facts(name) for name in STAGES]
        earlier = {path: by for fact in facts for path, by in fact.get("openers", {}).items()}
        return earlier | self.openers()

    def add_caveat(self, caveat: str) -> None:
        """Say once what the record will note."""
        if caveat not in self.caveats:
            say(f"{self.plan.title}: note: {caveat}")
            self.caveats.append(caveat)

    def trainer(self, on_step: OnStep | None = None) -> Trainer:
        """A trainer that writes snapshots and resumes from them."""
        every, first = self.config.checkpoint_seconds, self.group.is_first
        journal = Journal(self.partial.folder("train"), every, first, say)
        return Trainer.under(self.setting, seed=self.config.seed, on_step=on_step, journal=journal)

    def evaluation(self, name: str) -> Evaluation:
        """Evaluation that shows its progress under this name."""
        samples, seed = self.config.budget.test_samples, self.config.seed
        own = "" if self.config.evaluation.common_noise else self.plan.train_digest
        evaluation = Evaluation(
            self.method,
            self.benchmark,
            self.points,
            seed,
            samples,
            own,
        )
        evaluation.on_row = stage(self.plan.title, name, evaluation.rows)
        return evaluation
