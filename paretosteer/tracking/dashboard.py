"""wandb workspace of a sweep, as code: fronts, headline metrics, curves and the report."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from paretosteer.cells.cell import Cell
from paretosteer.errors import UsageError
from paretosteer.storage.atomic import write_json
from paretosteer.tracking.tracked_figures import TRACKED
from paretosteer.tracking.wandb_tracker import pair_key

_CURVES = ("loss", "kl", "entropy", "tokens_per_second")
_RUNS = 100  # lines per panel; wandb's default of 10 hides most of a sweep


def workspace(cells: Sequence[Cell], project: str, group: str, entity: str = "") -> Any:
    """Workspace for the finished cells of a sweep, whose runs share a group.

    Raises
    ------
    UsageError
        If wandb-workspaces is not installed.

    """
    try:
        import wandb_workspaces.reports.v2 as panels
        import wandb_workspaces.workspaces as spaces
    except ModuleNotFoundError:
        raise UsageError(
            "--dashboard: requires wandb-workspaces; install it with "
            "pip install 'paretosteer[dashboards]'"
        ) from None

    names = [cell.results.objective_names for cell in cells if cell.scored]
    objectives = list(dict.fromkeys(name for of_cell in names for name in of_cell))
    pairs = dict.fromkeys(pair for of_cell in names for pair in combinations(of_cell, 2))
    headline = [metric.name for metric in TRACKED]
    bars = [panels.BarPlot(title=name, metrics=[name]) for name in headline]
    price = panels.ScatterPlot(
        title="Hypervolume over KL",
        x=panels.SummaryMetric("kl"),
        y=panels.SummaryMetric("hypervolume"),
    )
    lines = [
        panels.LinePlot(title=name, y=[f"train/{name}"])
        for name in dict.fromkeys((*objectives, *_CURVES))
    ]
    sections = {
        "Fronts": [_front(panels, *pair) for pair in pairs] + [_responses(panels)],
        "Headline metrics": [*bars, price],
        "Training": lines,
        "Report": [
            panels.MediaBrowser(title="Report", media_keys=["page"]),
            panels.WeavePanelSummaryTable(table_name="leaderboard"),
        ],
        "Samples": [panels.WeavePanelSummaryTable(table_name="samples")],
    }
    return spaces.Workspace(
        entity=entity,
        project=project,
        name=f"paretosteer {group}",
        sections=[
            spaces.Section(name=name, panels=content, is_open=True)
            for name, content in sections.items()
        ],
        settings=spaces.WorkspaceSettings(max_runs=_RUNS),
        runset_settings=spaces.RunsetSettings(
            filters=spaces.And(spaces.Metric("Group") == group),
            pinned_columns=[f"summary:{name}" for name in headline],
        ),
    )


def specification(space: Any) -> dict[str, Any]:
    """Specification of a workspace, as wandb stores it."""
    # Private: the package has no public way to get what `save` sends.
    model: dict[str, Any] = space._to_model().model_dump(
        mode="json", by_alias=True, exclude_none=True
    )
    return model


def write_specification(space: Any, path: Path) -> None:
    """Write the specification of a workspace as JSON."""
    write_json(path, specification(space))


def _front(panels: Any, x: str, y: str) -> Any:
    return panels.CustomChart(
        query={"summaryTable": {"tableKey": f"{pair_key(x, y)}_table"}},
        chart_name="wandb/scatter/v0",
        chart_fields={"x": x, "y": y},
        chart_strings={"title": f"Front: {y} over {x}"},
    )


def _responses(panels: Any) -> Any:
    return panels.CustomChart(
        query={"summaryTable": {"tableKey": "responses_table"}},
        chart_name="wandb/lineseries/v0",
        chart_fields={"step": "step", "lineKey": "lineKey", "lineVal": "lineVal"},
        chart_strings={"title": "Each objective over its weight", "xname": "weight"},
    )
