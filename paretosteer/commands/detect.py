"""`paretosteer plan`: seeds and prompts that a comparison needs, from recorded cells."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command, table

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands

_MOST = 30  # pairs listed


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "plan",
        "estimate the seeds and prompts that a comparison needs, from recorded cells",
        _plan,
        """paretosteer plan results/pilot --detect 0.3""",
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="folders of sweeps or runs"
    )
    parser.add_argument(
        "--detect",
        required=True,
        type=float,
        metavar="D",
        help="difference in hypervolume to detect, with 80 %% power at the 5 %% level",
    )


def _plan(args: argparse.Namespace) -> int:
    from paretosteer.report.analysis.plan_pairs import plan_pairs, summary

    planned = plan_pairs(args.folders, args.detect)
    header = ["table", "rows", "seeds", "prompts", "detects", "needs seeds", "or prompts"]
    rows = [
        [
            each.table,
            f"{each.a} and {each.b}",
            each.seeds,
            each.prompts,
            f"{each.smallest:.3g}",
            each.more_seeds or "too many",
            each.more_prompts or "too many",
        ]
        for each in planned[:_MOST]
    ]
    print(table(header, rows))
    if len(planned) > _MOST:
        print(f"and {len(planned) - _MOST} more pairs")
    print(summary(planned, args.detect))
    return 0
