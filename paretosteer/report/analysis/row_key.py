"""Key and label of a leaderboard row: a configuration without its seed and fold."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from paretosteer.cells.cell_name import IDENTITY_LENGTH
from paretosteer.config.dotted_names import by_dotted_name

# Where and how a cell ran does not matter when methods are compared. Seeds and folds are
# replicates of a row.
_NOT_COMPARED = frozenset(
    {
        "seed",
        "benchmark.fold",
        "sweep_dir",
        "paths",
        "tracker",
        "launcher",
        "experiment",
        "device",
        "threads",
        "hydra",
    }
)

# Last parts of the names of options that hold one path or hub name.
_PATHS = frozenset({"path", "reward_model"})

# The method's files, such as adapters: other files at the same paths are another row.
_FILES = "method.files"


def configuration(config: Mapping[str, Any], files: str | None = None) -> dict[str, Any]:
    """Resolved configuration without seed, fold, paths, tracker, launcher and machine.

    A path is reduced to its last part, so that moving a file does not change the row.

    Parameters
    ----------
    config
        Configuration of a cell.
    files
        Digest of the files that the method's options name; None if they name none.

    Returns
    -------
    Values by dotted name, sorted.

    """
    compared = {name: value for name, value in config.items() if name not in _NOT_COMPARED}
    # The other settings of an engine change no figure, and records of our own loop may name none.
    section = compared.pop("engine", {})
    name = section.get("name", "native") if isinstance(section, Mapping) else section
    if name != "native":
        compared["engine"] = name
    named = {
        name: _named(name, value)
        for name, value in by_dotted_name(compared)
        if name not in _NOT_COMPARED
    }
    if files:
        named[_FILES] = files[:IDENTITY_LENGTH]
    return dict(sorted(named.items()))


def key(config: Mapping[str, Any], files: str | None = None) -> str:
    """Text that is equal if and only if two cells have the same configuration and files."""
    return json.dumps(configuration(config, files), sort_keys=True, default=str)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Options that differ between two configurations: `method.rank 8 → 4`."""
    return [
        f"{name} {before.get(name, 'unset')} → {after.get(name, 'unset')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def labels(rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[str]:
    """Unique labels for rows of a table, given as (method, variant, configuration).

    A label is `method (variant)`, followed by the engine if the rows have several, and by the
    differing options if several rows share it. The digest of the method's files is shown only
    where nothing else distinguishes the rows.
    """
    found = _labels(
        [
            (method, variant, {name: value for name, value in options.items() if name != _FILES})
            for method, variant, options in rows
        ]
    )
    return found if len(set(found)) == len(found) else _labels(rows)


def engine(options: Mapping[str, Any]) -> str:
    """Engine that wrote the samples of a row with these options."""
    return str(options.get("engine", "native"))


def _labels(rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[str]:
    names = [f"{method} ({variant})" if variant else method for method, variant, _ in rows]
    engines = [engine(options) for _, _, options in rows]
    if len(set(engines)) > 1:
        names = [f"{name} [engine={own}]" for name, own in zip(names, engines, strict=True)]
    return [
        _distinguish(
            name, own, [row[2] for other, row in zip(names, rows, strict=True) if other == name]
        )
        for name, (_, _, own) in zip(names, rows, strict=True)
    ]


def _distinguish(name: str, own: Mapping[str, Any], alike: Sequence[Mapping[str, Any]]) -> str:
    sections = sorted({option.partition(".")[0] for options in alike for option in options})
    words = [word for section in sections for word in _differing(section, own, alike)]
    return f"{name} [{', '.join(words)}]" if words else name


def _differing(
    section: str, own: Mapping[str, Any], alike: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Options in one section of the configuration in which a row differs from the others.

    Rows with different names of a section (such as the budget) are distinguished by that name;
    other options are listed only if they differ among rows with the same name.
    """
    named = f"{section}.name"
    if len({other.get(named) for other in alike}) > 1:
        yield f"{section}={own.get(named)}"
    same = [other for other in alike if other.get(named) == own.get(named)]
    for option in sorted({option for other in same for option in other}):
        values = {json.dumps(other.get(option), default=str) for other in same}
        if option.partition(".")[0] == section and len(values) > 1:
            words = _folder_words([other.get(option) for other in same])
            value = own.get(option)
            unique = words and len(set(words.values())) == len(values)
            yield words[tuple(value)] if unique and value else f"{option}={value}"


def _folder_words(lists: Sequence[Any]) -> dict[tuple[str, ...], str]:
    """Parts that distinguish each list of paths from the others; empty if they are not paths."""
    if not all(isinstance(each, list | tuple) for each in lists):
        return {}
    if not all(isinstance(path, str) for paths in lists for path in paths):
        return {}
    if len({len(each) for each in lists}) > 1:
        return {}
    by_place = list(zip(*lists, strict=True))
    return {
        tuple(own): " + ".join(
            dict.fromkeys(
                _own_part(path, paths)
                for path, paths in zip(own, by_place, strict=True)
                if len(set(paths)) > 1
            )
        )
        for own in lists
    }


def _own_part(path: str, paths: Sequence[str]) -> str:
    """A path without the parents and the last parts that it shares with all others."""
    parts = [PurePath(each).parts for each in paths]
    start = _common([*parts])
    end = _common([each[start:][::-1] for each in parts])
    own = PurePath(path).parts
    return "/".join(own[start : len(own) - end]) or own[-1]


def _common(sequences: Sequence[Sequence[str]]) -> int:
    """Number of items with which all sequences start."""
    count = 0
    for items in zip(*sequences, strict=False):
        if len(set(items)) > 1:
            break
        count += 1
    return count


def _named(name: str, value: Any) -> Any:
    """A value, of a path its last part."""
    is_path = name.rpartition(".")[2] in _PATHS and isinstance(value, str)
    return PurePath(value).name if is_path else value
