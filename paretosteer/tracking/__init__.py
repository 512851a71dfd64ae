"""Experiment trackers. A failure of the tracker never fails a cell."""

from paretosteer.tracking.tracker import Tracker, make_tracker

__all__ = ["Tracker", "make_tracker"]
