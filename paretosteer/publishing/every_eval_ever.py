"""Rows of a leaderboard in the form of Every Eval Ever, version 0.3.0 of its JSON Schema.

Every scored row is one evaluation of one model, its start model steered by its method. The schema
is part of the package `every-eval-ever` on PyPI (evalevalai.com).
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from paretosteer import __version__
from paretosteer.cells.cell import Cell
from paretosteer.cells.record import ScoredRecord
from paretosteer.metrics import LEVEL
from paretosteer.metrics.row_metric import RowMetric
from paretosteer.report.analysis.bootstrap import RESAMPLES
from paretosteer.report.columns import row_metrics

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = "0.3.0"


def every_eval_ever(
    leaderboard: "pd.DataFrame", cells: Sequence[Cell], organization: str = "unknown"
) -> dict[str, dict[str, Any]]:
    """Evaluation logs of the scored rows, by file name: `benchmark/developer/model/uuid.json`."""
    logs = {}
    for row in leaderboard.astype(object).to_dict("records"):
        own = [cell for cell in cells if _is_of(cell, str(row["paths"])) and cell.scored]
        if own:
            log = _log({str(name): value for name, value in row.items()}, own, organization)
            place = f"{row['benchmark']}/{log['model_info']['id']}"
            logs[f"{place}/{uuid5(NAMESPACE_URL, log['evaluation_id'])}.json"] = log
    return logs


def _is_of(cell: Cell, paths: str) -> bool:
    """True if the paths of a row, separated by spaces, contain the cell's."""
    return f" {cell.path} " in f" {paths} "


def _log(row: Mapping[str, Any], cells: Sequence[Cell], organization: str) -> dict[str, Any]:
    records = [cell.results for cell in cells]
    first = records[0]
    latest = max(record.created for record in records)
    moment = str(int(datetime.fromisoformat(latest.replace("Z", "+00:00")).timestamp()))
    model = _model(row, first)
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{first.benchmark.name}/{model['id']}/{moment}",
        "evaluation_timestamp": latest,
        "retrieved_timestamp": moment,
        "source_metadata": {
            "source_name": "paretosteer",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            "evaluator_relationship": "other",
        },
        "eval_library": {
            "name": "paretosteer",
            "version": first.versions.get("paretosteer", __version__),
            "additional_details": {
                "commit": str(first.git.commit),
                "source_digest": first.source_digest,
            },
        },
        "model_info": model,
        "evaluation_results": list(_results(row, records)),
    }


def _model(row: Mapping[str, Any], record: ScoredRecord) -> dict[str, Any]:
    """Description of the start model as the method steers it, which is a model of its own."""
    section = record.config.get("model", {})
    path = section.get("path") if isinstance(section, Mapping) else None
    start = str(path) if record.model.commit and path else f"local/{record.model.name}"
    *developer, name = start.split("/")
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", str(row["label"])).strip("-")
    return {
        "name": f"{record.model.name} steered by {row['label']}",
        "id": f"{developer[0] if developer else 'local'}/{name or record.model.name}--{slug}",
        "additional_details": {
            "deployment_type": "self_deployed",
            "model_availability": "open_weights" if record.model.commit else "unknown",
            "start_model": start,
            "start_model_digest": record.model.digest,
            "method": record.method,
            "variant": record.variant,
            "options": json.dumps(record.config.get("method", {}), sort_keys=True),
            "budget": json.dumps(record.config.get("budget", {}), sort_keys=True),
            "seeds": str(row["seed_list"]),
        },
    }


def _results(row: Mapping[str, Any], records: Sequence[ScoredRecord]) -> Iterator[dict[str, Any]]:
    """One result for every metric that has a better direction, or is shown beside quality."""
    names = [objective.name for objective in records[0].objectives]
    for metric in row_metrics():
        if metric.section in ("", "cost") or metric.name in ("rank", "tie_group"):
            continue
        for column in map(metric.of, names) if metric.per_objective else (metric,):
            value = row.get(column.name)
            if isinstance(value, int | float) and math.isfinite(value):
                yield _result(row, column, metric, float(value), records)


def _result(
    row: Mapping[str, Any],
    column: Any,
    metric: RowMetric,
    value: float,
    records: Sequence[ScoredRecord],
) -> dict[str, Any]:
    record = records[0]
    ends = [row.get(f"{column.name}_{end}") for end in ("low", "high")] if metric.interval else []
    score: dict[str, Any] = {"score": value}
    if ends and all(isinstance(end, float) and math.isfinite(end) for end in ends):
        low, high = ends
        score["uncertainty"] = {
            "confidence_interval": {
                "lower": low,
                "upper": high,
                "confidence_level": LEVEL,
                "method": f"bootstrap ({metric.interval})",
            },
            "num_samples": int(row["n_total"]),
            "num_bootstrap_samples": RESAMPLES,
        }
    least, most = metric.bounds
    return {
        "evaluation_result_id": column.name,
        "evaluation_name": f"{record.benchmark.name} (version {record.benchmark.version})",
        "source_data": {
            "dataset_name": record.benchmark.name,
            "source_type": "other",
            "additional_details": {
                "prompts": str(record.prompts.count),
                "prompts_digest": record.prompts.digest,
                "preferences": str(len(record.ranked_points())),
                "objectives": ", ".join(objective.name for objective in record.objectives),
                "reference": json.dumps(record.reference),
            },
        },
        "metric_config": {
            "evaluation_description": column.meaning,
            "metric_id": f"paretosteer.{column.name}",
            "metric_name": column.title,
            "metric_parameters": {"version": metric.version, "ranked": metric.direction != "shown"},
            "lower_is_better": metric.direction != "up",
            "score_type": "continuous",
            "min_score": least if math.isfinite(least) else "-Infinity",
            "max_score": most if math.isfinite(most) else "Infinity",
        },
        "score_details": score,
        "generation_config": {"generation_args": _generation(record)},
    }


def _generation(record: ScoredRecord) -> dict[str, Any]:
    options = record.config.get("benchmark", {})
    args: dict[str, Any] = {"execution_command": record.command}
    if isinstance(options, Mapping):
        temperature, tokens = options.get("temperature"), options.get("max_new_tokens")
        if isinstance(temperature, int | float):
            args["temperature"] = temperature
        if isinstance(tokens, int):
            args["max_tokens"] = tokens
    return args
