"""Which of the written texts the page carries: all, or as many as its size allows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paretosteer.report.analysis.evaluate import TableResult
from paretosteer.report.page.sample_texts import Sample, Written
from paretosteer.report.page.script_json import safe_json

# Of the whole page, all tables together; the rest of it is plots, figures and provenance.
BYTES = 4_000_000

_DIGITS = 4


@dataclass(frozen=True)
class Kept:
    """Ids of the prompts and places of the preferences that fit."""

    prompts: tuple[str, ...]
    places: tuple[int, ...]


def texts_data(result: TableResult, texts: Written, allowed: int) -> dict[str, Any] | None:
    """A table's texts for the page, within a number of bytes; None where nothing was written.

    Texts go by row, prompt and place in the grid, each `[text, score, …]`, null where there is
    none.
    """
    setting = result.table.setting
    if not setting or not texts.prompts:
        return None
    kept = keep(texts, len(setting.preferences), allowed)
    return {
        "prompts": [texts.prompts[name] for name in kept.prompts],
        "places": kept.places,
        "told": _told(kept, texts, len(setting.preferences)),
        "normalisers": [each.row.replicates[0].cell.record["normaliser"] for each in result.scored],
        "rows": [
            [
                [_entry(own.get(name, {}).get(place)) for place in kept.places]
                for name in kept.prompts
            ]
            for own in texts.rows
        ],
    }


def keep(texts: Written, count: int, allowed: int) -> Kept:
    """The first prompts at all of `count` preferences; of fewer where even one is too much."""
    names = list(texts.prompts)
    places = np.arange(count)
    first = _sizes(texts, names[0], count)
    while len(places) > 1 and first[places].sum() > allowed:
        places = places[::2]
    kept, used = [names[0]], first[places].sum()
    for name in names[1:]:
        used += _sizes(texts, name, count)[places].sum()
        if used > allowed:
            break
        kept.append(name)
    return Kept(tuple(kept), tuple(places.tolist()))


def _sizes(texts: Written, name: str, count: int) -> npt.NDArray[np.int64]:
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


def _told(kept: Kept, texts: Written, count: int) -> str:
    """What was left out to keep the page small, or nothing."""
    if len(kept.places) < count:
        return (
            f"To keep this page small it has the texts of {len(kept.prompts)} of "
            f"{len(texts.prompts)} prompts at {len(kept.places)} of {count} preferences."
        )
    if len(kept.prompts) < len(texts.prompts):
        return (
            f"To keep this page small it has the texts of the first {len(kept.prompts)} of "
            f"{len(texts.prompts)} prompts."
        )
    return ""
