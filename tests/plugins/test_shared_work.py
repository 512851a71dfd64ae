"""Work that cells share is made again where the code of a plug-in differs."""

from pathlib import Path

import pytest
from fake_packages import install
from plugin_registry import forget
from small_model import write_model

from paretosteer import make_benchmark
from paretosteer.plugins import in_use
from paretosteer.plugins.single_files import VARIABLE

CALM = """
from paretosteer import TextObjective

CALM = TextObjective("calm", "words", -1000.0, "words", "1", lambda text: {score})
"""
OFFERED = 'paretosteer_plugins = {"objectives": {"calm": CALM}}\n'
ERRANDS = """
from small_model import write_model
from paretosteer.benchmarks.stories.benchmark import Stories
from paretosteer.text.samples import Prompt

class Errands(Stories):
    name = "errands"

    def split(self, name):
        starts = enumerate(["A cat", "Dogs"])
        return [Prompt(f"{{name}}-{{i}}", f"{{start}} {end}") for i, start in starts]

    def make_embedded(self, folder):
        self.setting.say("made for {end}")
        write_model(folder)

paretosteer_plugins = {{"benchmarks": {{"errands": Errands}}}}
"""
SCORES = ("float(len(text))", "100.0 - 100.0 * text.count('e')")


@pytest.fixture
def model(tmp_path: Path) -> str:
    write_model(tmp_path / "start")
    return str(tmp_path / "start")


def use(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    monkeypatch.setenv(VARIABLE, str(file))


@pytest.mark.parametrize("edited", [True, False], ids=["one file, edited", "two files"])
def test_two_objectives_of_one_name_and_version_share_nothing(
    site: Path, model: str, edited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    units, labels = [], []
    for number, score in enumerate(SCORES):
        file = site / ("calm.py" if edited else f"calm_{number}.py")
        file.write_text(CALM.format(score=score) + OFFERED)
        use(file, monkeypatch)
        names = ("calm", "varied")
        world = make_benchmark("stories", budget="smoke", model=model, objectives=names)
        units.append(world.normaliser)
        labels.append(world.pool.z)
    assert units[0].mean[0] > 0 and units[0].mean != units[1].mean
    assert (labels[0] != labels[1]).any()


def test_an_edited_package_is_measured_again(
    site: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {"objectives": {"calm": "calm_package.own:CALM"}}
    install(site, "calm_package", entries, {"own.py": CALM.format(score=SCORES[0])})
    names = ("calm", "varied")
    forget()
    before = in_use.scoring_code("stories", names)
    (site / "calm_package" / "own.py").write_text(CALM.format(score=SCORES[1]))
    in_use._package_digest.cache_clear()  # as in another process
    after = in_use.scoring_code("stories", names)
    assert before.keys() == after.keys() == {"objective calm"}
    assert before != after


def test_the_prompts_of_a_plugin_benchmark_are_part_of_its_units(
    site: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = []
    for end in ("went out", "said no no no no"):
        (site / "errands.py").write_text(ERRANDS.format(end=end))
        use(site / "errands.py", monkeypatch)
        units.append(make_benchmark("errands", budget="smoke", model=model).normaliser)
    assert units[0] != units[1]


def test_the_start_model_of_a_plugin_benchmark_is_made_again_after_an_edit(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = []
    for end in ("out", "in", "out"):
        (site / "errands.py").write_text(ERRANDS.format(end=end))
        use(site / "errands.py", monkeypatch)
        world = make_benchmark("errands", budget="smoke")
        made.append((world.embedded_folder, world.setting.model_key))
    assert made[0] == made[2]
    assert len({*made}) == 2 and len({folder for folder, _ in made}) == 2
    assert capsys.readouterr().err.count("made for") == 2
