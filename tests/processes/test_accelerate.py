"""`accelerate launch` with two processes: the gradients of one, and cells that end well."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from half_batches import gradients
from safetensors import safe_open
from safetensors.numpy import load_file
from small_model import write_model

from paretosteer.cells.record import read_record
from paretosteer.commands.main import main

TWO = [
    *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
    *("--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"),
]
CELL = [
    *("run", "benchmark=bandit", "budget=smoke", "budget.steps=12", "method=rewarded_soup"),
    *("preferences.divisions=2", "checkpoint_seconds=0"),
]


def start(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TWO, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("world", ["a bandit", "a language model"])
def test_two_processes_have_the_gradients_of_one(tmp_path: Path, world: str) -> None:
    """To 1e-5 of the largest: sums in another order round differently."""
    model = [str(write_model(tmp_path / "model"))] if world == "a language model" else []
    script = str(Path(__file__).with_name("half_batches.py"))
    process = start(script, str(tmp_path / "two.safetensors"), *model)
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 0, told
    two = load_file(tmp_path / "two.safetensors")
    with safe_open(tmp_path / "two.safetensors", "numpy") as stream:
        assert stream.metadata() == {"processes": "2"}
    one = {name: grad.numpy() for name, grad in gradients(*model or [None]).items()}
    largest = max(np.abs(grad).max() for grad in one.values())
    assert largest > 0 and two.keys() == one.keys()
    for name, grad in one.items():
        np.testing.assert_allclose(two[name], grad, atol=1e-5 * largest)


@pytest.mark.slow
def test_a_cell_of_two_processes_is_run_taken_up_reused_and_begun_anew(tmp_path: Path) -> None:
    whole = start("-m", "paretosteer", *CELL, f"sweep_dir={tmp_path / 'whole'}")
    told, _ = whole.communicate(timeout=300)
    assert whole.returncode == 0, told
    assert told.count(": sampling ") == 1, told  # the first process alone
    killed = start("-m", "paretosteer", *CELL, f"sweep_dir={tmp_path / 'killed'}")
    while not list(tmp_path.glob("killed/bandit/*/*/.train-*/0001.*")):
        assert killed.poll() is None
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    again = start("-m", "paretosteer", *CELL, f"sweep_dir={tmp_path / 'killed'}")
    told, _ = again.communicate(timeout=300)
    assert again.returncode == 0, told
    cells = [next((tmp_path / name).rglob("record.json")).parent for name in ("whole", "killed")]
    one, two = (read_record(cell) for cell in cells)
    assert one.status == two.status == "ok"
    assert one.batch_size["train_processes"] == 2 and one.cost.train_steps == 12
    for file in ("checkpoint/policy.safetensors", "scores.parquet"):
        assert one.files[file] == two.files[file]
    for extra, sampled in ([], 0), (["--overwrite", "all"], 1):
        process = start("-m", "paretosteer", *CELL, f"sweep_dir={tmp_path / 'whole'}", *extra)
        told, _ = process.communicate(timeout=300)
        assert process.returncode == 0, told
        assert told.count(": sampling ") == sampled, told


@pytest.mark.slow
def test_a_method_that_exits_in_every_process_fails_its_cell(tmp_path: Path) -> None:
    plugin = tmp_path / "exits.py"
    plugin.write_text(
        "import sys\n"
        "from paretosteer.methods.rewarded_soup import RewardedSoup\n"
        "class Exits(RewardedSoup):\n"
        "    def train(self, benchmark, trainer): sys.exit(0)\n"
        'paretosteer_plugins = {"methods": {"exits": Exits}}\n'
    )
    out = tmp_path / "out"
    words = ["method=exits", f"sweep_dir={out}", "--plugin", str(plugin)]
    process = start("-m", "paretosteer", *CELL, *words)
    told, _ = process.communicate(timeout=300)
    assert process.returncode == 1, told
    record = read_record(next(out.rglob("record.json")).parent)
    assert record.error.type == "SystemExit" and record.error.stage == "train"


def test_a_sweep_is_one_process(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["sweep", "method=clp"]) == 2
    assert "sweep: started in several processes" in capfd.readouterr().err
