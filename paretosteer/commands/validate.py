"""`paretosteer validate`: check records, files and reports of cells."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command
from paretosteer.runtime.terminal import line, plural

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands
    from paretosteer.validation.verdict import Verdict


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "validate",
        "check every record, its files and its report; exits 1 if anything is not trusted, or if "
        "nothing has a result",
        _validate,
        """paretosteer validate results/five_methods
        paretosteer validate results/five_methods --json > verdicts.json""",
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="folder of a sweep or run"
    )
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")


def _validate(args: argparse.Namespace) -> int:
    from paretosteer.validation import validate

    verdicts = []
    for verdict in chain.from_iterable(map(validate, args.folders)):
        verdicts.append(verdict)
        if not args.json:
            print(line(f"{verdict.path}: {verdict.line}"), flush=True)
    if args.json:
        print(json.dumps([verdict.as_dict() for verdict in verdicts], indent=1))
    else:
        print(_counts(verdicts))
    words = {verdict.word for verdict in verdicts}
    return 0 if "trusted" in words and "not trusted" not in words else 1


def _counts(verdicts: list[Verdict]) -> str:
    """`12 cells: 10 trusted (2 with notes), 1 not trusted, 1 no result; 1 report: 1 trusted`."""
    kinds = {kind: [v for v in verdicts if v.kind == kind] for kind in ("cell", "report")}
    return "; ".join(
        f"{plural(len(of_kind), kind)}: {_words(of_kind)}"
        for kind, of_kind in kinds.items()
        if of_kind
    )


def _words(verdicts: list[Verdict]) -> str:
    counts = Counter(verdict.word for verdict in verdicts)
    noted = sum(verdict.word == "trusted" and bool(verdict.notes) for verdict in verdicts)
    words = {word: f"{count} {word}" for word, count in counts.items()}
    if noted:
        words["trusted"] += f" ({noted} with notes)"
    order = ("trusted", "not trusted", "no result")
    return ", ".join(words[word] for word in order if word in words)
