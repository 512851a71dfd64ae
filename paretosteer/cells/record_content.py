"""Content of a record, gathered from a finished, failed or unsupported cell."""

from __future__ import annotations

import sys
import traceback
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from paretosteer.benchmark import Benchmark
from paretosteer.cells import provenance
from paretosteer.cells.cell_name import IDENTITY_LENGTH
from paretosteer.cells.config_yaml import CONFIG
from paretosteer.cells.drift_warning import drift_warning
from paretosteer.cells.plan import cell_folder
from paretosteer.cells.record import Record, make_record, write_record
from paretosteer.cells.state import STAGES
from paretosteer.errors import (
    ParetosteerError,
    UsageError,
    disk_problem,
    said,
)
from paretosteer.interfaces import Exact, Rewarded
from paretosteer.plugins import in_use
from paretosteer.runtime.progress import say
from paretosteer.runtime.secrets import redact
from paretosteer.runtime.terminal import printable
from paretosteer.storage.digest import digest, file_digest
from paretosteer.storage.locks import owned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paretosteer.cells.plan import CellPlan
    from paretosteer.cells.state import State
    from paretosteer.config.schema import CellConfig
    from paretosteer.interfaces import Point
    from paretosteer.plugins.registry import Offer


def head(
    config: CellConfig, identity: str, variant: str, version: str, files: str | None = None
) -> dict[str, Any]:
    """Part that every record has; `version` is the benchmark's, `files` the method's digest."""
    plugins = in_use.used(config)
    return {
        "schema": 1,
        "identity": identity,
        "benchmark": {"name": config.benchmark.name, "version": version},
        "method": config.method.name,
        "variant": variant,
        **({"method_files": files} if files else {}),
        "seed": config.seed,
        "config": config.model_dump(mode="json"),
        "command": in_use.command(config, plugins),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": provenance.versions(plugins),
        "git": provenance.git(),
        "source_digest": provenance.source_digest(plugins),
        **_plugins(plugins),
    }


def head_of(plan: CellPlan) -> dict[str, Any]:
    """Part that every record of a planned cell has."""
    version = plan.benchmark_class.version
    return head(plan.config, plan.identity, plan.variant, version, plan.content_key)


def _plugins(plugins: Sequence[Offer]) -> dict[str, Any]:
    """Origins of plug-ins, and the digest of the code without them."""
    if not plugins:
        return {}
    own = provenance.source_digest()
    return {"plugins": in_use.origins(plugins), "core_source_digest": own}


def error(found: Exception | SystemExit, stage: str) -> dict[str, str]:
    """Entry of the record for an error."""
    if isinstance(found, OSError) and found.errno:
        return {
            "type": type(found).__name__,
            "message": _redact(disk_problem(found)),
            "stage": stage,
        }
    if not isinstance(found, ParetosteerError):
        # Unexpected: print where it happened.
        print(_redact("".join(traceback.format_exception(found))), file=sys.stderr)
    return {"type": type(found).__name__, "message": _redact(said(found)), "stage": stage}


def _redact(text: str) -> str:
    return printable(redact(text))


def failed_record(
    config: CellConfig, plan: CellPlan | None, found: Exception | SystemExit
) -> Record:
    """Write the record of a cell of a sweep that could not be planned (no `plan`) or prepared.

    If nothing can be written, the cell has no record and still counts as failed. If another job is
    working on the cell, that job writes the record.
    """
    if plan is None:
        everything = config.model_dump(exclude={"sweep_dir", "tracker"})
        identity = digest(everything)[:IDENTITY_LENGTH]
        folder, beginning = cell_folder(config, identity), head(config, identity, "", "")
    else:
        folder, beginning = plan.folder, head_of(plan)
    content = beginning | {"status": "failed", "error": error(found, "prepare"), "stages": {}}
    with suppress(OSError, UsageError), owned(folder, say, wait=False):
        return write_record(folder, content)
    return make_record(content)


