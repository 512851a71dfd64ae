"""Sample texts that the page carries: all, or as many as its size allows."""

import gzip
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from paretosteer.report.analysis.comparable import Setting, vector_words
from paretosteer.report.analysis.evaluate_table import TableResult
from paretosteer.report.analysis.replicates import Replicate
from paretosteer.report.page.prompt_turns import prompt_turns
from paretosteer.report.page.sample_texts import Sample, SampleTexts, cut, raw_scores, recorded
from paretosteer.report.page.script_json import safe_json

# Of the whole page, all tables together; the rest of it is plots, figures and provenance.
TEXT_BYTES = 4_000_000

_DIGITS = 4
_PLAIN = 300_000  # bytes of JSON that are not worth compressing
_RATIO = 3  # of compression, at first tried


@dataclass(frozen=True)
class Selection:
    """Ids of the prompts and places of the preferences that fit."""

    prompts: tuple[str, ...]
    places: tuple[int, ...]


def packed_texts(result: TableResult, texts: SampleTexts, allowed: int) -> dict[str, Any] | None:
    """A table's texts in no more than a number of bytes, compressed where there are many."""
    room = _RATIO * allowed
    while data := texts_data(result, texts, room):
        plain = safe_json(data).encode()
        if len(plain) <= min(_PLAIN, allowed):
            return data
        packed = b64encode(gzip.compress(plain, mtime=0)).decode()
        if len(packed) <= allowed:
            return {"packed": packed}
        room = int(0.95 * room * allowed / len(packed))
    return None


def texts_data(result: TableResult, texts: SampleTexts, allowed: int) -> dict[str, Any] | None:
    """A table's texts for the page, within a number of bytes; None where nothing was written.

    First samples go by row, prompt and place in the grid, each `[text, score, …]`, null where there
    is none. `further` lists other samples, other replicates and points with further dials, each
    `[row, replicate, sample, point, prompt, text, score, …]`: points count on from the grid to
    `dialled`, prompts from `prompts` to `further_prompts`. `turns` are the last turns of all these
    prompts, empty if no prompt has anything else.
    """
    setting = result.table.setting
    if not setting or not texts.prompts:
        return None
    selection = select(texts, len(setting.preferences), allowed)
    whole = len(selection.prompts) == len(texts.prompts) and len(selection.places) == len(
        setting.preferences
    )
    rows = [
        [
            [_entry(own.get(name, {}).get(place)) for place in selection.places]
            for name in selection.prompts
        ]
        for own in texts.rows
    ]
    further = _Further(texts, setting)
    if whole:
        further.read(result, allowed - len(safe_json(rows).encode()))
    prompts = [texts.prompts[name] for name in selection.prompts]
    others = list(further.prompts.values())
    turns = prompt_turns([*prompts, *others])
    shown = sum(entry is not None for own in rows for line in own for entry in line)
    everything = sum(
        it.cell.results.n_total for each in result.scored for it in each.row.replicates
    )
    return {
        "prompts": list(map(cut, prompts)),
        "turns": [] if turns == [*prompts, *others] else list(map(cut, turns)),
        "places": selection.places,
        "replicates": [[_name(it) for it in each.row.replicates] for each in result.scored],
        "omission": _omission(
            selection, texts, len(setting.preferences), shown + len(further.entries), everything
        ),
        "normalisers": [
            [it.cell.results.normaliser.model_dump() for it in each.row.replicates]
            for each in result.scored
        ],
        "rows": rows,
        "further": further.entries,
        "further_prompts": list(map(cut, others)),
        "dialled": list(further.points),
    }


class _Further:
    """Texts beside the first samples, as many whole rounds of replicates as fit."""

    def __init__(self, texts: SampleTexts, setting: Setting) -> None:
        self.entries: list[list[Any]] = []
        self.prompts: dict[str, str] = {}
        self.points: dict[str, int] = {}
        self._texts, self._setting = texts, setting
        self._places = {name: place for place, name in enumerate(texts.prompts)}

    def read(self, result: TableResult, room: int) -> None:
        """Read every row's first replicate, then every row's second, and so on."""
        for turn in count():
            having = [
                (place, each.row.replicates[turn])
                for place, each in enumerate(result.scored)
                if turn < len(each.row.replicates)
            ]
            if not having:
                return
            read: list[list[Any]] = []
            for row, replicate in having:
                for entry in self._of_cell(row, turn, replicate):
                    room -= len(safe_json(entry).encode()) + 1
                    if room < 0:
                        return
                    read.append(entry)
            self.entries += read

    def _of_cell(self, row: int, turn: int, replicate: Replicate) -> Iterator[list[Any]]:
        cell = replicate.cell
        if turn == 0 and cell.results.n_total == sum(map(len, self._texts.rows[row].values())):
            return
        ranked = {point: place for place, point in enumerate(cell.results.ranked_points())}
        scores = raw_scores(cell)
        for point, prompt_id, number, prompt, text in recorded(cell):
            if turn == 0 and number == 0 and point in ranked:
                continue  # among the first samples
            place = ranked[point] if point in ranked else self._dialled(cell.results.points[point])
            entry = _entry(Sample(text, scores.get((point, prompt_id, number), ())))
            yield [row, turn, number, place, self._prompt(prompt_id, prompt), *(entry or ())]

    def _dialled(self, point: Any) -> int:
        dials = ", ".join(f"{name} {value:g}" for name, value in point.dials.items())
        label = f"{vector_words(point.preference)}, {dials}"
        return len(self._setting.preferences) + self.points.setdefault(label, len(self.points))

    def _prompt(self, name: str, prompt: str) -> int:
        self._places.setdefault(name, len(self._places))
        if name not in self._texts.prompts:
            self.prompts.setdefault(name, prompt)
        return self._places[name]


def _name(replicate: Replicate) -> str:
    fold = "" if replicate.fold is None else f", fold {replicate.fold}"
    return f"seed {replicate.seed}{fold}"


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


def _omission(
    selection: Selection, texts: SampleTexts, count: int, shown: int, everything: int
) -> str:
    """Sentence about texts left out to keep the page small, or nothing."""
    start = f"To keep this page small, it has {shown:,} of {everything:,} recorded texts"
    if len(selection.places) < count:
        return (
            f"{start}: first samples of {len(selection.prompts)} of "
            f"{len(texts.prompts)} prompts at {len(selection.places)} of {count} preferences."
        )
    if len(selection.prompts) < len(texts.prompts):
        return (
            f"{start}: the texts of the first {len(selection.prompts)} of "
            f"{len(texts.prompts)} prompts."
        )
    return f"{start}." if shown < everything else ""
