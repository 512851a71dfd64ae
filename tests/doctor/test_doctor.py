"""The doctor works on unusual machines, reports what hurts, and shows no secret."""

import fcntl
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from paretosteer import doctor
from paretosteer.commands.main import main
from paretosteer.doctor import Probe, folders, machine, packages, services
from paretosteer.errors import UsageError
from paretosteer.findings import Finding
from paretosteer.plugins import registry
from paretosteer.runtime import cpu_bfloat16
from paretosteer.runtime.terminal import byte_size

HERE = Path()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def lines(probe: Probe, folder: Path = HERE) -> str:
    return "\n".join(str(finding) for finding in probe(folder))


def test_the_command_has_a_line_for_everything(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", "--sweep-dir", str(tmp_path / "new")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert all(line.split()[0] in ("ok", "note", "fault") and ": " in line for line in told)
    looked_at = {line[7:].partition(":")[0] for line in told}
    assert looked_at >= {"python", "paretosteer", "libraries", "threads", "memory"}
    assert looked_at >= {"sweep_dir", "sweep_dir disk", "sweep_dir locks", "cache", "wandb", "hub"}
    assert list(tmp_path.iterdir()) == []


def test_it_is_there_for_programs_and_fails_where_a_run_would(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["doctor", "--json", "--sweep-dir", str(tmp_path / "file" / "results")]) == 1
    told = json.loads(capsys.readouterr().out)
    (failed,) = [each for each in told if each["severity"] == "fault"]
    assert failed["check"] == "sweep_dir"
    assert failed["found"].endswith("is a file")
    assert failed["remedy"] == "choose another sweep_dir"


def test_a_probe_that_breaks_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_proc(_: Path) -> Iterator[Finding]:
        yield Finding("ok", "first", "seen")
        raise FileNotFoundError("no /proc")

    for module in (packages, folders, services):
        monkeypatch.setattr(module, "PROBES", ())
    monkeypatch.setattr(machine, "PROBES", (no_proc,))
    assert [str(finding) for finding in doctor.examine(HERE)] == [
        "ok     first: seen",
        "ok     no proc: cannot be examined (FileNotFoundError: no /proc)",
    ]


def test_secrets_stay_secret(
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "0123456789abcdef")
    monkeypatch.setenv("HF_TOKEN", "hf_verysecret")
    monkeypatch.setenv("HF_ENDPOINT", "https://me:hf_verysecret@hub.example/path?token=abc")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("TRANSFORMERS_OFFLINE", "0")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "0")

    def leaking(_: Path) -> Iterator[Finding]:
        raise OSError("https://me:pass@hub.example refused hf_verysecret")
        yield

    monkeypatch.setattr(services, "PROBES", (*services.PROBES, leaking))
    main(["doctor", "--json", "--sweep-dir", str(tmp_path)])
    told = capsys.readouterr().out
    assert "a key is set" in told and "hub.example" in told and "; a token" in told
    assert not any(secret in told for secret in ("0123456789abcdef", "verysecret", "pass@", "abc"))


def test_the_hub_is_said_to_be_offline() -> None:
    assert "offline (HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE" in lines(services.hub)
    assert "no WANDB_API_KEY: tracker=wandb stays offline, WANDB_MODE=offline" in lines(
        services.wandb
    )


def test_versions_too_old_fail_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    old = {"torch": "1.0", "peft": None}
    real = packages._version
    monkeypatch.setattr(packages, "_version", lambda name: old.get(name, real(name)))
    told = lines(packages.libraries)
    assert "fault  torch: 1.0, needed >=2.6; pip install 'torch>=2.6'" in told
    assert "fault  peft: not installed, needed >=0.18" in told


def test_a_broken_library_and_a_broken_plugin_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_COMPILED", ("numpy", "no_such_library"))
    assert "fault  no_such_library: cannot be imported: ModuleNotFoundError" in lines(
        packages.imports
    )
    names, load = registry.names, registry.load

    def broken(group: registry.Group, name: str) -> object:
        if name == "mine":
            raise UsageError("method 'mine' cannot be imported: ImportError: x; repair it")
        return load(group, name)

    monkeypatch.setattr(registry, "names", lambda group: [*names(group), "mine"])
    monkeypatch.setattr(registry, "load", broken)
    told = lines(packages.plugins)
    assert (
        "fault  plug-in mine: method 'mine' cannot be imported: ImportError: x; repair it" in told
    )


