"""`paretosteer doctor`: versions and devices, and what would make a run slow or fail."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command
from paretosteer.findings import print_findings

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "doctor",
        "show versions, devices, threads, cache, and what would make a run slow or fail; exits 1 "
        "if something would fail",
        _doctor,
        """paretosteer doctor
        paretosteer doctor --sweep-dir /scratch/me/results --json""",
    )
    parser.add_argument(
        "--sweep-dir",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="where sweeps will write (default: results)",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def _doctor(args: argparse.Namespace) -> int:
    from paretosteer.doctor import examine

    return print_findings(examine(args.sweep_dir), args.json)
