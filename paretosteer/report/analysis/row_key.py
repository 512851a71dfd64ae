"""A configuration without its seed and fold: what one leaderboard row is, and what to call it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any

# Where and how a cell ran, none of which is asked about when methods are compared. Folds are
# replicates, as seeds are.
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


def configuration(config: Mapping[str, Any]) -> dict[str, Any]:
    """A cell's resolved configuration without seed, fold, paths, tracker, launcher and machine.

    A file or folder counts by its last name, wherever it lay.

    Returns
    -------
    Dotted names → values, sorted.
    """
    kept = {name: value for name, value in config.items() if name not in _NOT_COMPARED}
    return dict(sorted(pair for pair in _flatten(kept) if pair[0] not in _NOT_COMPARED))


def key(config: Mapping[str, Any]) -> str:
    """Text that is equal exactly when two cells have the same configuration."""
    return json.dumps(configuration(config), sort_keys=True, default=str)


def labels(rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> list[str]:
    """Names for (method, variant, configuration) of one table's rows, no two alike.

    `method (variant)`; rows that share it also get the options in which they differ.
    """
    names = [f"{method} ({variant})" if variant else method for method, variant, _ in rows]
    return [
        _tell_apart(name, rows[place][2], [rows[i][2] for i in _places(names, name)])
        for place, name in enumerate(names)
    ]


def _places(names: Sequence[str], name: str) -> list[int]:
    return [place for place, other in enumerate(names) if other == name]


def _tell_apart(name: str, own: Mapping[str, Any], alike: Sequence[Mapping[str, Any]]) -> str:
    sections = sorted({option.partition(".")[0] for options in alike for option in options})
    told = [word for section in sections for word in _differing(section, own, alike)]
    return f"{name} [{', '.join(told)}]" if told else name


def _differing(
    section: str, own: Mapping[str, Any], alike: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """What is a row's own in one section of the configuration.

    A section with another name, such as a budget, is told by that name alone, and only further
    options among the rows that share it.
    """
    named = f"{section}.name"
    if len({other.get(named) for other in alike}) > 1:
        yield f"{section}={own.get(named)}"
    same = [other for other in alike if other.get(named) == own.get(named)]
    for option in sorted({option for other in same for option in other}):
        values = {json.dumps(other.get(option), default=str) for other in same}
        if option.partition(".")[0] == section and len(values) > 1:
            yield f"{option}={own.get(option)}"


def _flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            named = name == "path" and isinstance(value, str)
            yield f"{prefix}{name}", PurePath(value).name if named else value
