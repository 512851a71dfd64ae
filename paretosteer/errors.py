"""Errors for users: one line with the argument, what was found, and the remedy."""

import errno
import signal
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class ParetosteerError(Exception):
    """Base class of the errors that this package raises."""


class UsageError(ParetosteerError):
    """An argument, a file or a name is wrong. Exit code 2."""


class UnsupportedError(ParetosteerError):
    """A method needs something that the benchmark does not support.

    The cell is recorded as unsupported, not as failed.
    """


class DivergenceError(ParetosteerError):
    """Training diverged, for example to NaN or to collapsed entropy."""


class ScoringError(ParetosteerError):
    """Too many samples could not be scored."""


class PromiseError(ParetosteerError):
    """A method or a benchmark violated its interface."""

    def __init__(self, found: str, remedy: str):
        super().__init__(found, remedy)
        self.found, self.remedy = found, remedy

    def __str__(self) -> str:
        return f"{self.found}; {self.remedy}"


@contextmanager
def about(option: str) -> Iterator[None]:
    """Name the option that a UsageError is about."""
    try:
        yield
    except UsageError as error:
        raise UsageError(f"{option}: {error}") from None


# Errors of foreign code. Some of it calls `sys.exit`, and SystemExit is not an Exception.
PLUGIN_ERRORS = (Exception, SystemExit)


def stops_job(error: BaseException) -> bool:
    """True if a signal handler raised this SystemExit, as launchers do to requeue a job."""
    if not isinstance(error, SystemExit):
        return False
    handlers = {getattr(signal.getsignal(s), "__code__", None) for s in signal.valid_signals()}
    return any(frame.f_code in handlers for frame, _ in traceback.walk_tb(error.__traceback__))


def disk_problem(error: OSError) -> str:
    """Error of the file system in one line, with the remedy."""
    remedies = {
        errno.ENOSPC: "free some space, then run the same command again; finished work is kept",
        errno.EDQUOT: "free some quota, then run the same command again; finished work is kept",
        errno.EROFS: "use a writable folder with sweep_dir=DIR or --out DIR",
        errno.EACCES: "use a folder that you own with sweep_dir=DIR or --out DIR",
        **dict.fromkeys((errno.EEXIST, errno.ENOTDIR, errno.EISDIR), "move the existing file away"),
    }
    remedy = remedies.get(error.errno or 0, "check that the folder exists and that you own it")
    return f"{error}; {remedy}"


def said(error: BaseException) -> str:
    """Message of an error; a SystemExit only carries a number, so it gets a sentence."""
    return f"sys.exit({error.code!r}) was called" if isinstance(error, SystemExit) else str(error)


def first_line(error: BaseException) -> str:
    """First line of an error's message, or its type if the message is empty."""
    return next(iter(said(error).strip().splitlines()), type(error).__name__)


def line_in(error: BaseException, file: str) -> int | None:
    """Number of the last line of `file` in an error's traceback, if any."""
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == file), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Remedy for an unknown name: the closest known one, or all of them."""
    known = sorted(known)
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    near = near or [each for each in known if name and each.startswith(name)]
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
