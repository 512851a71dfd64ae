"""What the README shows is true: its example method is complete, its Python runs."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "methods"))

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def block(containing: str) -> str:
    (found,) = [text for text in BLOCKS if containing in text]
    return found


def test_the_example_method_trains_steers_and_saves(tmp_path: Path) -> None:
    from accelerate import Accelerator
    from worlds import TableWorld

    from paretosteer import options
    from paretosteer.trainer import Trainer

    source = block("class SharpSoup")
    assert len(source.splitlines()) <= 35
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


def test_the_python_api_runs(capsys: pytest.CaptureFixture[str]) -> None:
    source = block("make_benchmark").replace('leaderboard("results/quickstart")', "#")
    exec(compile(source, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("(")


def test_the_quoted_commands_parse() -> None:
    """Every sweep and run of the README composes (paths and reports of its own apart)."""
    from paretosteer.compose import compose_cell, compose_sweep

    commands = re.findall(r"^paretosteer (sweep|run) ([^#\n]*)", README, flags=re.MULTILINE)
    assert len(commands) >= 4
    for name, words in commands:
        compose = compose_sweep if name == "sweep" else compose_cell
        assert compose(words.split())
