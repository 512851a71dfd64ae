"""The picture of a sweep in a terminal: the screen halfway through, and what followed it."""

import html
import re
import sys

from capture_terminal import picture, record
from rich.text import Text


def lines(svg: str) -> list[str]:
    """Text of the picture, without the title."""
    return [
        html.unescape(text).replace("\xa0", " ").rstrip()
        for text in re.findall(r"<text [^>]*clip-path[^>]*>([^<]*)</text>", svg)
        if text.strip()
    ]


def test_lines_that_come_again_are_shown() -> None:
    half, end = ["cell 1", "the same hint", "a bar"], ["cell 1", "the same hint", "cell 2"]
    shown = lines(picture(["sweep"], 40, [(0, []), (120, half), (240, [*end, "the same hint"])]))
    words = ["$ sweep", *half, "┄┄ after 2 of 4 minutes", "cell 2", "the same hint"]
    assert [line.rstrip("┄ ") for line in shown] == words


def test_a_command_is_recorded_to_its_end() -> None:
    frames = record([sys.executable, "-c", "print('first'); print('last')"], 40)
    assert [Text.from_ansi(line).plain for line in frames[-1][1]] == ["first", "last", ""]
