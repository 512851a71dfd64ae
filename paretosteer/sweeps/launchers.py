"""Where the jobs of a sweep run, and what is said when that place fails."""

from __future__ import annotations

import sys
import textwrap

from paretosteer.runtime.terminal import line

# The launchers of Hydra that are packages of their own: the extra of ours that brings each.
EXTRAS = {"joblib": "joblib", "submitit_slurm": "slurm", "ray": "ray"}


def missing(launcher: str) -> str:
    """One line about a launcher whose package is not installed."""
    extra = EXTRAS[launcher]
    return f"launcher={extra}: needs pip install 'paretosteer[{extra}]'"


def lost(error: Exception) -> None:
    """Say in one line what a launcher raised; then wait for jobs that go on without it."""
    words = f"{type(error).__name__}: {error}".split()
    told = textwrap.shorten(line(" ".join(words)), width=300, placeholder=" …")
    print(f"paretosteer: the launcher failed: {told}", file=sys.stderr, flush=True)
    if "paretosteer.sweeps.slurm" in sys.modules:
        from paretosteer.sweeps.slurm import outlast

        outlast()
