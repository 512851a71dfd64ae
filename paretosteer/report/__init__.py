"""From recorded cells to a report: leaderboard, figures and one self-contained page.

    from paretosteer.report import print_leaderboard, write_report

    print_leaderboard(write_report(["results/default"]))

What does the work is imported when it is first asked for, so that a command's help is not kept
waiting for pandas and matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paretosteer.report.outputs.comparison_files import write_comparison
    from paretosteer.report.outputs.console import print_comparison, print_leaderboard
    from paretosteer.report.write import Report, write_report

__all__ = ["Report", "print_comparison", "print_leaderboard", "write_comparison", "write_report"]

_MODULES = {
    "Report": "write",
    "write_report": "write",
    "write_comparison": "outputs.comparison_files",
    "print_comparison": "outputs.console",
    "print_leaderboard": "outputs.console",
}

if not TYPE_CHECKING:  # so that type checkers still see a misspelt name

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
