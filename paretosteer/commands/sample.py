"""`paretosteer sample`: answer prompts with a trained method at any preference."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paretosteer.commands import steering_arguments
from paretosteer.commands.arguments import command, table
from paretosteer.errors import UsageError
from paretosteer.runtime.terminal import line, printable

if TYPE_CHECKING:
    from paretosteer.commands.arguments import Commands
    from paretosteer.serving.answers import Answer
    from paretosteer.serving.restore import Restored

_SWITCH, _HELP, _QUIT = "/preference", "/help", "/quit"


def add(commands: Commands) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "sample",
        "answer prompts at a preference with a trained method; interactive without --prompt",
        _sample,
        """paretosteer sample CELL --preference 0.3,0.7 --prompt "Once upon a time,"
        paretosteer sample CELL --preference 1,0 --preference 0,1 --samples 3 --prompt "One day,"
        paretosteer sample CELL --preference 0.5,0.5   # then type prompts or /help""",
    )
    steering_arguments.add_cell(parser)
    parser.add_argument(
        "--preference",
        required=True,
        action="append",
        metavar="W,W",
        help="one weight per objective, in order, summing to 1; several are answered side by side "
        "(repeatable)",
    )
    parser.add_argument(
        "--prompt",
        action="append",
        default=[],
        metavar="TEXT",
        help="prompt to answer (repeatable); by default prompts are read from standard input, one "
        f"per line; `{_SWITCH} W,W` changes the preference, `{_HELP}` lists commands",
    )
    parser.add_argument(
        "--samples", type=int, default=1, metavar="N", help="answers per prompt (default: 1)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="seed of the sampling noise (default: 0)"
    )


def _sample(args: argparse.Namespace) -> int:
    if args.samples < 1:
        raise UsageError(f"--samples: found {args.samples}; use 1 or more")
    preferences = [steering_arguments.preference(text) for text in args.preference]
    dials = steering_arguments.dials(args.dial)
    session = _Session(
        steering_arguments.restored(args), preferences, dials, args.samples, args.seed
    )
    if args.prompt:
        session.answer(args.prompt)
    else:
        session.converse()
    return 0


class _Session:
    """A restored cell with the current preferences and dials."""

    def __init__(
        self,
        cell: Restored,
        preferences: list[list[float]],
        dials: dict[str, float],
        samples: int,
        seed: int,
    ):
        self.cell, self.dials, self.samples, self.seed = cell, dials, samples, seed
        self.turn_to(preferences)

    def turn_to(self, preferences: list[list[float]]) -> None:
        """Change the preferences; they stay unchanged if the new ones are invalid."""
        self.cell.control(_same_length(preferences), self.dials)
        self.preferences = preferences

    def answer(self, prompts: Sequence[str]) -> None:
        """Print the answers to each prompt."""
        answers = self.cell.answer(
            prompts, self.preferences, dials=self.dials, samples=self.samples, seed=self.seed
        )
        per_prompt = len(answers) // len(prompts)
        for start in range(0, len(answers), per_prompt):
            if len(prompts) > 1:
                print(f"> {printable(answers[start].prompt)}\n")
            for answer in answers[start : start + per_prompt]:
                print(self._format(answer), end="\n\n", flush=True)

    def converse(self) -> None:
        """Answer standard input line by line; a wrong line prints an error and is skipped."""
        interactive = sys.stdin.isatty()
        if interactive:
            print(f"Type a prompt, or {_HELP} for commands.", file=sys.stderr)
        while True:
            if interactive:
                print("> ", end="", file=sys.stderr, flush=True)
            try:
                typed = sys.stdin.readline()
                if not typed or typed.strip() == _QUIT:
                    return
                self._handle(typed.strip())
            except UnicodeDecodeError:
                raise UsageError("standard input: is not UTF-8 text; convert it first") from None
            except UsageError as error:
                print(f"paretosteer: {line(error)}", file=sys.stderr, flush=True)

    def _handle(self, typed: str) -> None:
        word, _, rest = typed.partition(" ")
        if word == _SWITCH:
            self.turn_to([steering_arguments.preference(text) for text in rest.split()])
        elif word == _HELP:
            print(self._help, file=sys.stderr, flush=True)
        elif typed.startswith("/"):
            raise UsageError(f"{word!r} is not a command; use {_SWITCH}, {_HELP} or {_QUIT}")
        elif typed:
            self.answer([typed])

    @property
    def _help(self) -> str:
        m = len(self.cell.objectives)
        one, even = ",".join(["1", *["0"] * (m - 1)]), ",".join([f"{1 / m:.4g}"] * m)
        now = " ".join(",".join(f"{weight:g}" for weight in each) for each in self.preferences)
        rows = (
            ("any other line", "a prompt to answer"),
            (f"{_SWITCH} {one}", f"weights of {', '.join(self.cell.objectives)}; now {now}"),
            (f"{_SWITCH} {one} {even}", "answers at several preferences, one after the other"),
            (_QUIT, "end, as Ctrl-D does"),
        )
        return table(("command", "meaning"), rows)

    def _format(self, answer: Answer) -> str:
        weights = ", ".join(
            f"{name} {weight:g}"
            for name, weight in zip(self.cell.objectives, answer.preference, strict=True)
        )
        number = f", sample {answer.sample + 1}" if self.samples > 1 else ""
        scores = ", ".join(f"{name} {value:.3g}" for name, value in answer.scores.items())
        return printable(f"[{weights}{number}]\n{answer.text.strip()}\nscores: {scores}")


def _same_length(preferences: list[list[float]]) -> list[list[float]]:
    """Return the preferences; raise UsageError if there are none or their lengths differ."""
    if len({len(weights) for weights in preferences}) != 1:
        raise UsageError(
            f"--preference: found {preferences}; pass one weight per objective in each"
        )
    return preferences
