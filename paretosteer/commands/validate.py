"""`paretosteer validate`: which cells can be trusted, and why not."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command, quiet
from paretosteer.runtime.terminal import line

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands
    from paretosteer.validation.verdict import Verdict


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "validate",
        "check every record, its files and its report; exits 1 if anything is not to be trusted, "
        "or nothing has a result",
        _validate,
        """paretosteer validate results/five_methods
        paretosteer validate results/five_methods --json > verdicts.json""",
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="where sweeps and runs wrote"
    )
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")


def _validate(args: argparse.Namespace) -> int:
    quiet()
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
    kinds = {kind: [each for each in verdicts if each.kind == kind] for kind in ("cell", "report")}
    return "; ".join(
        f"{len(each)} {kind}{'s' * (len(each) != 1)}: {_words(each)}"
        for kind, each in kinds.items()
        if each
    )


def _words(verdicts: list[Verdict]) -> str:
    counts = Counter(each.word for each in verdicts)
    noted = sum(each.word == "trusted" and bool(each.notes) for each in verdicts)
    words = {word: f"{count} {word}" for word, count in counts.items()}
    if noted:
        words["trusted"] += f" ({noted} with notes)"
    order = ("trusted", "not trusted", "no result")
    return ", ".join(words[word] for word in order if word in words)
