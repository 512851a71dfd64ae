"""Where a cell's figures go besides its folder. No tracker can fail a cell."""

from paretosteer.tracking.tracker import Tracker, make_tracker

__all__ = ["Tracker", "make_tracker"]
