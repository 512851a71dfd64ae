"""`auto` resolved: by what the device can do, before digests are made."""

from pathlib import Path

import pytest
import torch

from paretosteer.cells.plan import CellPlan
from paretosteer.errors import UsageError
from paretosteer.runtime.devices import resolve_device, resolve_dtype
from paretosteer.sweeps.compose import compose_cell

REFERENCE = Path(__file__).parents[2] / "results" / "reference" / "field" / "records"


def pretend(monkeypatch, gpu, bf16):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16)


@pytest.mark.parametrize(
    ("gpu", "bf16", "device", "found"),
    [
        (False, False, "auto", "float32"),
        (True, True, "auto", "bfloat16"),
        (True, True, "cuda", "bfloat16"),
        (True, True, "cuda:1", "bfloat16"),
        (True, False, "auto", "float32"),
        (True, True, "cpu", "float32"),
    ],
)
def test_auto_is_the_precision_that_the_device_computes_in(monkeypatch, gpu, bf16, device, found):
    pretend(monkeypatch, gpu, bf16)
    assert resolve_dtype("auto", device) == found


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_a_named_precision_is_kept(monkeypatch, name):
    pretend(monkeypatch, True, True)
    assert resolve_dtype(name, "auto") == name


def test_an_emulated_bfloat16_is_not_chosen(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation
    )
    assert resolve_dtype("auto", "auto") == "float32"


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    pretend(monkeypatch, False, False)
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match="device: found 'cuda:1', but no such device"):
        resolve_device("cuda:1")


def test_digests_and_records_see_the_resolved_precision(monkeypatch):
    def plan(*further):
        return CellPlan.of(compose_cell(["benchmark=stories", *further]))

    pretend(monkeypatch, False, False)
    on_cpu = plan()
    assert on_cpu.config.dtype == "float32"
    assert on_cpu.digests == plan("dtype=float32").digests
    pretend(monkeypatch, True, True)
    on_gpu = plan()
    assert on_gpu.config.dtype == "bfloat16"
    assert "dtype=bfloat16" in on_gpu.config.command
    assert on_gpu.digests == plan("dtype=bfloat16").digests
    assert on_gpu.identity != on_cpu.identity


@pytest.mark.parametrize("benchmark", ["bandit", "ranking"])
def test_a_world_without_a_language_model_stays_with_float32(monkeypatch, benchmark):
    pretend(monkeypatch, True, True)
    assert CellPlan.of(compose_cell([f"benchmark={benchmark}"])).config.dtype == "float32"
    with pytest.raises(UsageError, match=f"{benchmark} computes in float32 only"):
        CellPlan.of(compose_cell([f"benchmark={benchmark}", "dtype=bfloat16"]))


def test_what_only_changes_memory_changes_no_digest():
    plain = CellPlan.of(compose_cell(["benchmark=stories"]))
    for option in ("gradient_checkpointing=true", "budget.eval_rows=7"):
        assert CellPlan.of(compose_cell(["benchmark=stories", option])).digests == plain.digests
