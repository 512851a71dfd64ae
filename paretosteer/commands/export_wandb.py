"""`paretosteer export-wandb`: finished cells into Weights & Biases, afterwards."""

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

_RESERVED = "/\\#?%:"  # as wandb has it


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "export-wandb",
        "send finished cells and their report to Weights & Biases; again updates the same runs",
        _export,
        """paretosteer export-wandb results/five_methods
        wandb sync results/five_methods/wandb
        paretosteer export-wandb results/five_methods --mode online --entity me --dashboard""",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="where a sweep or run wrote")
    parser.add_argument(
        "--project", default="paretosteer", metavar="P", help="(default: paretosteer)"
    )
    parser.add_argument("--entity", metavar="E", help="(default: the account's)")
    parser.add_argument(
        "--group", metavar="G", help="what the runs are listed under (default: the name of DIR)"
    )
    parser.add_argument(
        "--mode",
        choices=("offline", "online"),
        default="offline",
        help="offline (the default) writes to DIR/wandb, for `wandb sync`; online sends",
    )
    parser.add_argument(
        "--dashboard",
        action="store_true",
        help="also a workspace of fronts, metrics and curves: DIR/wandb/dashboard.json, or saved "
        "as a new view online, which needs --entity",
    )


def _export(args: argparse.Namespace) -> int:
    quiet()
    settings = _settings(args)
    from paretosteer.tracking.replay import replay

    dashboard = _dashboard(args) if args.dashboard else None
    done = 0
    for each in replay(args.folder, settings):
        done += not each.skipped
        told = f"skipped: {each.cell.path}: {each.skipped}"
        print(line(told if each.skipped else f"exported: {each.cell.path}"), flush=True)
    if dashboard:
        dashboard()
    written = args.folder / "wandb"
    if args.mode == "offline":
        told = f"{done} cells and the report are in {written}; to send them: wandb sync {written}"
        print(line(told))
    else:
        print(line(f"{done} cells and the report were sent to project {args.project}"))
    return 0


def _dashboard(args: argparse.Namespace) -> Callable[[], None]:
    """What makes the dashboard once its runs are there; what it lacks is an error at once."""
    if args.mode == "online" and not args.entity:
        raise UsageError("--entity: needed with --dashboard --mode online; name user or team")
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
            f"--project: found {args.project!r}, expected a name without any of {_RESERVED}"
        )
    from paretosteer.config.schema import WandbTracking

    return WandbTracking(
        name="wandb",
        project=args.project,
        entity=args.entity,
        group=args.group,
        mode=args.mode,
    )
