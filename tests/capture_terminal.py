"""Record a command in a terminal as an SVG image: the screen halfway through, and its end.

    python tests/capture_terminal.py docs/images/terminal.svg 80 paretosteer sweep …

The picture of the README is made with the command that it shows.
"""

import re
import shlex
import sys
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

sys.path.insert(0, str(Path(__file__).parent / "cli"))
from screen import screens

Frame = tuple[float, list[str]]  # seconds since the start, and lines with their styles


def record(command: list[str], width: int) -> list[Frame]:
    """About one screen a second, and the last one."""
    frames: list[Frame] = []
    for seconds, screen in screens(command, width):
        if not frames or seconds - frames[-1][0] > 1:
            frames.append((seconds, screen.styled))
    return [*frames, (seconds, screen.styled)]


def picture(command: list[str], width: int, frames: list[Frame]) -> str:
    """SVG of the screen halfway through and of the lines that followed it."""
    total = frames[-1][0]
    middle = next(frame for frame in frames if frame[0] >= total / 2)
    console = Console(record=True, width=width, file=StringIO())
    program = [Path(command[0]).name, *command[1:]]
    for line in _folded(f"$ {shlex.join(program)}", width):
        console.print(Text(line, style="bold"))
    for line in middle[1]:
        console.print(Text.from_ansi(line), no_wrap=True)
    same = [one == other for one, other in zip(middle[1], frames[-1][1], strict=False)]
    rest = frames[-1][1][[*same, False].index(False) :]
    note = f"┄┄ after {middle[0] / 60:.0f} of {total / 60:.0f} minutes "
    console.print(Text(note.ljust(width, "┄"), style="dim"))
    for line in rest:
        console.print(Text.from_ansi(line), no_wrap=True)
    svg = console.export_svg(title="paretosteer sweep")
    # Without fonts from elsewhere, which an image in a README may not load.
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def _folded(text: str, width: int) -> list[str]:
    """Words on lines that end with a backslash, as in a shell."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) + 3 > width:
            lines[-1] += " \\"
            lines.append("   ")
        lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


if __name__ == "__main__":
    out, columns, *words = sys.argv[1:]
    Path(out).write_text(picture(words, int(columns), record(words, int(columns))))
