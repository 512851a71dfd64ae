"""Sample texts that the page carries: all, or as many as its size allows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paretosteer.report.analysis.evaluate import TableResult
from paretosteer.report.page.sample_texts import Sample, SampleTexts
from paretosteer.report.page.script_json import safe_json

# Of the whole page, all tables together; the rest of it is plots, figures and provenance.
BYTES = 4_000_000

_DIGITS = 4


@dataclass(frozen=True)
class Selection:
    """Ids of the prompts and places of the preferences that fit."""

    prompts: tuple[str, ...]
    places: tuple[int, ...]


def texts_data(result: TableResult, texts: SampleTexts, allowed: int) -> dict[str, Any] | None:
    """A table's texts for the page, within a number of bytes; None where nothing was written.

    Texts go by row, prompt and place in the grid, each `[text, score, …]`, null where there is
    none.
    """
    setting = result.table.setting
    if not setting or not texts.prompts:
        return None
    selection = select(texts, len(setting.preferences), allowed)
    return {
        "prompts": [texts.prompts[name] for name in selection.prompts],
        "places": selection.places,
        "omission": _omission(selection, texts, len(setting.preferences)),
        "normalisers": [
            each.row.replicates[0].cell.results.normaliser.model_dump() for each in result.scored
        ],
        "rows": [
            [
                [_entry(own.get(name, {}).get(place)) for place in selection.places]
                for name in selection.prompts
            ]
            for own in texts.rows
        ],
    }


def select(texts: SampleTexts, count: int, allowed: int) -> Selection:
    """First prompts at `count` preferences, or at fewer if even one prompt is too much."""
    names = list(texts.prompts)
    places = np.arange(count)
    first = _sizes(texts, names[0], count)
    while len(places) > 1 and first[places].sum() > allowed:
        places = places[::2]
    prompts, used = [names[0]], first[places].sum()
    for name in names[1:]:
        used += _sizes(texts, name, count)[places].sum()
        if used > allowed:
            break
        prompts.append(name)
    return Selection(tuple(prompts), tuple(places.tolist()))


def _sizes(texts: SampleTexts, name: str, count: int) -> npt.NDArray[np.int64]:
    """Bytes of all rows' texts for a prompt, (count,)."""
    sizes = np.zeros(count, dtype=np.int64)
    for own in texts.rows:
        for place, sample in own.get(name, {}).items():
            sizes[place] += len(safe_json(_entry(sample)).encode()) + 1
    return sizes


def _entry(sample: Sample | None) -> list[str | float] | None:
    if sample is None:
        return None
    return [sample.text, *(float(f"{score:.{_DIGITS}g}") for score in sample.scores)]


def _omission(selection: Selection, texts: SampleTexts, count: int) -> str:
    """Sentence about texts left out to keep the page small, or nothing."""
    if len(selection.places) < count:
        return (
            f"To keep this page small, it has the texts of {len(selection.prompts)} of "
            f"{len(texts.prompts)} prompts at {len(selection.places)} of {count} preferences."
        )
    if len(selection.prompts) < len(texts.prompts):
        return (
            f"To keep this page small, it has the texts of the first {len(selection.prompts)} of "
            f"{len(texts.prompts)} prompts."
        )
    return ""
