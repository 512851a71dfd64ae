"""`paretosteer list`: what there is to choose from, read without importing any of it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer import registry
from paretosteer.commands.base import command, table
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.terminal import printable

if TYPE_CHECKING:
    from paretosteer.commands.base import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "list",
        "show the methods, benchmarks, metrics or experiments there are",
        _list,
        """paretosteer list methods
        paretosteer list methods clp
        paretosteer list experiments five_methods""",
    )
    parser.add_argument("kind", choices=sorted(_KINDS), help="what to list")
    parser.add_argument("name", nargs="?", metavar="NAME", help="show this one in full")


def _list(args: argparse.Namespace) -> int:
    summaries, details = _KINDS[args.kind]
    if args.name:
        print(printable(details(args.name)))
    else:
        print(table(("name", "what it is"), list(summaries().items())))
    return 0


def _plugins(group: registry.Group) -> dict[str, str]:
    return {name: registry.summary(group, name) for name in registry.names(group)}


def _plugin(group: registry.Group, name: str) -> str:
    from paretosteer.options import describe

    kind = registry.load(group, name)
    rows = [(row.name, row.type, row.default, row.help) for row in describe(kind.Options)]
    shown = table(("option", "type", "default", "meaning"), rows) if rows else "no options"
    return f"{registry.summary(group, name)}\n\n{shown}"


def _metrics() -> dict[str, str]:
    from paretosteer.metrics.catalogue import METRICS

    arrow = {"up": "↑", "down": "↓", "shown": "–"}
    return {name: f"{arrow[metric.direction]} {metric.summary}" for name, metric in METRICS.items()}


def _metric(name: str) -> str:
    from paretosteer.metrics.catalogue import METRICS

    metric = METRICS[_pick("metric", name, METRICS)]
    hub = Path(str(files("paretosteer.metrics"))) / "hub" / name / f"{name}.py"
    told = f"{_metrics()[name]}\nversion {metric.version}"
    return f"{told}\n\n{registry.docstring(hub, of_class=True)}" if hub.is_file() else told


def _experiments() -> dict[str, str]:
    """Each experiment with the first comment of its file."""
    return {name: _comment(path) for name, path in _experiment_files().items()}


def _experiment(name: str) -> str:
    known = _experiment_files()
    return known[_pick("experiment", name, known)].read_text(encoding="utf-8").rstrip()


def _experiment_files() -> dict[str, Path]:
    folder = Path(str(files("paretosteer.conf"))) / "experiment"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _comment(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    told = (line for line in lines if line.startswith("# ") and "@package" not in line)
    return next(told, "").removeprefix("# ")


def _pick(kind: str, name: str, known: Iterable[str]) -> str:
    if name not in known:
        raise UsageError(f"{name!r} is no {kind}; {did_you_mean(name, known)}")
    return name


_KINDS: dict[str, tuple[Callable[[], dict[str, str]], Callable[[str], str]]] = {
    "methods": (partial(_plugins, "methods"), partial(_plugin, "methods")),
    "benchmarks": (partial(_plugins, "benchmarks"), partial(_plugin, "benchmarks")),
    "metrics": (_metrics, _metric),
    "experiments": (_experiments, _experiment),
}
