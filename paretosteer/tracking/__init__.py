"""Experiment trackers. A failure of the tracker never fails a cell."""

from paretosteer.tracking.tracker import Tracker, make_tracker
from paretosteer.tracking.wandb_environment import sync_command

__all__ = ["Tracker", "make_tracker", "sync_command"]
