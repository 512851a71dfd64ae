"""A terminal for tests: runs a command in a pty and keeps the screen that a user would see."""

import os
import pty
import re
import struct
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fcntl import ioctl

_CODE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")


@dataclass
class Screen:
    """The control sequences that our output uses, on lines of any number; no scrolling."""

    width: int
    lines: list[list[tuple[str, str]]] = field(default_factory=lambda: [[]])  # (style, character)
    row: int = 0
    column: int = 0
    style: str = ""

    def feed(self, text: str) -> None:
        """Take output."""
        place = 0
        while place < len(text):
            if code := _CODE.match(text, place):
                self._control(code[1], code[2])
                place = code.end()
            else:
                self._put(text[place])
                place += 1

    @property
    def text(self) -> list[str]:
        """Lines without styles."""
        return ["".join(each for _, each in line).rstrip() for line in self.lines]

    @property
    def styled(self) -> list[str]:
        """Lines with their styles, as escape sequences."""
        return ["".join(f"\x1b[0m{style}{each}" for style, each in line) for line in self.lines]

    def _put(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self._move(1)
        else:
            if self.column == self.width:
                self.column = 0
                self._move(1)
            line = self.lines[self.row]
            line += [("", " ")] * (self.column + 1 - len(line))
            line[self.column] = (self.style, character)
            self.column += 1

    def _move(self, rows: int) -> None:
        self.row = max(0, self.row + rows)
        self.lines += [[] for _ in range(self.row + 1 - len(self.lines))]

    def _control(self, numbers: str, letter: str) -> None:
        if letter == "m":
            self.style = "" if numbers in ("", "0") else f"{self.style}\x1b[{numbers}m"
        elif letter == "A":
            self._move(-int(numbers or 1))
        elif letter == "B":
            self._move(int(numbers or 1))
        elif letter == "K":
            self.lines[self.row] = [] if numbers == "2" else self.lines[self.row][: self.column]


def screens(command: Sequence[str], width: int, height: int = 40) -> Iterator[tuple[float, Screen]]:
    """Run a command in a pty. Yield the seconds so far and the screen after every output.

    The last ones are those of its end; raises if the command failed.
    """
    child, terminal = pty.fork()
    if child == 0:
        for name in ("COLUMNS", "LINES"):
            os.environ.pop(name, None)
        os.execvpe(command[0], command, {**os.environ, "TERM": "xterm-256color"})
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    screen, began, rest = Screen(width), time.monotonic(), b""
    while data := _read(terminal):
        whole, rest = _complete(rest + data)
        screen.feed(whole.decode())
        yield time.monotonic() - began, screen
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        sys.exit(f"{' '.join(command)}: exit code {code}\n" + "\n".join(screen.text))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the command has ended
        return b""


def _complete(data: bytes) -> tuple[bytes, bytes]:
    """Output without, and only, an unfinished character or control sequence at its end."""
    cut = data.rfind(b"\x1b")
    if cut >= 0 and not _CODE.match(data[cut:].decode(errors="replace")):
        return data[:cut], data[cut:]
    for end in range(len(data), max(len(data) - 4, 0), -1):
        try:
            data[:end].decode()
        except UnicodeDecodeError:
            continue
        return data[:end], data[end:]
    return b"", data
