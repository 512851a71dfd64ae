from collections.abc import Mapping
from pathlib import Path

import pytest

from paretosteer.cells.config import NoTracking, WandbTracking
from paretosteer.compose import compose_cell
from paretosteer.tracking import NoTracker, Shielded, WandbTracker, make_tracker

OFFLINE = WandbTracking(name="wandb", project="test", entity=None, group=None, mode=None)


def test_the_configuration_chooses() -> None:
    assert isinstance(make_tracker(NoTracking(name="none")), NoTracker)
    assert isinstance(make_tracker(OFFLINE), Shielded)


def test_wandb_offline_keeps_everything_in_the_cell(tmp_path: Path) -> None:
    tracker = WandbTracker(OFFLINE)  # unshielded: its errors are the test's
    config = compose_cell(["tracker=wandb", f"sweep_dir='{tmp_path}'"])
    folder = tmp_path / "cell"
    tracker.start(config, folder, "0123456789")
    tracker.log(1, {"loss": 0.5})
    tracker.log(2, {"loss": 0.25})
    tracker.front(["w", "positive", "varied"], [[0.0, 1.0, 2.0], [1.0, 2.0, 1.0]])
    tracker.summary({"hypervolume": 3.5})
    run = tracker._run
    assert (run.id, run.group) == ("stories-rewarded_soup-0123456789-seed0", tmp_path.name)
    assert run.settings.mode == "offline"
    tracker.finish()
    tracker.finish()  # nothing left to end
    written = list((folder / "wandb").glob("offline-run-*/*.wandb"))
    assert len(written) == 1
    assert b"hypervolume" in written[0].read_bytes()


class Faulty(NoTracker):
    """Raises when it is told figures."""

    calls = 0

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Count, then fail."""
        self.calls += 1
        raise OSError("disk full")


def test_a_faulty_tracker_is_said_once_and_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    inner = Faulty()
    tracker = Shielded(inner)
    tracker.log(1, {})
    tracker.log(2, {})
    tracker.finish()
    assert inner.calls == 1
    assert caplog.messages == ["Faulty stopped (OSError: disk full); the cell goes on"]
