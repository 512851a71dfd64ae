"""`paretosteer check`: does a method or a benchmark keep its promises? One line per finding."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command, quiet
from paretosteer.runtime.terminal import printable

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "check",
        "test that a method or a benchmark conforms; exits 1 if there is a fault",
        _check,
        """paretosteer check method rewarded_soup
        paretosteer check method cos_dpo method.condition=none benchmark=ranking
        paretosteer check benchmark stories model=hf model.path=path/to/folder --json""",
    )
    parser.add_argument("kind", choices=("method", "benchmark"), help="what to check")
    parser.add_argument("name", metavar="NAME", help="a registered name, see `paretosteer list`")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="settings as in `paretosteer run`; a method is checked on the bandit unless they name "
        "a benchmark, and the budget is smoke",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def _check(args: argparse.Namespace) -> int:
    quiet()
    from paretosteer.conformance import check_benchmark, check_method, faults

    check = check_method if args.kind == "method" else check_benchmark
    found = check(args.name, *args.overrides)
    if args.json:
        print(json.dumps([asdict(finding) for finding in found], indent=1))
    else:
        print(printable("\n".join(map(str, found))))
    return 1 if faults(found) else 0
