"""Sample texts of cells with their scores, which illustrate the figures."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paretosteer.cells.cell import Cell
from paretosteer.report.analysis.comparable import Setting, vector_words
from paretosteer.report.analysis.evaluate_table import TableResult
from paretosteer.report.page.prompt_turns import prompt_turns

_EXAMPLES = 2  # prompts
_LONGEST = 600


@dataclass(frozen=True)
class Sample:
    """One text, truncated if long, with its scores (m,) in raw units, if known."""

    text: str
    scores: tuple[float, ...]


@dataclass(frozen=True)
class SampleTexts:
    """First samples of each scored row's first replicate.

    `prompts` maps prompt ids to whole prompts, ascending; `rows` holds for each row, by prompt id
    and by place in the table's grid, what it wrote.
    """

    prompts: Mapping[str, str]
    rows: Sequence[Mapping[str, Mapping[int, Sample]]]


def read_texts(result: TableResult) -> SampleTexts:
    """First samples of every row of a table."""
    prompts: dict[str, str] = {}
    rows = []
    for each in result.scored:
        cell = each.row.replicates[0].cell
        places = {point: place for place, point in enumerate(cell.results.ranked_points())}
        scores = raw_scores(cell)
        own: dict[str, dict[int, Sample]] = {}
        for point, prompt_id, number, prompt, text in recorded(cell):
            if number == 0 and point in places:
                sample = Sample(text, scores.get((point, prompt_id, 0), ()))
                own.setdefault(prompt_id, {})[places[point]] = sample
                prompts.setdefault(prompt_id, prompt)
        rows.append(own)
    return SampleTexts({name: prompts[name] for name in sorted(prompts)}, rows)


def examples(result: TableResult, texts: SampleTexts) -> dict[str, Any] | None:
    """First prompts with each row's text at three preferences; None if there are no texts."""
    setting = result.table.setting
    if not setting or not texts.prompts:
        return None
    places = _example_places(setting)
    rows = [(each.row.label, own) for each, own in zip(result.scored, texts.rows, strict=True)]
    turns = prompt_turns(list(texts.prompts.values()))
    shown = list(zip(texts.prompts.items(), turns, strict=True))[:_EXAMPLES]
    return {
        "columns": [f"at {vector_words(setting.preferences[place])}" for place in places],
        "prompts": [
            {
                "prompt": cut(prompt),
                "turn": cut(turn),
                "rows": [
                    (label, [_text(own[prompt_id], place) for place in places])
                    for label, own in rows
                    if prompt_id in own
                ],
            }
            for (prompt_id, prompt), turn in shown
        ],
    }


def _example_places(setting: Setting) -> list[int]:
    """Places of three preferences in the table's grid: both ends and the nearest to the middle."""
    grid = np.array(setting.preferences)
    middle = np.abs(grid - 1 / grid.shape[1]).sum(axis=1).argmin()
    return [len(grid) - 1, int(middle), 0]


def _text(own: Mapping[int, Sample], place: int) -> str:
    return own[place].text if place in own else ""


def cut(text: str) -> str:
    """A text as it is shown: valid Unicode, and truncated if long."""
    whole = text.encode(errors="replace").decode()  # half a surrogate pair cannot be written
    return whole if len(whole) <= _LONGEST else f"{whole[:_LONGEST]}…"


def recorded(cell: Cell) -> Iterator[tuple[int, str, int, str, str]]:
    """Point, prompt id, sample, prompt and text of every sample; stops at a malformed line."""
    path = cell.path / "samples.jsonl"
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                sample = json.loads(line)
                yield (
                    int(sample["point"]),
                    str(sample["prompt_id"]),
                    int(sample["sample"]),
                    str(sample["prompt"]),
                    cut(str(sample["text"])),
                )
            except (ValueError, TypeError, KeyError):
                return


def raw_scores(cell: Cell) -> dict[tuple[int, str, int], tuple[float, ...]]:
    """Raw scores (m,) of every sample, by point, prompt id and sample."""
    import pandas as pd

    names = cell.results.objective_names
    frame = pd.read_parquet(cell.path / "scores.parquet")  # of a scored cell, so it can be read
    if "sample" not in frame:
        return {}
    keys = zip(
        frame["point"].tolist(),
        frame["prompt_id"].astype(str),
        frame["sample"].tolist(),
        strict=True,
    )
    return dict(zip(keys, map(tuple, frame[names].to_numpy(dtype=float).tolist()), strict=True))
