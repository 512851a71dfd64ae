"""Cross-validation folds are replicates: which cells' settings become one table's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from paretosteer.report.analysis.comparable import Setting, distinctions, numbered


class Pooled(NamedTuple):
    """For each cell's own setting its table's; for some of those a remark, in a sentence."""

    settings: Mapping[Setting, Setting]
    remarks: Mapping[Setting, str]


def pool(found: Iterable[Setting]) -> Pooled:
    """Put the folds of a family into one setting.

    Where cells of one fold differ in what the fold has of its own (start model, normaliser, test
    prompts), they may not be compared, and the family's folds all stay apart.
    """
    settings: dict[Setting, Setting] = {}
    families: dict[Setting, list[Setting]] = {}
    for each in found:
        if each not in settings:
            settings[each] = each
            if each.folds:
                families.setdefault(each.shared(), []).append(each)
    remarks: dict[Setting, str] = {}
    for shared, members in families.items():
        if clash := _clash(members):
            remarks |= dict.fromkeys(members, clash)
        else:
            settings |= dict.fromkeys(members, _together(shared, members))
    return Pooled(settings, remarks)


def _clash(members: Sequence[Setting]) -> str:
    """Why the folds cannot be pooled, or nothing."""
    for index in sorted({_index(each) for each in members}):
        same = [each for each in members if _index(each) == index]
        if len(same) > 1:
            return (
                f"Folds are not pooled: cells of {numbered('fold', [index])} differ in "
                f"{', '.join(distinctions(same)[0])}. Run them again, or report them apart."
            )
    return ""


def _together(shared: Setting, members: Sequence[Setting]) -> Setting:
    ordered = sorted(members, key=_index)
    if len(ordered) == 1:
        return ordered[0]
    assert shared.folds
    return replace(
        shared,
        model=", ".join(dict.fromkeys(each.model for each in ordered)),
        prompt_count=sum(each.prompt_count for each in ordered),
        folds=replace(shared.folds, found=tuple(map(_index, ordered))),
    )


def _index(setting: Setting) -> int:
    assert setting.folds
    return setting.folds.found[0]
