"""Names in records are names: whatever they are, files stay in the folder of the results."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from paretosteer.cells.cell import find_cells
from paretosteer.cells.record import write_record
from paretosteer.commands.main import main
from paretosteer.report import write_report

UP = "../../../../outside"
REFERENCE = Path(__file__).parents[2] / "results" / "reference" / "field" / "records"


def write_cell(folder: Path, name: str) -> Path:
    """A finished cell in which everything that can be named is called `name`."""
    (source, *_) = sorted(REFERENCE.glob("clp-*/record.json"))
    record: dict[str, Any] = json.loads(source.read_text())
    record["benchmark"]["name"] = record["method"] = record["variant"] = name
    record["model"]["name"] = name
    record["config"]["method"]["name"] = record["config"]["benchmark"]["name"] = name
    record["config"]["sweep_dir"] = name
    record["files"] = {f"{name}/policy.safetensors": "0" * 64}
    record["created"] = record["device"] = name
    for i, objective in enumerate(record["objectives"]):
        objective["name"] = f"{name}{i}"
    names = [objective["name"] for objective in record["objectives"]]
    keys = pd.MultiIndex.from_product(
        [range(len(record["points"])), [f"{name}{i}" for i in range(4)], [0]],
        names=["point", "prompt_id", "sample"],
    ).to_frame(index=False)
    record["prompts"]["count"] = 4
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    keys.assign(**{each: rng.normal(size=len(keys)) for each in names}).to_parquet(
        folder / "scores.parquet"
    )
    keys.assign(kl=1.0, start_nll=1.0, tokens=3).to_parquet(folder / "drift.parquet")
    texts = keys.assign(prompt=name, text=name)
    (folder / "samples.jsonl").write_text(texts.to_json(orient="records", lines=True))
    write_record(folder, record)
    return folder


@pytest.mark.figures
@pytest.mark.parametrize(
    "name", ["record.json", "scores.parquet", "samples.jsonl", "drift.parquet"]
)
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(name: str, tmp_path: Path) -> None:
    cell = write_cell(tmp_path / "stories" / "clp" / "seed0-0123456789", "clp")
    (cell / name).unlink()
    os.mkfifo(cell / name)
    report = write_report([tmp_path])
    if name != "samples.jsonl":  # which is shown where it can be
        (problem,) = report.problems
        assert "is not a regular file" in problem.reason
        assert problem.reason.endswith("run the cell again")


@pytest.mark.parametrize("name", [UP, "/{tmp}/outside", "..", "a/../../b", "con\0trol", ".\n."])
@pytest.mark.parametrize(
    "words", [("report",), ("export-wandb",), ("report", "{sweep}", "--compare")]
)
@pytest.mark.filterwarnings("ignore:constrained_layout")
def test_nothing_is_written_outside_the_results(
    name: str, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = name.replace("{tmp}", str(tmp_path))
    sweep = tmp_path / "a" / "b" / "c" / "sweep"
    write_cell(sweep / "stories" / "clp" / "seed0-0123456789", name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    command, *more = (word.replace("{sweep}", str(sweep)) for word in words)
    assert main([command, str(sweep), *more]) == 0
    written = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert len(written) > 4
    assert all(path.is_relative_to(sweep) for path in written)


def test_a_link_is_no_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_cell(tmp_path / "elsewhere" / "seed0-0123456789", "clp")
    write_cell(tmp_path / "sweep" / "seed1-0123456789", "clp")
    link = tmp_path / "sweep" / "seed0-0123456789"
    link.symlink_to(tmp_path / "elsewhere")
    found = [cell.path for cell in find_cells(tmp_path / "sweep")]
    assert found == [tmp_path / "sweep" / "seed1-0123456789"]
    assert f"warning: {link} is a link, which is not followed" in capsys.readouterr().err


@pytest.mark.parametrize("linked", ["bandit", "bandit/start"])
def test_no_cell_is_run_behind_a_link(
    linked: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "sweep").symlink_to(tmp_path / "elsewhere")  # the whole folder may be one
    words = ["benchmark=bandit", "budget=smoke", "method=start", f"sweep_dir={tmp_path / 'sweep'}"]
    assert main(["run", *words]) == 0
    place = tmp_path / "elsewhere" / linked
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    assert main(["run", *words]) == 2
    problem = capsys.readouterr().err
    assert f"{str(tmp_path / 'sweep' / linked)!r} is a link, behind which no report" in problem
