"""Launchers of a sweep's jobs, and what is printed when one is missing or fails."""

from __future__ import annotations

import sys
import textwrap

from paretosteer.runtime.terminal import line

# Hydra's launchers that are separate packages, and our extra that installs each.
EXTRAS = {"joblib": "joblib", "submitit_slurm": "slurm", "ray": "ray"}


def missing(launcher: str) -> str:
    """One line about a launcher whose package is not installed."""
    extra = EXTRAS[launcher]
    return f"launcher={extra}: needs pip install 'paretosteer[{extra}]'"


def lost(error: Exception) -> None:
    """Print in one line what a launcher raised, then wait for jobs that run on without it."""
    words = f"{type(error).__name__}: {error}".split()
    reason = textwrap.shorten(line(" ".join(words)), width=300, placeholder=" …")
    print(f"paretosteer: the launcher failed: {reason}", file=sys.stderr, flush=True)
    if "paretosteer.sweeps.slurm" in sys.modules:
        from paretosteer.sweeps.slurm import outlast

        outlast()
