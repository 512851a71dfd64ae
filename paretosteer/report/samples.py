"""A few of the texts that cells wrote, so that a reader sees what the figures stand for."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from paretosteer.load import Cell
from paretosteer.report.evaluate import TableResult
from paretosteer.report.setting import Setting, ranked_points

PROMPTS = 2
_LONGEST = 600


@dataclass(frozen=True)
class Writing:
    """What one row wrote for a prompt, one text per shown preference, empty where it has none."""

    label: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Prompted:
    """One test prompt with what every row that has samples wrote for it."""

    prompt: str
    writings: tuple[Writing, ...]


def shown(setting: Setting) -> list[int]:
    """Places of three preferences in the table's grid: both ends and the nearest to the middle."""
    grid = np.array(setting.preferences)
    middle = np.abs(grid - 1 / grid.shape[1]).sum(axis=1).argmin()
    return [len(grid) - 1, int(middle), 0]


def examples(result: TableResult) -> list[Prompted]:
    """The first prompts with each row's first sample of its first seed at three preferences."""
    setting = result.table.setting
    if not setting:
        return []
    places = shown(setting)
    found: dict[str, list[Writing]] = {}
    prompts: dict[str, str] = {}
    for each in result.scored:
        cell = each.row.replicates[0].cell
        points = [ranked_points(cell.record)[place] for place in places]
        wanted: dict[str, dict[int, str]] = {}
        for point, prompt_id, prompt, text in _first_samples(cell):
            if point in points:
                wanted.setdefault(prompt_id, {}).setdefault(point, text[:_LONGEST])
                prompts.setdefault(prompt_id, prompt)
        for prompt_id, texts in wanted.items():
            writing = Writing(each.row.label, tuple(texts.get(point, "") for point in points))
            found.setdefault(prompt_id, []).append(writing)
    return [Prompted(prompts[name], tuple(found[name])) for name in sorted(found)[:PROMPTS]]


def _first_samples(cell: Cell) -> Iterator[tuple[int, str, str, str]]:
    """Point, prompt id, prompt and text of every first sample; nothing from a malformed file."""
    path = cell.path / "samples.jsonl"
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                sample = json.loads(line)
                if sample["sample"] == 0:
                    yield (
                        int(sample["point"]),
                        str(sample["prompt_id"]),
                        str(sample["prompt"]),
                        str(sample["text"]),
                    )
            except (ValueError, TypeError, KeyError):
                return
