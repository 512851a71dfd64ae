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
        paretosteer score points.csv --reference=0,0,10 --minimise latency --json
        paretosteer score front.csv --reference 0,0 --objectives helpful,harmless""",
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE.csv",
        help="columns: method, optionally seed, one per objective, and w_<objective> for the "
        "weight of each; without weights, only metrics that need none",
    )
    parser.add_argument(
        "--reference",
        required=True,
        metavar="A,B,…",
        help="reference point of the hypervolume, in the order of --objectives or of the columns",
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
    parser.add_argument(
        "--objectives",
        metavar="A,B,…",
        help="columns that are objectives (default: those with a weight, or all numeric columns)",
    )
    parser.add_argument("--json", action="store_true", help="print the table as JSON")


def _score(args: argparse.Namespace) -> int:
    reference = numbers(args.reference, "--reference")
    objectives = args.objectives.split(",") if args.objectives else []
    from paretosteer.report.outputs.print_scores import print_scores
    from paretosteer.report.outputs.score_csv import score_csv, score_json

    frame = score_csv(args.file, reference, args.minimise, objectives)
    if args.json:
        print(score_json(frame))
    else:
        print_scores(frame)
    return 0
