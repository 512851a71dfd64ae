import inspect
from pathlib import Path
from typing import Any

import pytest

from paretosteer.commands.main import main
from paretosteer.config.schema import NoTracking, WandbTracking
from paretosteer.sweeps import sweep
from paretosteer.tracking.tracker import NoTracker, Shielded, Tracker, make_tracker

OFFLINE = WandbTracking(name="wandb", project="test", entity=None, group=None, mode=None)
CALLS = [name for name, _ in inspect.getmembers(Tracker, inspect.isfunction) if name[0] != "_"]
QUICK = ["sweep", "budget=smoke", "method=start", "benchmark=bandit"]


class Faulty:
    """Raises at the calls named, and counts them all."""

    def __init__(self, *at: str):
        self.at = at
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(*values: object) -> None:
            self.calls.append(name)
            if name in self.at:
                raise OSError("disk full")

        return call


def test_the_configuration_chooses() -> None:
    assert isinstance(make_tracker(NoTracking(name="none")), NoTracker)
    assert isinstance(make_tracker(OFFLINE), Shielded)


def test_a_faulty_tracker_is_said_once_and_left_alone_but_ended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inner = Faulty("log", "finish")
    tracker = Shielded(inner)  # type: ignore[arg-type]
    tracker.log(1, {})
    tracker.log(2, {})
    tracker.finish()
    assert inner.calls == ["log", "finish"]
    assert caplog.messages == ["Faulty stopped (OSError: disk full); the run continues"]


@pytest.mark.parametrize("call", CALLS)
def test_a_tracker_that_raises_at_any_call_fails_nothing(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = Faulty(call)
    monkeypatch.setattr(sweep, "make_tracker", lambda settings: Shielded(faulty))  # type: ignore[arg-type]
    method = "clp" if call == "log" else "start"
    assert main([*QUICK, f"method={method}", f"sweep_dir={tmp_path}"]) == 0
    assert call in faulty.calls


def test_nothing_is_read_or_computed_where_no_tracker_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*values: object) -> None:
        raise AssertionError("computed without a tracker")

    monkeypatch.setattr("paretosteer.tracking.tracked_figures.Shown.__init__", never)
    monkeypatch.setattr("paretosteer.tracking.wandb_tracker.curves", never)
    assert main([*QUICK, f"sweep_dir={tmp_path}"]) == 0
