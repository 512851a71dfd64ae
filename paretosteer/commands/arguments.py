"""Helpers that commands share."""

from __future__ import annotations

import argparse
import os
import re
import warnings
from collections.abc import Callable, Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from paretosteer.errors import UsageError
from paretosteer.plugins import single_files
from paretosteer.runtime.terminal import line

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    Action = Callable[[argparse.Namespace], int]

_QUIET = {
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "WANDB_SILENT": "true",
}
_GAP = 2  # spaces between columns of a table
_NARROWEST = 20  # characters of its last column
_NOISY = r"(accelerate|huggingface_hub|peft|pymoo|torch|transformers)\b"


def command(
    commands: Commands, name: str, does: str, action: Action, examples: str
) -> argparse.ArgumentParser:
    """A new command: its one-line description, what it calls, and examples for its help."""
    parser = commands.add_parser(
        name,
        help=does,
        description=does[0].upper() + does[1:] + ".",
        epilog="examples:\n" + "".join(f"  {each.strip()}\n" for each in examples.splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(action=action)
    single_files.declare(parser, "plugin_after")  # so that it may also follow the command
    return parser


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Declare `--trust-remote-code`, which no configuration file can set."""
    parser.add_argument(
        "--trust-remote-code",
        metavar="MODEL",
        help="folder or hub name of one reward model that may run its own Python code; recorded",
    )


def allow_negative(parser: argparse.ArgumentParser) -> None:
    """Let values of options begin with a minus sign, which argparse takes for another option."""
    parser._negative_number_matcher = re.compile(r"-(\d|\.\d|inf|nan)")


def numbers(text: str, option: str) -> tuple[float, ...]:
    """Numbers separated by commas; UsageError naming the option."""
    try:
        return tuple(map(float, text.split(",")))
    except ValueError:
        raise UsageError(
            f"{option}: found {text!r}; use numbers separated by commas, such as -2,-2"
        ) from None


def quiet() -> None:
    """Silence third-party advice. For the command line only: a library should not do this."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", category=FutureWarning, module=_NOISY)
    warnings.filterwarnings("ignore", category=UserWarning, module=_NOISY)


def table(header: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None = None) -> str:
    """Columns of text, aligned to the left; words wrap where the table is wider than `width`."""
    lines = [[line(value) for value in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if width and sum(widths) + _GAP * (len(widths) - 1) > width:
        widths = _narrowed(lines, widths, width)
        lines = [part for each in lines for part in _wrapped(each, widths)]
    return "\n".join(
        (" " * _GAP)
        .join(value.ljust(width) for value, width in zip(each, widths, strict=True))
        .rstrip()
        for each in lines
    )


def _narrowed(lines: Sequence[Sequence[str]], widths: Sequence[int], width: int) -> list[int]:
    """Widths of columns in a table of this width: the last has the room that the others leave."""
    *words, last = (max(map(_longest_word, column)) for column in zip(*lines, strict=True))
    first = [
        max(word, min(whole, width // 4)) for word, whole in zip(words, widths[:-1], strict=True)
    ]
    rest = width - sum(first) - _GAP * len(first)
    return [*first, max(rest, last, _NARROWEST)]


def _longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def _wrapped(texts: Sequence[str], widths: Sequence[int]) -> list[list[str]]:
    """Lines of one row of a table."""
    columns = [
        wrap(text, width, break_long_words=False, break_on_hyphens=False)
        for text, width in zip(texts, widths, strict=True)
    ]
    return [list(each) for each in zip_longest(*columns, fillvalue="")]
