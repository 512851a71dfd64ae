"""Tables of the reference that follow from the code: `make generated` writes them into the pages.

The lines between `<!-- generated: options clp -->` and `<!-- end of generated -->` are the table of
that name, so nothing that a class, a parser or a schema says is written twice. The pages are
committed with their tables, which makes them readable without the site.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from math import isfinite
from pathlib import Path
from textwrap import fill
from typing import Any

from paretosteer.config.options import NO_EFFECT
from paretosteer.runtime.terminal import enumerated

_DOCS = Path(__file__).parent
_CONF = _DOCS.parent / "conf"
_WIDTH = 110  # of lines of text
_KEY = re.compile(r"^( *)([a-z_]+):(?: +([^#]+?))?(?: +# (.*))?$")
_BLOCK = re.compile(
    r"<!-- generated: (\w+)((?: \S+)*) -->\n.*?<!-- end of generated -->", flags=re.DOTALL
)
_CODE = re.compile(r"(`[^`]+`)")
_LAUNCHER = re.compile(r"^  launcher:\n(?:    .*\n?)+", flags=re.MULTILINE)
_CHOICES = re.compile(r"\S+(?: \| \S+)+")


def pages() -> list[Path]:
    """Every page of the documentation."""
    return sorted(_DOCS.rglob("*.md"))


def regenerated(text: str) -> str:
    """Text of a page with its tables as the code has them now."""

    def block(mark: re.Match[str]) -> str:
        table = _TABLES[mark[1]](*mark[2].split()).strip()
        opening = mark[0].partition("\n")[0]
        return f"{opening}\n\n{table}\n\n<!-- end of generated -->"

    return _BLOCK.sub(block, text)


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: Any) -> str:
    """Text of a table's cell, which neither GitHub nor MkDocs reads as markup.

    A bar ends a cell on GitHub even in code, where MkDocs would print the backslash before it.
    """
    plain = _CHOICES.sub(lambda each: enumerated(each[0].split(" | "), "or"), str(value))
    parts = _CODE.split(plain.replace("\n", " "))
    parts[::2] = [part.replace("|", "\\|").replace("<", "&lt;") for part in parts[::2]]
    assert not any("|" in code for code in parts[1::2]), value
    return "".join(parts)


def _options(group: Any, name: str) -> str:
    """Options of a method or benchmark; those that trained methods share are named and linked."""
    from paretosteer.commands.option_rows import option_rows
    from paretosteer.method import TrainingOptions
    from paretosteer.plugins import registry

    common = [*option_rows(TrainingOptions), *_training_rows()]
    rows = option_rows(registry.load(group, name).Options)
    own = [row for row in rows if row not in common and not row.help.endswith(NO_EFFECT)]
    shared = [f"`{row.name}`" for row in rows if row in common]
    if not shared:
        return _option_table(own)
    link = "[training options](../methods.md#training-options)"
    named = fill(f"The shared {link} here are {enumerated(shared, 'and')}.", _WIDTH)
    return "\n\n".join([_option_table(own), named] if own else [named])


def _training_options() -> str:
    return _option_table(_training_rows())


def _training_rows() -> list[Any]:
    """Training options as methods have them whose `feedback` is an option."""
    from paretosteer.commands.option_rows import option_rows
    from paretosteer.method import TrainingOptions
    from paretosteer.plugins import registry

    options = registry.load("methods", "rewarded_soup").Options
    return [row for row in option_rows(options) if row.name in TrainingOptions.model_fields]


def _option_table(rows: Sequence[Any]) -> str:
    cells = [
        (f"`{row.name}`", _choices(row.type), f"`{row.default}`" if row.default else "", row.help)
        for row in rows
    ]
    return _table(("Option", "Type", "Default", "Meaning"), cells) if cells else "No options."


def _choices(written: str) -> str:
    """`full`, `attention` or `null`."""
    return enumerated((f"`{each}`" for each in written.split(" | ")), "or")


def _columns() -> str:
    from paretosteer.report.columns import documented

    rows = [
        (f"`{each.name}`", _ARROWS[each.direction], "yes" if each.interval else "", each.meaning)
        for each in documented()
    ]
    return _table(("Column", "Better", "Interval", "Meaning"), rows)


def _metrics() -> str:
    from paretosteer.metrics.catalogue import METRICS

    rows = [
        (f"`{each.name}`", _ARROWS[each.direction], each.version, each.summary)
        for each in METRICS.values()
    ]
    return _table(("Metric", "Better", "Version", "In one line"), rows)


def _row_inputs() -> str:
    from paretosteer.metrics.row_metric import ROW_INPUTS

    rows = [(f"`{name}`", meaning) for name, meaning in ROW_INPUTS.items()]
    return _table(("Input", "Shape and meaning"), rows)


def _row_metrics() -> str:
    """Every metric of the leaderboard, with its inputs and range."""
    from paretosteer.metrics.leaderboard import ROW_METRICS

    parts = []
    for metric in ROW_METRICS:
        facts = [
            {"up": "Higher is better", "down": "Lower is better", "shown": "Shown only"}[
                metric.direction
            ],
            *_bounds(metric),
            f"inputs: {', '.join(metric.needs)}" if metric.function else "from the bootstrap",
            *([_INTERVALS[metric.interval]] if metric.interval else []),
            f"version {metric.version}",
        ]
        parts.append(f"### `{metric.name}`\n\n{metric.meaning}\n\n*{'; '.join(facts)}.*")
    return "\n\n".join(parts)


_INTERVALS = {
    "reflected": "reflected bootstrap interval",
    "symmetric": "symmetric bootstrap interval",
    "percentile": "percentile bootstrap interval",
    "pairs": "interval from pairs of points",
    "cross_fit": "interval from cross-fitting",
}


def _bounds(metric: Any) -> list[str]:
    """Range of a metric in words; empty where it is unbounded or unstated."""
    low, high = metric.bounds
    ends = [f"{end:g}".replace("-", "−") for end in (low, high)]
    if isfinite(low) and isfinite(high):
        return [f"from {ends[0]} to {ends[1]}"]
    # Estimates by cross-fitting may leave the range.
    true = "true value " if metric.interval == "cross_fit" else ""
    return [f"{true}at least {ends[0]}"] if isfinite(low) else []


def _metric_functions() -> str:
    """Every public function of `paretosteer.metrics`."""
    from paretosteer import metrics

    functions = [name for name in sorted(dir(metrics)) if name[0].islower()]
    return _api(*(f"paretosteer.metrics.{x}" for x in functions if callable(getattr(metrics, x))))


def _configuration(file: str) -> str:
    """Keys of a file of `conf`, with their defaults and comments."""
    return _table(("Key", "Default", "Meaning"), _keys(file))


def _group(group: str) -> str:
    """Keys of all choices of a group of `conf` which their files explain."""
    parts = []
    for path in sorted((_CONF / group).glob("*.yaml")):
        parts.append(fill(f"**`{group}={path.stem}`**: {_opening(path)}", _WIDTH))
        keys = _keys(f"{group}/{path.name}")
        if rows := [row for row in keys if row[2] and not row[0].endswith(".name`")]:
            parts.append(_table(("Key", "Default", "Meaning"), rows))
    return "\n\n".join(parts)


def _launchers() -> str:
    """Launchers, each with the section `hydra.launcher` of its file."""
    parts = []
    for path in sorted((_CONF / "launcher").glob("*.yaml")):
        parts.append(fill(f"**`launcher={path.stem}`**: {_opening(path)}", _WIDTH))
        if settings := _LAUNCHER.search(path.read_text(encoding="utf-8")):
            parts.append(f"```yaml\nhydra:\n{settings[0].rstrip()}\n```")
    return "\n\n".join(parts)


def _opening(path: Path) -> str:
    """First paragraph of the comment at the top of a file of `conf`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comment = takewhile(lambda line: line.startswith("# "), lines[lines[0].startswith("# @") :])
    return " ".join(line.removeprefix("# ") for line in comment)


