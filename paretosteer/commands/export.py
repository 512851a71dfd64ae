"""`paretosteer export`: write a trained method at one preference as a model or adapter."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands import steering_arguments
from paretosteer.commands.arguments import command
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
        help="one weight per objective, in order, summing to 1",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="new folder")
    parser.add_argument(
        "--as",
        dest="form",
        choices=("model", "peft"),
        default="model",
        help="model (default): merged weights with tokenizer and decoding settings; peft: a LoRA "
        "adapter, or a prompt-tuning one for soft prompts",
    )


def _export(args: argparse.Namespace) -> int:
    weights, dials = (
        steering_arguments.preference(args.preference),
        steering_arguments.dials(args.dial),
    )
    cell = steering_arguments.restored(args)
    cell.export(weights, args.out, form=args.form, dials=dials)
    print(line(f"exported: {args.out}"))
    return 0
