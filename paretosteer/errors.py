"""Errors that a user can act on: one line naming the argument, what was found, the remedy."""

import errno
import traceback
from collections.abc import Iterable
from difflib import get_close_matches


class ParetosteerError(Exception):
    """Base of every error that this package raises on purpose."""


class UsageError(ParetosteerError):
    """What was asked for cannot be: an argument, a file or a name is wrong. Exit code 2."""


class UnsupportedError(ParetosteerError):
    """A method needs something that the benchmark cannot give. Not a failure: a recorded reason."""


class DivergenceError(ParetosteerError):
    """Training left the region in which its figures mean anything (NaN, collapsed entropy)."""


class ScoringError(ParetosteerError):
    """Too many samples could not be scored."""


def disk_problem(error: OSError) -> str:
    """What the file system refused, in one line, with the remedy."""
    remedies = {
        errno.ENOSPC: "free some space, then run the same command again: what is finished is kept",
        errno.EDQUOT: "free some quota, then run the same command again: what is finished is kept",
        errno.EROFS: "name a folder that can be written, with sweep_dir=DIR or --out DIR",
        errno.EACCES: "name a folder that is yours, with sweep_dir=DIR or --out DIR",
        **dict.fromkeys((errno.EEXIST, errno.ENOTDIR, errno.EISDIR), "move away what is there"),
    }
    remedy = remedies.get(error.errno or 0, "check that the folder exists and is yours")
    return f"{error}; {remedy}"


def first_line(error: BaseException) -> str:
    """What somebody else's error says, in one line; its kind where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def line_in(error: BaseException, file: str) -> int | None:
    """The last line of a file that an error passed through, if any."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == file), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """End of an error line about an unknown name: the nearest known one, or all of them."""
    known = sorted(known)
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
