"""Errors that a user can act on: one line naming the argument, what was found, the remedy."""

import errno
import signal
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


class PromiseError(ParetosteerError):
    """A method or a benchmark gave what its interface rules out: what, and the remedy."""

    def __init__(self, found: str, remedy: str):
        super().__init__(found, remedy)
        self.found, self.remedy = found, remedy

    def __str__(self) -> str:
        return f"{self.found}; {self.remedy}"


# What code of others may end with. Much of it calls `sys.exit`, whose SystemExit is no Exception.
PLUGIN_ERRORS = (Exception, SystemExit)


def stops_job(error: BaseException) -> bool:
    """Whether a signal's handler called `sys.exit`: so launchers end a job that is to run again."""
    if not isinstance(error, SystemExit):
        return False
    handlers = {getattr(signal.getsignal(s), "__code__", None) for s in signal.valid_signals()}
    return any(frame.f_code in handlers for frame, _ in traceback.walk_tb(error.__traceback__))


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


def said(error: BaseException) -> str:
    """What an error says; SystemExit itself says no more than a number."""
    return f"sys.exit({error.code!r}) was called" if isinstance(error, SystemExit) else str(error)


def first_line(error: BaseException) -> str:
    """What somebody else's error says, in one line; its kind where it says nothing."""
    return next(iter(said(error).strip().splitlines()), type(error).__name__)


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
