"""Pairs of cells whose settings differ, restricted to what both have."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from paretosteer.cells.cell import Cell
from paretosteer.cells.scores import read_samples, read_scores, values_of
from paretosteer.report.analysis.comparable import Setting, distinctions
from paretosteer.report.analysis.replicates import Replicate

# Settings without which scores do not mean the same thing.
_REQUIRED = ("benchmark", "version", "objectives", "kl_coefficient", "folds")


class Twins(NamedTuple):
    """Two replicates with the same preferences, prompts and units; `reason` lists what differed."""

    before: Replicate
    after: Replicate
    setting: Setting
    reason: str


def twins(before: Replicate, after: Replicate) -> Twins | None:
    """Pair two replicates on the preferences and prompts that both have, in the units of `before`.

    None if nothing can be compared: the benchmark, its version, an objective, the KL coefficient or
    the folds differ, or they have no preference or prompt in common.
    """
    one, other = Setting.of(before.cell.results), Setting.of(after.cell.results)
    if one == other:
        return Twins(before, after, one, "")
    if any(getattr(one, name) != getattr(other, name) for name in _REQUIRED):
        return None
    common = set(one.grid) & set(other.grid)
    places = [place for place, point in enumerate(one.grid) if point in common]
    prompts = _common_prompts(before.cell, after.cell, one.prompts == other.prompts)
    if not places or not prompts:
        return None
    shared = replace(one, preferences=tuple(one.preferences[place] for place in places))
    counts = f"{len(prompts)} prompts and {len(places)} preferences that both have"
    return Twins(
        _restricted(before, before.cell, shared, prompts),
        _restricted(after, before.cell, shared, prompts),
        shared,
        f"compared on {counts}, in A's units, since these differ: {differences(one, other)}",
    )


def differences(before: Setting, after: Setting) -> str:
    """Fields that differ, with both values where these look different."""
    first, second = distinctions([before, after])
    parts = [
        # Abbreviated values (such as digests) may look equal.
        f"{name} {value} → {second[name]}" if value != second[name] else name
        for name, value in first.items()
    ]
    return "; ".join(parts)


def _common_prompts(before: Cell, after: Cell, same: bool) -> list[str]:
    """Prompts with the same name and text in both cells.

    Prompts whose digests differ although their names do not have changed in something else.
    """
    first, second = read_scores(before).prompts, read_scores(after).prompts
    if first == second:
        return list(first) if same else []
    one, other = _texts(before), _texts(after)
    return [name for name in first if name in one and one[name] == other.get(name)]


def _texts(cell: Cell) -> dict[str, str]:
    """Prompts of a cell by name; empty if its benchmark records none."""
    try:
        samples = read_samples(cell.path)
    except (OSError, ValueError):
        return {}
    if not {"prompt_id", "prompt"} <= set(samples.columns):
        return {}
    return dict(zip(samples["prompt_id"].astype(str), samples["prompt"], strict=True))


def _restricted(
    replicate: Replicate, units: Cell, shared: Setting, prompts: list[str]
) -> Replicate:
    """Replicate with scores (k, prompts, m) at shared preferences, in the units of another cell."""
    cell, results = replicate.cell, replicate.cell.results
    scores = read_scores(cell)
    converted = results.model_copy(update={"normaliser": units.results.normaliser})
    values = values_of(replace(cell, record=converted), scores)  # (points, prompts, m)
    points = dict(zip(Setting.of(results).grid, results.ranked_points(), strict=True))
    rows = [points[preference] for preference in shared.grid]
    columns = [scores.prompts.index(prompt) for prompt in prompts]
    return replace(replicate, scores=values[np.ix_(rows, columns)])
