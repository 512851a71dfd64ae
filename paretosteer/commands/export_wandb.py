"""`paretosteer export-wandb`: send finished cells to Weights & Biases."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command
from paretosteer.errors import UsageError
from paretosteer.runtime.terminal import line, plural

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
        "--project", metavar="P", help="wandb project (default: WANDB_PROJECT, else paretosteer)"
    )
    parser.add_argument("--entity", metavar="E", help="wandb user or team (default: the account's)")
    parser.add_argument("--group", metavar="G", help="group of the runs (default: the name of DIR)")
    parser.add_argument(
        "--mode",
        choices=("offline", "online"),
        help="offline: write to DIR/wandb or WANDB_DIR, for `wandb sync`; online: send at once "
        "(default: WANDB_MODE, else offline)",
    )
    parser.add_argument(
        "--dashboard",
        action="store_true",
        help="also make a workspace with fronts, metrics and curves: DIR/wandb/dashboard.json, or "
        "with --mode online a new saved view (requires --entity)",
    )


def _export(args: argparse.Namespace) -> int:
    settings = _settings(args)
    from paretosteer.tracking.replay import replay
    from paretosteer.tracking.wandb_environment import sync_command, written

    dashboard = _dashboard(args.folder, settings) if args.dashboard else None
    done = 0
    for outcome in replay(args.folder, settings):
        done += not outcome.skipped
        skipped = f"skipped: {outcome.cell.path}: {outcome.skipped}"
        exported = f"exported: {outcome.cell.path}"
        print(line(skipped if outcome.skipped else exported), flush=True)
    if dashboard:
        dashboard()
    if settings.mode == "offline":
        place, sync = written(args.folder), sync_command(settings, cells=[args.folder])
        print(line(f"{plural(done, 'cell')} and the report are in {place}; to send them: {sync}"))
    else:
        print(
            line(f"{plural(done, 'cell')} and the report were sent to project {settings.project}")
        )
    return 0


def _dashboard(folder: Path, settings: WandbTracking) -> Callable[[], None]:
    """Return a function that makes the dashboard after the upload; check its inputs right away."""
    if settings.mode == "online" and not settings.entity:
        raise UsageError("--entity: required with --dashboard --mode online; pass a user or team")
    from paretosteer.cells.cell import find_cells
    from paretosteer.tracking.dashboard import workspace, write_specification
    from paretosteer.tracking.replay import refusals
    from paretosteer.tracking.wandb_environment import written

    group = settings.group or folder.resolve().name
    assert settings.project
    space = workspace(find_cells(folder), settings.project, group, settings.entity or "")

    def make() -> None:
        if settings.mode == "offline":
            write_specification(space, written(folder) / "dashboard.json")
        else:
            with refusals():
                space.save()

    return make


def _settings(args: argparse.Namespace) -> WandbTracking:
    from paretosteer.config.schema import WandbTracking
    from paretosteer.tracking.wandb_environment import with_environment

    settings = with_environment(
        WandbTracking(
            name="wandb",
            project=args.project,
            entity=args.entity,
            group=args.group,
            mode=args.mode,
        ),
        mode="offline",
    )
    if set(settings.project or "") & set(_RESERVED):
        given = "--project" if args.project else "WANDB_PROJECT"
        raise UsageError(
            f"{given}: found {settings.project!r}; use a name without any of {_RESERVED}"
        )
    if settings.mode == "disabled":
        raise UsageError("WANDB_MODE: found 'disabled'; use --mode offline or --mode online")
    return settings
