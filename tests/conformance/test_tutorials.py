"""The plug-ins that the tutorials show work as they are printed."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretosteer.conformance.class_checks import interface
from paretosteer.conformance.fixtures import Candidate, MethodFixture
from paretosteer.conformance.method_checks import dials, planning
from paretosteer.conformance.option_checks import options

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"


def plugins(tutorial: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the Python blocks of a tutorial define, each run as a module of its own."""
    text = (TUTORIALS / tutorial).read_text(encoding="utf-8")
    found: dict[str, Any] = {}
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)):
        name = f"tutorial_{Path(tutorial).stem}_{number}"
        (tmp_path / f"{name}.py").write_text(block, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        module = __import__(name)
        for group in getattr(module, "paretosteer_plugins", {}).values():
            found |= group
    return found


def test_every_option_of_the_tutorials_method_has_an_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = plugins("write_a_method.md", tmp_path, monkeypatch)["sharp_soup"]
    fixture = MethodFixture(Candidate.of("methods", method), ["budget.steps=8"])
    assert not list(options(fixture))


def test_the_tutorials_dial_acts_on_rows_and_is_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = plugins("write_a_method.md", tmp_path, monkeypatch)["dial_soup"]
    candidate = Candidate.of("methods", method)
    fixture = MethodFixture(candidate, ["budget.steps=8"])
    assert not [*interface(candidate), *planning(fixture), *dials(fixture)]
    points = fixture.new_method().points(np.eye(2))
    assert [point.dials for point in points[2:]] == 2 * [{"power": 2.0}] + 2 * [{"power": 4.0}]


def test_the_tutorials_objective_metric_and_benchmark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = plugins("write_a_benchmark.md", tmp_path, monkeypatch)
    assert found["calm"].score("Good day!") == -0.5
    assert found["spread"].function([[0.0, 3.0], [1.0, 1.0]], None, None) == 1.5
    options = found["errands"].Options()
    assert options.objectives == ("readable", "varied")
