"""Variables of accelerate and of launchers: they start processes, and change nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch
from accelerate.state import AcceleratorState

from paretosteer.errors import UsageError
from paretosteer.runtime import accelerate_processes
from paretosteer.runtime.accelerate_processes import accelerator, is_first
from paretosteer.runtime.devices import resolve_device

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerate_processes._say_unused.cache_clear()
    yield
    AcceleratorState._reset_state(reset_partial_state=True)
    accelerate_processes._say_unused.cache_clear()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MIXED_PRECISION", "bf16"),
        ("MIXED_PRECISION", "fp8"),
        ("GRADIENT_ACCUMULATION_STEPS", "4"),
        ("USE_DEEPSPEED", "true"),
        ("USE_FSDP", "true"),
        ("DYNAMO_BACKEND", "INDUCTOR"),
        ("TORCH_DEVICE", "meta"),
    ],
)
def test_settings_of_accelerate_are_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str
) -> None:
    monkeypatch.setenv(f"ACCELERATE_{name}", value)
    made = accelerator(CPU)
    assert made.mixed_precision == "no" and made.gradient_accumulation_steps == 1
    assert made.num_processes == 1 and made.device == CPU
    x = torch.ones(2, 2, requires_grad=True)
    with made.autocast():
        y = x @ x
    assert y.dtype == torch.float32
    made.backward(y.sum())
    assert x.grad is not None and x.grad.sum() == 16
    assert f"not used: ACCELERATE_{name}={value}; dtype sets the precision" in caplog.text
    assert os.environ[f"ACCELERATE_{name}"] == value


def test_what_accelerate_launch_sets_by_default_needs_no_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "NO")
    accelerator(CPU)
    assert "not used" not in caplog.text


@pytest.mark.parametrize(
    "ranks", [{"LOCAL_RANK": "3"}, {"WORLD_SIZE": "1", "RANK": "2"}, {"WORLD_SIZE": ""}]
)
def test_ranks_of_a_process_that_is_alone_are_not_used(
    monkeypatch: pytest.MonkeyPatch, ranks: dict[str, str]
) -> None:
    """Such as those that a job's shell has kept."""
    for name, value in ranks.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert accelerator(CPU).num_processes == 1 and is_first()
    assert resolve_device("auto") == torch.device("cuda")


@pytest.mark.parametrize(
    ("set_", "missing"),
    [({}, "RANK"), ({"RANK": "0", "LOCAL_RANK": "0"}, "MASTER_ADDR")],
)
def test_processes_that_cannot_be_reached_are_refused(
    monkeypatch: pytest.MonkeyPatch, set_: dict[str, str], missing: str
) -> None:
    for name, value in {"WORLD_SIZE": "4", **set_}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=rf"^WORLD_SIZE: found '4', but {missing} is not set; .*"):
        accelerator(CPU)