@pytest.mark.parametrize(
    ("count", "load", "quota", "expected"),
    [
        (8, 0.0, "200000 100000", "note   threads: torch would take 8 on 2 cores"),
        (1, 9.0, "max 100000", "note   threads: torch would take 1 on 4 cores, load average 9.0"),
        (2, 0.1, "max 100000", "ok     threads: torch would take 2 on 4 cores"),
    ],
)
def test_threads_against_cores(
    count: int,
    load: float,
    quota: str,
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    assert lines(machine.threads).startswith(expected)


def test_a_gpu_with_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 2,
        mem_get_info=lambda index: (4e9 * (1 + 9 * index), 48e9),
        get_device_name=lambda index: "GPU",
        get_device_capability=lambda index: (7 + index, 5),
    )
    monkeypatch.setattr(torch, "cuda", fake)
    busy, free = machine.gpus(HERE)
    assert str(busy) == (
        "note   cuda:0: GPU, 4 GB of 48 GB free, no bfloat16: computes in float32; "
        "others use it; set device=cuda:N"
    )
    assert str(free) == "ok     cuda:1: GPU, 40 GB of 48 GB free, bfloat16"


def test_little_memory_few_files_and_little_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text("1000000000")
    (tmp_path / "memory.current").write_text("900000000")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    told = lines(machine.memory)
    assert told.startswith("fault  memory:") and "the control group allows 1 GB" in told
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 1024))
    fake = SimpleNamespace(f_bavail=64, f_frsize=1_000_000)
    monkeypatch.setattr(os, "statvfs", lambda _: fake)
    assert lines(machine.limits).splitlines() == [
        "fault  open files: at most 64; ulimit -n 4096: several cells at once open more",
        "note   shared memory: 64 MB free in /dev/shm; "
        "enlarge it (docker run --shm-size=4g), or use one process: launcher=basic",
    ]


def test_a_network_a_full_disk_and_a_lock_that_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = SimpleNamespace(mountpoint=str(tmp_path), fstype="nfs4")
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [mount])
    assert "free on nfs4; small files are slow on a network" in lines(folders.sweep_dir, tmp_path)
    monkeypatch.setattr(folders, "_LEAST_DISK", 1e30)
    assert "fault  sweep_dir disk:" in lines(folders.sweep_dir, tmp_path)
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    assert "fault  sweep_dir locks: file locks have no effect" in lines(folders.sweep_dir, tmp_path)

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    assert "fault  sweep_dir locks: cannot be written (Permission denied)" in lines(
        folders.sweep_dir, tmp_path
    )


def test_a_cache_that_is_not_there_yet_is_fine(cache: Path) -> None:
    assert "ok     cache: " in lines(folders.cache_folder)
    assert "(does not exist yet)" in lines(folders.cache_folder)
    assert "ok     cache locks: files can be written and locked" in lines(folders.cache_folder)
    assert not cache.exists()


def test_sizes_as_people_write_them() -> None:
    assert [byte_size(amount) for amount in (0, 999, 1500, 2e9, 3e12)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2 GB",
        "3 TB",
    ]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fma avx512_bf16 amx_tile amx_bf16", "native (AMX), 3.0 times as fast as float32"),
        ("fma avx512_bf16", "native (AVX512-BF16), 3.0 times as fast"),
        ("fma avx2", "not native on this processor"),
    ],
)
def test_bfloat16_is_measured_where_the_processor_computes_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, expected: str
) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : {flags}\n")
    monkeypatch.setattr(cpu_bfloat16, "_CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(cpu_bfloat16, "bfloat16_speedup", lambda: 3.0)
    assert expected in lines(machine.bfloat16)


def test_the_speed_of_bfloat16_is_a_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu_bfloat16, "_SIZE", 32)
    assert cpu_bfloat16.bfloat16_speedup() > 0
