"""Arguments shared by `sample` and `export`: a cell, its preference and its dials."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.commands.arguments import add_trust
from paretosteer.errors import UsageError

if TYPE_CHECKING:
    from paretosteer.serving.restore import Restored


def add_cell(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments for the cell, its dials, start model and device."""
    parser.add_argument(
        "cell",
        type=Path,
        metavar="CELL",
        help="folder of a trained cell, such as results/mine/stories/clp/seed0-0123456789",
    )
    parser.add_argument(
        "--dial",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="dial of the method, such as temperature=0.5 (repeatable)",
    )
    add_trust(parser)
    parser.add_argument("--model", metavar="PATH", help="path of the start model, if it has moved")
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto (default), cpu, cuda, cuda:1 or mps"
    )


def restored(args: argparse.Namespace) -> Restored:
    """Restore the cell of the arguments."""
    from paretosteer.serving.restore import restore_cell
    from paretosteer.text.rewards.remote_code import trust

    trust(args.trust_remote_code)
    return restore_cell(args.cell, device=args.device, model=args.model, text=True)


def preference(text: str) -> list[float]:
    """Parse `0.3,0.7`."""
    try:
        return [float(weight) for weight in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--preference: found {text!r}; pass one weight per objective, separated by commas, "
            "such as 0.3,0.7"
        ) from None


def dials(words: Sequence[str]) -> dict[str, float]:
    """Parse words of the form `name=value`."""
    values = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            values[name] = float(value)
        except ValueError:
            raise UsageError(
                f"--dial: found {word!r}; use name=value, such as temperature=0.5"
            ) from None
    return values
