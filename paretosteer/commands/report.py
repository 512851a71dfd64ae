"""`paretosteer report`: the leaderboard from recorded cells."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.base import command, quiet

if TYPE_CHECKING:
    from paretosteer.commands.base import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "report",
        "make the leaderboard from recorded cells, whoever ran them",
        _report,
        """paretosteer report results/five_methods
        paretosteer report results/seeds_0_to_4 results/seeds_5_to_9 --out results/all_seeds""",
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="where sweeps and runs wrote"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where the report goes (default: report/ in DIR)"
    )


def _report(args: argparse.Namespace) -> int:
    quiet()
    from paretosteer.report import print_leaderboard, write_report

    print_leaderboard(write_report(args.folders, out=args.out))
    return 0
