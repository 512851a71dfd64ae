"""The doctor answers on odd machines, says what hurts, and tells no secret."""

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
from paretosteer.doctor import (
    Probe,
    folders,
    hardware,
    packages,
    plugin_imports,
    services,
    system_limits,
)
from paretosteer.errors import UsageError
from paretosteer.findings import Finding
from paretosteer.plugins import registry
from paretosteer.runtime.terminal import byte_size
from paretosteer.storage.cache import cached

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
    assert looked_at >= {"python", "paretosteer", "libraries", "conflicts", "extra slurm"}
    assert looked_at >= {"methods", "benchmarks", "cores", "threads", "memory", "open files"}
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


def test_a_probe_that_breaks_or_hangs_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_proc(_: Path) -> Iterator[Finding]:
        yield Finding("ok", "first", "seen")
        raise FileNotFoundError("no /proc")

    def hanging(_: Path) -> Iterator[Finding]:
        os.read(os.pipe()[0], 1)
        yield Finding("ok", "never", "")

    monkeypatch.setattr(doctor, "_PATIENCE", 0.2)
    for module in (packages, plugin_imports, system_limits, folders, services):
        monkeypatch.setattr(module, "PROBES", ())
    monkeypatch.setattr(hardware, "PROBES", (no_proc, hanging))
    assert [str(finding) for finding in doctor.examine(HERE)] == [
        "ok     first: seen",
        "ok     no proc: cannot be found out here (FileNotFoundError: no /proc)",
        "fault  hanging: no answer in 0.2 s; look at what it reads: a file system or driver hangs",
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
    assert "fault  conflicts: accelerate needs torch" in lines(packages.conflicts)


def test_an_extra_that_is_absent_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    real = packages._version
    absent = {"rouge-score": None, "hydra-joblib-launcher": "1.2.0"}
    monkeypatch.setattr(packages, "_version", lambda name: absent.get(name, real(name)))
    told = lines(packages.extras)
    assert "extra rouge: not installed (the ROUGE objectives of experiment=xsum); pip" in told
    assert "extra joblib: installed" in told
    assert "extra dev" not in told


def test_a_broken_library_and_a_broken_plugin_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_COMPILED", ("numpy", "no_such_library"))
    assert "fault  no_such_library: cannot be imported: ModuleNotFoundError" in lines(
        packages.imports
    )
    assert "ok     objectives: the built-in ones\nok     metrics: the built-in ones" in lines(
        plugin_imports.plugins
    )
    names, load = registry.names, registry.load

    def broken(group: registry.Group, name: str) -> object:
        if name == "mine":
            raise UsageError("method 'mine' cannot be imported: ImportError: x; repair it")
        return load(group, name)

    monkeypatch.setattr(registry, "names", lambda group: [*names(group), "mine"])
    monkeypatch.setattr(registry, "load", broken)
    told = lines(plugin_imports.plugins)
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
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(4), raising=False)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    monkeypatch.setattr(torch, "get_num_threads", lambda: count)
    assert lines(hardware.threads).startswith(expected)


def test_a_gpu_with_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 2,
        mem_get_info=lambda index: (4e9 * (1 + 9 * index), 48e9),
        get_device_name=lambda index: "GPU",
        get_device_capability=lambda index: (7 + index, 5),
    )
    monkeypatch.setattr(torch, "cuda", fake)
    busy, free = hardware.gpus(HERE)
    assert str(busy) == (
        "note   cuda:0: GPU, 4 GB of 48 GB free, no bfloat16: computes in float32; "
        "others use it; choose device=cuda:N"
    )
    assert str(free) == "ok     cuda:1: GPU, 40 GB of 48 GB free, bfloat16"


def test_little_memory_few_files_and_little_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text("1000000000")
    (tmp_path / "memory.current").write_text("900000000")
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    told = lines(hardware.memory)
    assert told.startswith("fault  memory:") and "the control group allows 1 GB" in told
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 1024))
    assert lines(system_limits.open_files).startswith(
        "fault  open files: 64 (at most 1024); ulimit"
    )
    fake = SimpleNamespace(f_bavail=64, f_blocks=64, f_frsize=1_000_000)
    monkeypatch.setattr(os, "statvfs", lambda _: fake)
    assert lines(system_limits.shared_memory).startswith(
        "note   shared memory: 64 MB of 64 MB free"
    )


def test_a_network_a_full_disk_and_a_lock_that_does_not_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = SimpleNamespace(mountpoint=str(tmp_path), fstype="nfs4")
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [mount])
    assert "free on nfs4; small files are slow on a network" in lines(folders.sweep_dir, tmp_path)
    monkeypatch.setattr(folders, "_LEAST_DISK", 1e30)
    assert "fault  sweep_dir disk:" in lines(folders.sweep_dir, tmp_path)
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    assert "fault  sweep_dir locks: a lock keeps nobody out" in lines(folders.sweep_dir, tmp_path)

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryDirectory", refuse)
    assert "fault  sweep_dir locks: cannot be written (Permission denied)" in lines(
        folders.sweep_dir, tmp_path
    )


def test_the_cache_with_its_entries_drafts_and_locks(cache: Path) -> None:
    assert "(not there yet)" in lines(folders.cache_folder)
    key = {"benchmark": "stories", "steps": 30}
    folder = cached("model", key, lambda draft: (draft / "weights").write_bytes(b"w" * 5000))
    folder.with_name(".draft-killed").mkdir()
    folder.with_name(".draft-busy").mkdir()
    lock = folder.with_name("busy.lock")
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        told = lines(folders.cache_folder)
    assert "cache holds: 1 model; 5." in told
    assert "start models: stories (30 steps)" in told
    assert f"note   cache lock: model/busy is being made by process {os.getpid()}" in told
    assert f"cache drafts: 1 left by runs that were killed, 0 B; rm -r {folder.parent}" in told
    assert "is being made" not in lines(folders.cache_folder)


def test_sizes_as_people_write_them() -> None:
    assert [byte_size(amount) for amount in (0, 999, 1500, 2e9, 3e12)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "2 GB",
        "3 TB",
    ]
