"""The notebook of the documentation runs from top to bottom."""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "results.ipynb"


def sources() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; gives the value of its last expression, as a notebook shows it."""
    *rest, last = ast.parse(source).body
    if not isinstance(last, ast.Expr):
        rest, last = [*rest, last], ast.Expr(ast.Constant(None))
    exec(compile(ast.Module(rest, []), str(NOTEBOOK), "exec"), names)
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)


def test_its_cells_are_python() -> None:
    assert [ast.parse(source) for source in sources()]


@pytest.mark.slow
def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpl.use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    names: dict[str, Any] = {}
    shown = [run(source, names) for source in sources()]
    assert shown[1]["method"].tolist() and set(shown[2]["status"]) == {"ok"}
    assert shown[3].shape == (11, 2)
    assert 0 <= names["metrics"].controllability(names["preferences"], names["outcome"]) <= 1
