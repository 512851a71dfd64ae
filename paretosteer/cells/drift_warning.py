"""Warning about a cell whose policy has drifted so far that its texts are usually damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretosteer.policies.kl import DamagedPoints, brief_damage, damaged_points, remedy
from paretosteer.runtime.progress import first_in_sweep, say

if TYPE_CHECKING:
    import pandas as pd


def drift_warning(drift: pd.DataFrame, trained: bool) -> str | None:
    """Warning with its remedy, or None if no point drifted too far.

    Parameters
    ----------
    drift
        Columns `point`, `kl` (nats) and `tokens`, one row per answer.
    trained
        False if the method trained nothing, as with adapters from elsewhere.

    """
    found = _damaged(drift)
    return _in_full(found, trained) if found else None


def say_drift_warning(drift: pd.DataFrame, trained: bool) -> None:
    """Print the warning if there is one: in full for the first such cell of a sweep."""
    found = _damaged(drift)
    if not found:
        return
    first = first_in_sweep("trained_damage" if trained else "adapter_damage")
    say(f"warning: {_in_full(found, trained) if first else brief_damage(found.kl)}")


def _in_full(found: DamagedPoints, trained: bool) -> str:
    return f"{found.sentence}; {remedy(trained)}"


def _damaged(drift: pd.DataFrame) -> DamagedPoints | None:
    means = drift.groupby("point")[["kl", "tokens"]].mean()
    return damaged_points(means["kl"].to_numpy(), means["tokens"].to_numpy())
