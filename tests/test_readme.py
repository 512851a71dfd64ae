"""The README and the documents are correct: their commands and Python code run, on stand-ins.

The `make` commands are left out. Work is `budget=smoke`; of seeds and folds the first is run,
of an experiment two methods, and a sweep that takes none of a reader's files is planned only.
`make test` composes each sweep and run, `make test-long` does this, `make test-readme` runs all.
"""

import os
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from keep_reference import CELLS, unpack
from readme_standins import stand_in
from small_model import write_lora

from paretosteer import metrics
from paretosteer.cells.cell import find_cells
from paretosteer.commands.main import main
from paretosteer.sweeps.compose import compose_cell, compose_sweep

sys.path.insert(0, str(Path(__file__).parent / "methods"))

ROOT = Path(__file__).parents[1]
TEXT = "\n".join(
    page.read_text(encoding="utf-8")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
)
WRITTEN = re.sub(r"<!-- generated.*?end of generated -->", "", TEXT, flags=re.DOTALL)  # by hand
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", WRITTEN, flags=re.DOTALL | re.MULTILINE)
LINES = list(
    dict.fromkeys(
        line.partition(" #")[0].strip()
        for language, block in BLOCKS
        if language == "bash"
        for line in block.splitlines()
    )
)
COMMANDS = [line for line in LINES if not line.startswith("make ")]
INLINE = [" ".join(each.split()) for each in re.findall(r"(?<!`)`(paretosteer [^`]+)`", WRITTEN)]
WHOLE = os.environ.get("README") == "whole"
SWEPT = "results/five_methods"
SMOLLM2 = "model.path=build/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def blocks(language: str) -> list[str]:
    return [block for known, block in BLOCKS if known == language]


