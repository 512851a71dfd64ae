"""`paretosteer doctor`: what this machine is, and what would make a run slow or fail."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command, quiet
from paretosteer.runtime.terminal import printable

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
    quiet()
    from paretosteer.doctor import examine

    findings = []
    for finding in examine(args.sweep_dir):
        findings.append(finding)
        if not args.json:
            print(printable(finding.line), flush=True)
    if args.json:
        print(json.dumps([finding.as_dict() for finding in findings], indent=1))
    return 1 if any(finding.level == "fail" for finding in findings) else 0
