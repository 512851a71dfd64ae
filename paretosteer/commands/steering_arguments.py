"""Arguments that `sample` and `export` share: a cell, and where its policy is steered to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from paretosteer.errors import UsageError

if TYPE_CHECKING:
    from paretosteer.serving.restore import Restored


def add_cell(parser: argparse.ArgumentParser) -> None:
    """Declare the cell, its dials, and where it runs."""
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
        help="a further dial of the method, such as temperature=0.5 (repeatable)",
    )
    parser.add_argument(
        "--model", metavar="PATH", help="where the start model is now, if it was moved"
    )
    parser.add_argument(
        "--device", default="auto", metavar="D", help="auto (the default), cpu, cuda, cuda:1, mps"
    )


def restored(args: argparse.Namespace) -> Restored:
    """The cell of the arguments, ready to be steered."""
    from paretosteer.serving.restore import restore_cell

    return restore_cell(args.cell, device=args.device, model=args.model, text=True)


def preference(text: str) -> list[float]:
    """`0.3,0.7` as numbers."""
    try:
        return [float(weight) for weight in text.split(",")]
    except ValueError:
        raise UsageError(
            f"--preference: found {text!r}, expected one weight per objective, separated by "
            "commas, such as 0.3,0.7"
        ) from None


def dials(words: Sequence[str]) -> dict[str, float]:
    """`name=value`, each as a name and a number."""
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            raise UsageError(
                f"--dial: found {word!r}, expected name=value, such as temperature=0.5"
            ) from None
    return found
