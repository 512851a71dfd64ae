"""`paretosteer score`: compute the metrics of points from a CSV file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import allow_negative, command, numbers

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "score",
        "compute the metrics of points from a CSV file",
        _score,
        """paretosteer score points.csv --reference -2,-2
        paretosteer score points.csv --reference=0,0,10 --minimise latency --json""",
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE.csv",
        help="columns: method, optionally seed, w_<objective> per weight, and each objective",
    )
    parser.add_argument(
        "--reference",
        required=True,
        metavar="A,B,…",
        help="reference point of the hypervolume, in the order of the objective columns",
    )
    allow_negative(parser)
    parser.add_argument(
        "--minimise",
        "--minimize",
        action="append",
        default=[],
        metavar="NAME",
        help="objective to minimise; flips the column and its reference (repeatable)",
    )
    parser.add_argument("--json", action="store_true", help="print the table as JSON")


def _score(args: argparse.Namespace) -> int:
    reference = numbers(args.reference, "--reference")
    from paretosteer.report import print_leaderboard
    from paretosteer.report.outputs.score_csv import score_csv

    report = score_csv(args.file, reference, args.minimise)
    if args.json:
        print(report.to_json(orient="records", indent=1))
    else:
        print_leaderboard(report)
    return 0
