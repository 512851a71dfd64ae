"""Pooling of cross-validation folds: their settings are merged into one table's setting."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from paretosteer.report.analysis.comparable import Setting, distinctions, numbered


class Pooled(NamedTuple):
    """Result of pooling."""

    settings: Mapping[Setting, Setting]  # a cell's own setting: the table's
    remarks: Mapping[Setting, str]  # by table's setting: why folds are not pooled


def pool(found: Iterable[Setting]) -> Pooled:
    """Merge the settings of the folds of a family.

    If cells of the same fold differ in start model, normaliser or test prompts, they are not
    comparable, and the family is not pooled.
    """
    settings: dict[Setting, Setting] = {}
    families: dict[Setting, list[Setting]] = {}
    for setting in found:
        if setting not in settings:
            settings[setting] = setting
            if setting.folds:
                families.setdefault(setting.shared(), []).append(setting)
    remarks: dict[Setting, str] = {}
    for shared, members in families.items():
        if clash := _clash(members):
            remarks |= dict.fromkeys(members, clash)
        else:
            settings |= dict.fromkeys(members, _merge(shared, members))
    return Pooled(settings, remarks)


def _clash(members: Sequence[Setting]) -> str:
    """Reason why the folds cannot be pooled, or an empty string."""
    for index in sorted({_index(each) for each in members}):
        same = [each for each in members if _index(each) == index]
        if len(same) > 1:
            return (
                f"Folds are not pooled: cells of {numbered('fold', [index])} differ in "
                f"{', '.join(distinctions(same)[0])}. Run them again, or report them separately."
            )
    return ""


def _merge(shared: Setting, members: Sequence[Setting]) -> Setting:
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