def block(containing: str) -> str:
    (found,) = [text for text in blocks("python") if containing in text]
    return found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the commands name: data, a model, and sweeps that have run."""
    folder = tmp_path_factory.mktemp("readme")
    stand_in(folder)
    for seed, name in enumerate(("helpful_lora", "harmless_lora", "first_lora", "second_lora")):
        write_lora(folder / name, folder / "start", seed=seed)
    (folder / "sharp_soup.py").write_text(block("class SharpSoup"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        first = "paretosteer sweep experiment=five_methods model=hf model.path=DIR"
        assert first in COMMANDS
        assert main(prepared(first)) == 0
        for copy in ("before", "after", "quickstart"):
            shutil.copytree(SWEPT, f"results/{copy}")
        assert main(["publish", SWEPT, "--out", "shared-results"]) == 0
    return folder


def prepared(command: str) -> list[str]:
    """The arguments of a command, with stand-ins in the place of what a reader has."""
    program, *words = shlex.split(command)
    assert program == "paretosteer", f"{command!r}: no test knows how to run this"
    if words[0] in ("sweep", "run"):
        words = [*_smaller(words), "budget=smoke"]
    cell = next(iter(sorted(Path(SWEPT).glob("stories/clp/seed*"))), Path("CELL"))
    places = {
        "CELL": [str(cell)],
        "DIR": ["exported"],
        "model.path=DIR": ["model.path=start"],
        SMOLLM2: ["model.path=start"],
    }
    return [each for word in words for each in places.get(word, [word])]


def _smaller(words: Sequence[str]) -> list[str]:
    kept = [word for word in words if not word.startswith("budget")]
    kept += ["budget.steps=4,6" for word in words if word.startswith("budget.steps=")]
    if WHOLE:
        return kept
    kept = [_first_replicate(word) for word in kept]
    if words[1].startswith("experiment="):
        kept.append("hydra.sweeper.params.method='clp,rewarded_soup'")
    files = [word for word in kept if re.match(r"\+?(benchmark|model)\.(path|pairs)", word)]
    return kept if files or words[0] == "run" else [*kept, "--dry-run"]


def _first_replicate(word: str) -> str:
    return re.sub(r"^(seed|benchmark\.fold)=(\d+),.*", r"\1=\2", word)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs(
    command: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(here)
    monkeypatch.setenv("PARETOSTEER_PLUGINS", "")  # where `--plugin` leaves a file for workers
    assert main(prepared(command)) == 0
    assert capsys.readouterr().out.strip()


def test_every_line_is_a_command_that_is_run() -> None:
    others = {line for line in LINES if line not in COMMANDS}
    # `make speed` has tests of its own, at a tiny size.
    assert {line for line in others if not line.startswith("make speed")} == {
        "make quickstart",
        "make smollm2",
        "make test",
    }
    assert {language for language, _ in BLOCKS} == {"bash", "python", "toml", "text"}
    assert len(COMMANDS) >= 19 and len(blocks("python")) == 7 and len(blocks("toml")) == 1


@pytest.mark.parametrize(
    "command", [each for each in (*COMMANDS, *INLINE) if re.match(r"\S+ (run|sweep)", each)]
)
def test_a_command_composes(command: str) -> None:
    words = shlex.split(re.sub(r"--plugin \S+ ", "", command).replace("…", "DIR"))
    _, name, *words = (_first_replicate(word).replace("sharp_soup", "clp") for word in words)
    assert (compose_sweep if name == "sweep" else compose_cell)(words)


@pytest.mark.slow
def test_the_python_api_runs(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(here)
    exec(compile(block("make_benchmark"), "api.md", "exec"), {})
    assert capsys.readouterr().out.startswith("(")
    exec(compile(block("to_latex"), "paper_table.md", "exec"), {})
    assert "hypervolume" in capsys.readouterr().out


def test_the_example_method_trains_steers_and_saves(tmp_path: Path) -> None:
    from accelerate import Accelerator
    from worlds import TableWorld

    from paretosteer.config import options
    from paretosteer.training.trainer import Trainer

    source = block("class SharpSoup")
    assert len(source.splitlines()) <= 35
    (entries,) = tomllib.loads(*blocks("toml"))["project"]["entry-points"].values()
    assert entries == {"sharp_soup": "sharp_soup:SharpSoup"}
    (tmp_path / "sharp_soup.py").write_text(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(tmp_path))
        from sharp_soup import SharpSoup  # type: ignore[import-not-found]

    world = TableWorld()
    method = SharpSoup(options.build(SharpSoup.Options, {"learning_rate": 0.1}, "method"))
    method.train(world, Trainer(Accelerator(cpu=True), steps=40, rows=64, samples=8, seed=0))
    values = world.values(method.policy, method.control(np.eye(2)))
    assert values[0, 0] > values[1, 0] and values[1, 1] > values[0, 1]
    np.testing.assert_allclose(method.control([[0.25, 0.75]]).values, [[0.1, 0.9]])
    method.save(tmp_path)
    again = SharpSoup(method.options)
    again.load(tmp_path, world)
    np.testing.assert_array_equal(world.values(again.policy, again.control(np.eye(2))), values)


SMOLLM2_RESULTS = ROOT / "results" / "reference" / "smollm2"


def test_the_readmes_table_is_that_of_the_committed_leaderboard() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    quoted = _table(readme.partition("## A real model")[2])
    expected = _table((SMOLLM2_RESULTS / "leaderboard.md").read_text(encoding="utf-8"))
    assert [row["Method"] for row in quoted] == [row["Method"] for row in expected]
    shared = quoted[0].keys() & expected[0].keys() - {"Method"}
    assert shared == {"Hypervolume", "Controllability", "KL"}
    for own, row in zip(quoted, expected, strict=True):
        assert {name: own[name] for name in shared} == {name: row[name] for name in shared}


def test_the_home_pages_table_is_that_of_the_committed_leaderboard() -> None:
    home = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    board = ROOT / "results" / "reference" / "quickstart" / "leaderboard.md"
    quoted, expected = _table(home), _table(board.read_text(encoding="utf-8"))
    assert quoted == [{name: row[name] for name in quoted[0]} for row in expected]


def test_the_readmes_judge_is_that_of_the_archived_cells(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    board = pd.read_csv(SMOLLM2_RESULTS / "leaderboard.csv").set_index("paths")
    judged = {}
    for cell in find_cells(unpack(SMOLLM2_RESULTS / CELLS, tmp_path)):
        places = cell.results.ranked_points()
        means = pd.read_parquet(cell.path / "judge.parquet").groupby("point").mean(True)
        preferences = [cell.results.points[place].preference for place in places]
        points = means.loc[places, cell.results.objective_names].to_numpy()
        (path,) = [each for each in board.index if each.endswith(cell.path.name)]
        judged[board.loc[path, "label"]] = metrics.controllability(preferences, points)
    for row in _table(readme.partition("## A real model")[2]):
        value = format(float(judged[row["Method"]]), "z.2f").replace("-", "−")
        assert row["Controllability (judge)"] == value, row


def _table(text: str) -> list[dict[str, str]]:
    """Rows of the first Markdown table of a text, without marks and arrows."""
    lines = re.search(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    assert lines
    head, _, *rows = (
        [re.sub(r"[*\\↑↓]", "", cell).strip() for cell in line.strip("| ").split("|")]
        for line in lines[0].splitlines()
    )
    return [dict(zip(head, row, strict=True)) for row in rows]