def results(
    plan: CellPlan, state: State, method: Any, benchmark: Any, points: Sequence[Point]
) -> dict[str, Any]:
    """Part of a record that only a finished cell has."""
    config, score = plan.config, state.facts("score")
    prompts, normaliser = benchmark.prompts("test"), benchmark.normaliser
    return {
        "model": {
            "name": benchmark.model_name,
            "digest": plan.model_key,
            "commit": benchmark.model_commit,
        },
        "files": state.files | {CONFIG: file_digest(plan.folder / CONFIG)},
        "objectives": [asdict(o) for o in benchmark.objectives],
        "normaliser": {"mean": list(normaliser.mean), "std": list(normaliser.std)},
        "reference": list(benchmark.reference),
        "points": [{"preference": list(p.preference), "dials": dict(p.dials)} for p in points],
        "prompts": {
            "split": "test",
            "count": len(prompts),
            "digest": digest([p.id for p in prompts] + [benchmark.prompts_version]),
        },
        "n_total": score["n_total"],
        "n_scored": score["n_total"] - score["n_failed"],
        "n_failed": score["n_failed"],
        "seeds": {"train": config.seed, "sample": config.seed},
        "batch_size": {
            "train": config.budget.prompts * config.budget.samples,
            # A batch that does not fit memory is learned from in several parts.
            "train_parts": state.facts("train")["parts"],
            "train_processes": state.facts("train")["processes"],
            "eval": state.facts("sample")["eval_rows"],
        },
        "dtype": config.dtype,
        "device": str(benchmark.setting.device),
        "selection": state.facts("train")["selection"],
        "notes": [*benchmark.notes, *method.notes, *config.preferences.notes],
        "cost": _cost(state),
        **({"fold": asdict(benchmark.fold)} if benchmark.fold else {}),
        **_drift_warning(plan),
        **_measured(benchmark, state),
        **_rewarded(benchmark),
        **_exact(benchmark, points),
    }


def _drift_warning(plan: CellPlan) -> dict[str, str]:
    drift = pd.read_parquet(plan.folder / "drift.parquet", columns=["point", "kl", "tokens"])
    warning = drift_warning(drift, trained=plan.steps > 0)
    return {"drift_warning": warning} if warning else {}


def _measured(benchmark: Benchmark, state: State) -> dict[str, Any]:
    """The main objective and the extra measures, as far as the benchmark has them."""
    main, measures = benchmark.main_objective, state.facts("sample").get("measures")
    return ({"main_objective": main} if main else {}) | ({"measures": measures} if measures else {})


def _rewarded(benchmark: Any) -> dict[str, Any]:
    return (
        {"reward_models": dict(benchmark.reward_models)} if isinstance(benchmark, Rewarded) else {}
    )


def _exact(benchmark: Any, points: Sequence[Point]) -> dict[str, Any]:
    """Exact Pareto front at the points' preferences, if the benchmark knows it."""
    if not isinstance(benchmark, Exact):
        return {}
    oracle = benchmark.oracle(np.array([point.preference for point in points]))
    return {
        "kl_coefficient": benchmark.kl_coefficient,
        "oracle": {"points": oracle.points.tolist(), "start": oracle.start.tolist()},
    }


def _cost(state: State) -> dict[str, Any]:
    train, sample, score = (state.facts(name) for name in STAGES)
    account = train["account"]
    return {
        "train_steps": account["steps"],
        "train_tokens": account["tokens"],
        "selection_tokens": account["selection_tokens"],
        "reward_calls": account["reward_calls"],
        "flops": account["flops"],
        "seconds": train["seconds"] | {"sample": sample["seconds"], "score": score["seconds"]},
        "peak_memory_bytes": max(train["peak_memory_bytes"], sample["peak_memory_bytes"]),
        "trained_parameters": train["trained_parameters"],
        "stored_bytes": train["stored_bytes"],
        "switch_seconds": sample["switch_seconds"],
        **sample["decoding"],
    }
