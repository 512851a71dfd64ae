"""`paretosteer export-wandb`: send finished cells to Weights & Biases."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command, quiet
from paretosteer.errors import UsageError
from paretosteer.runtime.terminal import line

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands
    from paretosteer.config.schema import WandbTracking

_RESERVED = "/\\#?%:"  # characters that wandb forbids in names of projects


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "export-wandb",
        "send finished cells and their report to Weights & Biases; repeating it updates the runs",
        _export,
        """paretosteer export-wandb results/five_methods
        wandb sync results/five_methods/wandb
        paretosteer export-wandb results/five_methods --mode online --entity me --dashboard""",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of a sweep or run")
    parser.add_argument(
        "--project", default="paretosteer", metavar="P", help="wandb project (default: paretosteer)"
    )
    parser.add_argument("--entity", metavar="E", help="wandb user or team (default: the account's)")
    parser.add_argument("--group", metavar="G", help="group of the runs (default: the name of DIR)")
    parser.add_argument(
        "--mode",
        choices=("offline", "online"),
        default="offline",
        help="offline (default): write to DIR/wandb, for `wandb sync`; online: send at once",
    )
    parser.add_argument(
        "--dashboard",
        action="store_true",
        help="also make a workspace with fronts, metrics and curves: DIR/wandb/dashboard.json, or "
        "with --mode online a new saved view (requires --entity)",
    )


def _export(args: argparse.Namespace) -> int:
    quiet()
    settings = _settings(args)
    from paretosteer.tracking.replay import replay

    dashboard = _dashboard(args) if args.dashboard else None
    done = 0
    for outcome in replay(args.folder, settings):
        done += not outcome.skipped
        skipped = f"skipped: {outcome.cell.path}: {outcome.skipped}"
        exported = f"exported: {outcome.cell.path}"
        print(line(skipped if outcome.skipped else exported), flush=True)
    if dashboard:
        dashboard()
    written = args.folder / "wandb"
    if args.mode == "offline":
        print(
            line(
                f"{done} cells and the report are in {written}; to send them: wandb sync {written}"
            )
        )
    else:
        print(line(f"{done} cells and the report were sent to project {args.project}"))
    return 0


def _dashboard(args: argparse.Namespace) -> Callable[[], None]:
    """Return a function that makes the dashboard after the upload; check its inputs right away."""
    if args.mode == "online" and not args.entity:
        raise UsageError("--entity: required with --dashboard --mode online; pass a user or team")
    from paretosteer.cells.cell import find_cells
    from paretosteer.tracking.dashboard import workspace, write_specification
    from paretosteer.tracking.replay import refusals

    group = args.group or args.folder.resolve().name
    space = workspace(find_cells(args.folder), args.project, group, args.entity or "")

    def make() -> None:
        if args.mode == "offline":
            write_specification(space, args.folder / "wandb" / "dashboard.json")
        else:
            with refusals():
                space.save()

    return make


def _settings(args: argparse.Namespace) -> WandbTracking:
    if not args.project or set(args.project) & set(_RESERVED):
        raise UsageError(
            f"--project: found {args.project!r}; use a name without any of {_RESERVED}"
        )
    from paretosteer.config.schema import WandbTracking

    return WandbTracking(
        name="wandb",
        project=args.project,
        entity=args.entity,
        group=args.group,
        mode=args.mode,
    )
