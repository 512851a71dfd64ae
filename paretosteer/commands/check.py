"""`paretosteer check`: conformance of a method or a benchmark, one line per finding."""

from __future__ import annotations

import argparse
from collections import Counter
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command
from paretosteer.findings import print_findings
from paretosteer.runtime.terminal import plural

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "check",
        "check that a method or benchmark meets its contract; exits 1 if there is a fault",
        _check,
        """paretosteer check method rewarded_soup
        paretosteer check method cos_dpo method.condition=none benchmark=ranking
        paretosteer check method sharp_soup --plugin sharp_soup.py
        paretosteer check benchmark stories model=hf model.path=path/to/folder --json""",
    )
    parser.add_argument("kind", choices=("method", "benchmark"), help="what to check")
    parser.add_argument("name", metavar="NAME", help="a registered name, see `paretosteer list`")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="settings as in `paretosteer run`; by default a method is checked on the bandit, and "
        "the budget is smoke",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def _check(args: argparse.Namespace) -> int:
    from paretosteer.conformance import check_benchmark, check_method

    check = check_method if args.kind == "method" else check_benchmark
    findings = check(args.name, *args.overrides)
    code = print_findings(findings, args.json)
    if not args.json:
        counts = Counter(finding.severity for finding in findings)
        ends = [plural(counts[each], each) for each in ("note", "fault") if counts[each]]
        print(", ".join([f"{counts['ok']} passed", *ends]))
    return code
