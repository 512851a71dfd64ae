"""`paretosteer list`: show registered methods, benchmarks and so on.

Methods and benchmarks are not imported. Objectives and metrics are: they describe themselves.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from functools import partial
from importlib.resources import files
from pathlib import Path, PurePosixPath
from textwrap import fill
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command, table
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.plugins import conf_files, registry
from paretosteer.runtime.terminal import output_width, printable

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands
    from paretosteer.metrics import Metric
    from paretosteer.metrics.row_metric import Column


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "list",
        "show the available methods, benchmarks, objectives and so on",
        _list,
        """paretosteer list methods
        paretosteer list methods clp
        paretosteer list experiments five_methods""",
    )
    parser.add_argument("kind", choices=sorted(_KINDS), help="what to list")
    conf_files.declare(parser)
    parser.add_argument("name", nargs="?", metavar="NAME", help="show the details of this entry")


def _list(args: argparse.Namespace) -> int:
    conf_files.use(args.config_dir)
    summaries, details = _KINDS[args.kind]
    if args.name:
        print(printable(details(args.name)))
    else:
        print(table(("name", "what it is"), list(summaries().items()), output_width()))
    return 0


def _plugins(group: registry.Group) -> dict[str, str]:
    return {name: registry.summary(group, name) for name in registry.names(group)}


def _plugin(group: registry.Group, name: str) -> str:
    from paretosteer.commands.option_rows import option_rows

    kind = registry.load(group, name)
    rows = [(row.name, row.type, row.default, row.help) for row in option_rows(kind.Options)]
    header = ("option", "type", "default", "meaning")
    shown = table(header, rows, output_width()) if rows else "no options"
    return f"{registry.summary(group, name)}\n\n{shown}"


def _objectives() -> dict[str, str]:
    """Every objective with its own description and unit; higher is always better."""
    names = registry.names("objectives")
    return {
        name: f"↑ {o.description} ({o.unit})" for name, o in registry.working("objectives", names)
    }


def _objective(name: str) -> str:
    _pick("objective", name, registry.names("objectives"))
    o = registry.load("objectives", name)
    return (
        f"{name}: {o.description}\nhigher is better\n"
        f"{o.unit}, at least {o.worst:g}\nversion {o.version}"
    )


def _metrics() -> dict[str, str]:
    """Built-in metrics, then metrics of plug-ins, with their direction."""
    from paretosteer.metrics.catalogue import METRICS

    names = [name for name in registry.names("metrics") if name not in METRICS]
    found = METRICS | dict(registry.working("metrics", names))
    return {name: _directed(metric) for name, metric in found.items()}


def _metric(name: str) -> str:
    from paretosteer.metrics.catalogue import METRICS

    _pick("metric", name, _metrics())
    metric = METRICS.get(name) or registry.load("metrics", name)
    hub = Path(str(files("paretosteer.metrics"))) / "hub" / name / f"{name}.py"
    text = f"{_described(name, metric)}\nversion {metric.version}"
    return f"{text}\n\n{registry.docstring(hub, of_class=True)}" if hub.is_file() else text


def _columns() -> dict[str, str]:
    """Columns of leaderboard.csv, in its order."""
    from paretosteer.report.columns import documented

    return {column.name: _directed(column) for column in documented()}


def _column(name: str) -> str:
    from paretosteer.report.columns import documented

    columns = {column.name: column for column in documented()}
    _pick("column", name, columns)
    column = columns[name]
    ends = f"\ninterval: {', '.join(column.names[1:])}" if column.interval else ""
    width = output_width()
    meaning = fill(column.meaning, width) if width else column.meaning
    return f"{_described(name, column)}{ends}\n\n{meaning}"


def _directed(metric: Metric | Column) -> str:
    """Summary after an arrow that points to the better values, or after spaces."""
    arrow = {"up": "↑", "down": "↓", "shown": " "}
    return f"{arrow[metric.direction]} {metric.summary}"


def _described(name: str, metric: Metric | Column) -> str:
    """Name, summary and direction of an entry."""
    better = {
        "up": "higher is better",
        "down": "lower is better",
        "shown": "no better direction",
    }
    return f"{name}: {metric.summary}\n{better[metric.direction]}"


def _experiments() -> dict[str, str]:
    """Experiments with the first comment of their files."""
    return {name: _comment(path) for name, path in _experiment_files().items()}


def _experiment(name: str) -> str:
    paths = _experiment_files()
    return paths[_pick("experiment", name, paths)].read_text(encoding="utf-8").rstrip()


def _experiment_files() -> dict[str, Path]:
    by_path = {PurePosixPath(relative): path for relative, path in conf_files.files().items()}
    return {
        relative.stem: path
        for relative, path in sorted(by_path.items())
        if relative.parts[:-1] == ("experiment",)
    }


def _comment(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    comments = (line for line in lines if line.startswith("# ") and "@package" not in line)
    return next(comments, "").removeprefix("# ")


def _pick(kind: str, name: str, names: Iterable[str]) -> str:
    if name not in names:
        closest = registry.closest if kind in ("objective", "metric") else did_you_mean
        raise UsageError(f"unknown {kind} {name!r}; {closest(name, names)}")
    return name


_KINDS: dict[str, tuple[Callable[[], dict[str, str]], Callable[[str], str]]] = {
    "methods": (partial(_plugins, "methods"), partial(_plugin, "methods")),
    "benchmarks": (partial(_plugins, "benchmarks"), partial(_plugin, "benchmarks")),
    "objectives": (_objectives, _objective),
    "metrics": (_metrics, _metric),
    "columns": (_columns, _column),
    "feedback": (partial(_plugins, "feedback"), partial(registry.description, "feedback")),
    "conditionings": (
        partial(_plugins, "conditionings"),
        partial(registry.description, "conditionings"),
    ),
    "experiments": (_experiments, _experiment),
}
