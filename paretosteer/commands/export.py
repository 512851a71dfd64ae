"""`paretosteer export`: a trained method at one preference, for other programs to load."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands import steering_arguments
from paretosteer.commands.arguments import command, quiet
from paretosteer.runtime.terminal import line

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "export",
        "write a trained method at one preference as a Hugging Face folder or a PEFT adapter",
        _export,
        """paretosteer export CELL --preference 0.3,0.7 --out exported
        paretosteer export CELL --preference 0.3,0.7 --out adapter --as peft""",
    )
    steering_arguments.add_cell(parser)
    parser.add_argument(
        "--preference",
        required=True,
        metavar="W,W",
        help="one weight per objective, in their order, that sum to 1",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--as",
        dest="form",
        choices=("model", "peft"),
        default="model",
        help="model (the default): weights merged, with tokenizer and decoding; peft: an adapter, "
        "for soft prompts a prompt-tuning one",
    )


def _export(args: argparse.Namespace) -> int:
    quiet()
    weights, dials = (
        steering_arguments.preference(args.preference),
        steering_arguments.dials(args.dial),
    )
    cell = steering_arguments.restored(args)
    cell.export(weights, args.out, form=args.form, dials=dials)
    print(line(f"exported: {args.out}"))
    return 0
