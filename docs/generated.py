"""Hook of MkDocs: tables of the reference that follow from the code.

A line `{{ options clp }}` of a page becomes the table of that name, so nothing that a class, a
parser or a schema says is written twice.
"""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

_MARK = re.compile(r"^\{\{ (\w+)(?: (\S+))? \}\}$", flags=re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace every mark of a page by its table."""
    return _MARK.sub(lambda mark: _TABLES[mark[1]](*filter(None, [mark[2]])), markdown)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: Any) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _options(group: Any, name: str) -> str:
    from paretosteer.config.options import describe
    from paretosteer.plugins import registry

    rows = [
        (f"`{row.name}`", f"`{row.type}`", f"`{row.default}`", row.help)
        for row in describe(registry.load(group, name).Options)
    ]
    return _table(("Option", "Type", "Default", "Meaning"), rows) if rows else "No options."


def _columns() -> str:
    from paretosteer.report.columns import BUILT_IN, CONTRACT

    first = {name: place for place, name in enumerate(CONTRACT)}
    declared = sorted(BUILT_IN, key=lambda each: first.get(each.name, len(first)))
    rows = [
        (f"`{each.name}`", _ARROWS[each.direction], "yes" if each.interval else "", each.meaning)
        for each in declared
    ]
    return _table(("Column", "Better", "Interval", "Meaning"), rows)


def _metrics() -> str:
    from paretosteer.metrics.catalogue import METRICS

    rows = [(f"`{each.name}`", _ARROWS[each.direction], each.summary) for each in METRICS.values()]
    return _table(("Metric", "Better", "In one line"), rows)


def _commands() -> str:
    from paretosteer.commands.main import parser

    (commands,) = (
        action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    parts = []
    for name, command in commands.choices.items():
        parts.append(
            f"## {name}\n\n{command.description}\n\n```text\n{command.format_usage()}```\n"
        )
        rows = [
            (f"`{', '.join(each.option_strings) or each.metavar or each.dest}`", each.help)
            for each in command._actions
            if each.dest != "help" and each.help != argparse.SUPPRESS
        ]
        parts.append(_table(("Argument", "Meaning"), rows) + "\n")
        _, _, examples = (command.epilog or "").partition("examples:\n")
        lines = "\n".join(line.strip() for line in examples.splitlines())
        parts.append(f"```bash\n{lines}\n```\n")
    return "\n".join(parts)


def _record() -> str:
    from paretosteer.cells.record import RECORDS

    definitions = RECORDS.json_schema()["$defs"]
    parts = []
    for name, definition in definitions.items():
        if "properties" not in definition:
            continue
        rows = [
            (f"`{key}`", _schema_type(value), value.get("description", ""))
            for key, value in definition["properties"].items()
        ]
        parts.append(f"## {name}\n\n{definition.get('description', '')}\n\n")
        parts.append(_table(("Field", "Type", "Meaning"), rows) + "\n\n")
    return "".join(parts)


def _schema_type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return value["$ref"].rpartition("/")[2]
    if "anyOf" in value:
        return " or ".join(_schema_type(each) for each in value["anyOf"])
    if "const" in value:
        return f"`{value['const']}`"
    if value.get("type") == "array":
        return f"array of {_schema_type(value['items'])}" if "items" in value else "array"
    return str(value.get("type", "any"))


def _api(path: str) -> str:
    """Documentation of a public name by mkdocstrings, which has to be told where it is defined."""
    package, _, name = path.rpartition(".")
    defined = getattr(importlib.import_module(package), name)
    place = f"{defined.__module__}.{defined.__qualname__}"
    return f"::: {place}\n    options:\n      heading: {path}\n"


_ARROWS = {"up": "↑", "down": "↓", "shown": "–"}
_TABLES: dict[str, Callable[..., str]] = {
    "options": lambda name: _options("methods", name),
    "benchmark_options": lambda name: _options("benchmarks", name),
    "columns": _columns,
    "metrics": _metrics,
    "commands": _commands,
    "record": _record,
    "api": _api,
}
