"""Warning about a cell whose policy has drifted so far that its texts are usually damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paretosteer.policies.kl import damaged_points, remedy

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
    means = drift.groupby("point")[["kl", "tokens"]].mean()
    found = damaged_points(means["kl"].to_numpy(), means["tokens"].to_numpy())
    return f"{found.sentence}; {remedy(trained)}" if found else None