def _budgets() -> str:
    """Keys of the budgets side by side."""
    names = ("smoke", "quick", "full")
    columns = [list(_keys(f"budget/{name}.yaml")) for name in names]
    rows = [
        (key, *(column[place][1] for column in columns), meaning)
        for place, (key, _, meaning) in enumerate(columns[0])
        if not key.endswith(".name`")
    ]
    return _table(("Key", *(f"`{name}`" for name in names), "Meaning"), rows)


def _training_defaults() -> str:
    """Steps of each budget and defaults of training for each benchmark with its usual options."""
    from paretosteer.plugins import registry

    budgets, keys = ("smoke", "quick", "full"), ("learning_rate", "kappa", "beta_dpo", "list_size")
    rows = []
    for name in registry.names("benchmarks"):
        kind = registry.load("benchmarks", name)
        for given in _VARIANTS.get(name, [{}]):
            own = kind.training_defaults(kind.Options.model_construct(**given))
            words = [f"`benchmark={name}`"]
            words += [f"`benchmark.{key}={value}`" for key, value in given.items()]
            values = [*(kind.steps[budget] for budget in budgets), *map(own.get, keys)]
            shown = ["–" if value is None else f"{value:,}" for value in values]
            rows.append((" ".join(words), *shown))
    header = [*(f"Steps, `{name}`" for name in budgets), *(f"`method.{key}`" for key in keys)]
    return _table(("Benchmark", *header), rows)


