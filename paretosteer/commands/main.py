"""Command line. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from paretosteer import __version__
from paretosteer.commands import (
    check,
    detect,
    doctor,
    export,
    export_wandb,
    new,
    publish,
    report,
    run,
    sample,
    score,
    validate,
)
from paretosteer.commands import list as listing
from paretosteer.commands.arguments import quiet
from paretosteer.errors import ParetosteerError, UsageError, disk_problem, said, stops_job
from paretosteer.plugins import registry, single_files
from paretosteer.runtime.terminal import line, wrapped


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Gives the exit code: 0 fine, 1 a cell failed, 2 bad input, 130 interrupted."""
    args = _arguments(argv)
    try:
        quiet()  # first: a plug-in may import the libraries whose bars it turns off
        if single_files.add(args.plugin + args.plugin_after):
            registry.check_files()
        code: int = args.action(args)
    except ParetosteerError as error:
        _complain(line(error))
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:  # the reader of the output has closed it
        sys.stderr.close()
        return 0
    except OSError as error:
        _complain(line(disk_problem(error)))
        return 2
    except KeyboardInterrupt:
        _complain("interrupted; rerun the same command to resume")
        return 130
    except SystemExit as error:  # of a plug-in: no command of ours raises it
        if isinstance(error.__context__, BrokenPipeError):  # of Rich, which left the output
            return 0
        if stops_job(error):
            raise
        raise RuntimeError(said(error)) from error
    return code


def _complain(text: str) -> None:
    print(wrapped(f"paretosteer: {text}", sys.stderr), file=sys.stderr)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parsed arguments; argparse itself takes no overrides after a flag."""
    top = parser()
    args, rest = top.parse_known_args(argv)
    if rest and ("overrides" not in args or any(word.startswith("-") for word in rest)):
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        args.overrides += rest
    return args


def parser() -> argparse.ArgumentParser:
    """Every command with its arguments."""
    top = argparse.ArgumentParser(
        prog="paretosteer",
        description="Measure which method steers a language model best between objectives, over "
        "which range, at what cost, and with how much confidence.",
        epilog="`paretosteer COMMAND --help` shows examples.",
    )
    top.add_argument("--version", action="version", version=f"paretosteer {__version__}")
    single_files.declare(top, "plugin")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for module in (
        *(run, report, validate, score, publish, listing, sample, export, export_wandb),
        *(detect, check, new, doctor),
    ):
        module.add(commands)
    return top
