"""The workspace as a specification: nothing is sent, and it names what runs really have."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from wandb_files import only_run

from paretosteer.cells.cell import find_cells
from paretosteer.commands.main import main

pytest.importorskip("wandb_workspaces")

from paretosteer.tracking.dashboard import specification, workspace


@pytest.fixture(scope="module")
def spec(tracked: Path) -> dict[str, Any]:
    return specification(workspace(find_cells(tracked), "mine", "sweep one", "me"))


def panels(spec: dict[str, Any], section: str) -> list[dict[str, Any]]:
    found = spec["spec"]["section"]["panelBankConfig"]["sections"]
    (shown,) = [each["panels"] for each in found if each["name"] == section]
    return shown


def test_it_is_of_the_sweep_s_runs(spec: dict[str, Any]) -> None:
    assert (spec["entity"], spec["project"]) == ("me", "mine")
    assert spec["displayName"] == "paretosteer sweep one"
    (runs,) = spec["spec"]["section"]["runSets"]
    (only,) = runs["filters"]["filters"]
    assert (only["key"]["name"], only["op"], only["value"]) == ("group", "=", "sweep one")


def test_charts_are_of_tables_that_runs_have(tracked: Path, spec: dict[str, Any]) -> None:
    asked = set()
    for panel in panels(spec, "Fronts"):
        (query,) = panel["config"]["userQuery"]["queryFields"]
        (table,) = [field for field in query["fields"] if field["name"] == "summaryTable"]
        asked.add(table["args"][0]["value"])
    logged = {
        key.removesuffix("._type")
        for run in runs_of(tracked)
        for row in run.history
        for key in row
        if key.endswith("_table._type")
    }
    assert asked == logged


def test_curves_and_metrics_are_those_of_runs(tracked: Path, spec: dict[str, Any]) -> None:
    runs = runs_of(tracked)
    curves = {each for panel in panels(spec, "Training") for each in panel["config"]["metrics"]}
    drawn = {key for run in runs for row in run.history for key in row if key[:6] == "train/"}
    assert curves == drawn - {"train/tokens"}
    *bars, price = panels(spec, "Headline metrics")
    told = {each for bar in bars for each in bar["config"]["metrics"]}
    assert told <= {key for run in runs for key in run.summary}
    assert price["config"]["yAxis"] == "summary:hypervolume"


def test_offline_the_specification_is_written(
    tracked: Path, spec: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tracked, folder, ignore=shutil.ignore_patterns("wandb"))
    assert main(["export-wandb", str(folder), "--dashboard"]) == 0
    written = json.loads((folder / "wandb" / "dashboard.json").read_text())
    assert written["displayName"] == "paretosteer copy"
    assert [panel["config"] for panel in panels(written, "Fronts")] == [
        panel["config"] for panel in panels(spec, "Fronts")
    ]


def test_without_the_package_the_extra_is_named(
    tracked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    assert main(["export-wandb", str(tracked), "--dashboard"]) == 2
    assert capsys.readouterr().err == (
        "paretosteer: --dashboard: requires wandb-workspaces; install it with "
        "pip install 'paretosteer[dashboards]'\n"
    )


def runs_of(sweep: Path) -> list[Any]:
    return [only_run(cell.path) for cell in find_cells(sweep)]