# Options that change a benchmark's defaults.
_VARIANTS = {"bandit": [{"policy": "tabular"}, {"policy": "mlp"}]}


def _experiments() -> str:
    """Experiments of `conf`, each with the comment at the top of its file."""
    paths = sorted((_CONF / "experiment").glob("*.yaml"))
    rows = [(f"`experiment={path.stem}`", _opening(path)) for path in paths]
    return _table(("Experiment", "Content"), rows)


def _keys(file: str) -> Iterator[tuple[str, str, str]]:
    """Keys, defaults and comments of a YAML file; Hydra's own sections are left out."""
    group = "" if file == "config.yaml" else f"{file.partition('/')[0]}."
    section, above = "", ""
    for line in (_CONF / file).read_text(encoding="utf-8").splitlines()[1:]:
        if line.startswith("# "):
            above = f"{above} {line[2:]}".strip()
            continue
        key = _KEY.match(line)
        if not key:
            continue
        indent, name, value, comment = key.groups()
        if not indent:
            section = f"{name}." if value is None else ""
        hydras = name in ("defaults", "hydra") or section in ("defaults.", "hydra.")
        if value is not None and not hydras:
            place = f"{group}{section if indent else ''}{name}"
            yield f"`{place}`", f"`{value}`", f"{above} {comment or ''}".strip()
        above = ""


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
            (
                f"`{', '.join(each.option_strings) or each.metavar or each.dest}`",
                command._get_formatter()._expand_help(each),  # "%%" is a percent sign
            )
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


def _api(*paths: str) -> str:
    """Public names with the first line of their docstrings; the site adds the whole of each."""
    rows, marks = [], []
    for path in paths:
        package, _, name = path.rpartition(".")
        found = getattr(importlib.import_module(package), name)
        rows.append((f"`{name}`", (inspect.getdoc(found) or "").partition("\n")[0]))
        marks.append(f"<!-- api: {path} -->")
    return "\n\n".join([_table(("Name", "In one line"), rows), *marks])


_ARROWS = {"up": "↑", "down": "↓", "shown": "–"}
_TABLES: dict[str, Callable[..., str]] = {
    "options": lambda name: _options("methods", name),
    "benchmark_options": lambda name: _options("benchmarks", name),
    "training_options": _training_options,
    "columns": _columns,
    "metrics": _metrics,
    "row_metrics": _row_metrics,
    "row_inputs": _row_inputs,
    "metric_functions": _metric_functions,
    "configuration": _configuration,
    "group": _group,
    "launchers": _launchers,
    "budgets": _budgets,
    "training_defaults": _training_defaults,
    "experiments": _experiments,
    "commands": _commands,
    "record": _record,
    "api": _api,
}


if __name__ == "__main__":
    for page in pages():
        page.write_text(regenerated(page.read_text(encoding="utf-8")), encoding="utf-8")
