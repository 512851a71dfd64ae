"""Packages that look installed: a folder on the path with code and entry points."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

METHOD = '''
"""Sharp: a soup from elsewhere."""
from paretosteer.config.options import option
from paretosteer.methods.rewarded_soup import RewardedSoup

class Sharp(RewardedSoup):
    class Options(RewardedSoup.Options):
        power: float = option(2.0, "contrast")
'''
METRIC = '''
"""Spread: how far points reach."""
from paretosteer.metrics import RowMetric

def spread(points, preferences, reference):
    return (points.max(axis=0) - points.min(axis=0)).mean()

SPREAD = RowMetric("spread", "up", "mean range", function=spread)
'''
OBJECTIVE = '''
"""Calm: few exclamation marks."""
from paretosteer.text.function_objectives import TextObjective

CALM = TextObjective("calm", "marks", -9.0, "few marks", "7", lambda text: -text.count("!"))
'''


def install(
    folder: Path,
    name: str,
    entries: Mapping[str, Mapping[str, str]],
    files: Mapping[str, str],
) -> None:
    """Package `name` version 1.0 in a folder that is on the path, or will be.

    `entries` are entry points by group without its prefix, `files` texts by place in the package.
    """
    for place, text in {"__init__.py": "", **files}.items():
        path = folder / name / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip())
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [
        line
        for group, named in entries.items()
        for line in (f"[paretosteer.{group}]", *(f"{key} = {at}" for key, at in named.items()))
    ]
    (about / "entry_points.txt").write_text("\n".join(lines) + "\n")
