"""`paretosteer publish`: a folder of results for others."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import command

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "publish",
        "copy finished cells into a folder for a Hugging Face dataset or a web server",
        _publish,
        """paretosteer publish results/five_methods --out stories-leaderboard
        paretosteer publish results/private --out public --without-samples
        paretosteer report stories-leaderboard results/mine --out joint""",
    )
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="folders of sweeps or runs"
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="new or empty folder, or an earlier output of publish",
    )
    parser.add_argument(
        "--without-samples",
        action="store_true",
        help="leave out prompts and the texts that methods generated",
    )
    parser.add_argument(
        "--organization",
        default="unknown",
        metavar="NAME",
        help="who provides the results, for Every Eval Ever (default: unknown)",
    )
    parser.add_argument(
        "--license",
        metavar="NAME",
        help="licence on the dataset card: the hub's identifier, such as cc-by-4.0",
    )


def _publish(args: argparse.Namespace) -> int:
    from paretosteer.publishing.published_folder import publish

    folder = publish(
        args.folders,
        args.out,
        args.organization,
        samples=not args.without_samples,
        license=args.license,
    )
    print(f"published: {folder}")
    print(f"upload: hf upload --repo-type dataset NAME {folder}")
    return 0
