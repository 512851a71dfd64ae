"""`paretosteer report`: the leaderboard from recorded cells."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import allow_negative, command, numbers, table
from paretosteer.errors import UsageError
from paretosteer.report.published_tables import PAPERS
from paretosteer.runtime.terminal import printable

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "report",
        "write the leaderboard of recorded cells",
        _report,
        """paretosteer report results/five_methods
        paretosteer report results/seeds_0_to_4 results/seeds_5_to_9 --out results/all_seeds
        paretosteer report results/safe_rlhf --raw-reference=-12,-15
        paretosteer report results/before results/after --compare
        paretosteer report results/parm_safety --paper parm --raw-reference=-12,-15""",
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="folders of sweeps or runs"
    )
    parser.add_argument(
        "--compare",
        action="store_true",
        help="show what changed from the first DIR to the second",
    )
    parser.add_argument(
        "--raw-reference",
        metavar="A,B,…",
        help="reference point in raw units, in the order of the objectives: adds the hypervolume "
        "above it, to compare with published tables",
    )
    parser.add_argument(
        "--raw-bounds",
        metavar="A:B,…",
        help="lowest and highest raw value of each objective: adds the mean inner product between "
        "them",
    )
    parser.add_argument(
        "--paper",
        choices=PAPERS,
        help="only print the rows in the form of this paper's tables, beside its published numbers",
    )
    allow_negative(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the report (default: report/ in the first DIR, or in the second with "
        "--compare)",
    )


def _report(args: argparse.Namespace) -> int:
    if args.compare:
        return _compare(args)
    raw = args.raw_reference
    reference = None if raw is None else numbers(raw, "--raw-reference")
    if args.paper:
        return _paper(args, reference)
    from paretosteer.report import print_leaderboard, write_report
    from paretosteer.runtime.progress_bars import bars

    bounds = None if args.raw_bounds is None else _bounds(args.raw_bounds)
    with bars():
        report = write_report(
            args.folders, out=args.out, raw_reference=reference, raw_bounds=bounds
        )
    print_leaderboard(report)
    return 0


def _bounds(text: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lowest and highest values from LOW:HIGH per objective."""
    pairs = [each.split(":") for each in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise UsageError(
            f"--raw-bounds: found {text!r}; use LOW:HIGH per objective, such as -20:0,-30:5"
        )
    low, high = (",".join(pair[end] for pair in pairs) for end in (0, 1))
    return numbers(low, "--raw-bounds"), numbers(high, "--raw-bounds")


def _paper(args: argparse.Namespace, reference: Sequence[float] | None) -> int:
    if args.out or args.raw_bounds:
        raise UsageError("--paper: prints a table only; leave out --out and --raw-bounds")
    from paretosteer.report.outputs.paper_table import paper_tables

    for title, lines, remarks in paper_tables(args.folders, args.paper, reference):
        print(printable(title), table(lines[0], lines[1:]), *map(printable, remarks), sep="\n")
        print()
    return 0


def _compare(args: argparse.Namespace) -> int:
    if args.paper:
        raise UsageError("--paper: cannot be combined with --compare; give one of them")
    if len(args.folders) != 2:
        raise UsageError(
            f"--compare: needs two folders, found {len(args.folders)}; give the earlier sweep "
            "and the later one"
        )
    from paretosteer.report import print_comparison, write_comparison

    before, after = args.folders
    print_comparison(write_comparison(before, after, out=args.out))
    return 0
