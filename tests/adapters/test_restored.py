"""Finished cells as usable policies, and what is said of those that are none."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_model import errors

from paretosteer import restore_cell
from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.runtime.terminal import printable
from paretosteer.serving.answers import Answer
from paretosteer.storage.digest import with_digest
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, run_one
from paretosteer.text.samples import TextSamples

PROMPTS = ["Once upon a time,", "Lily was happy. One day,"]


@pytest.mark.parametrize("name", ["bone_soup", "words", "vectors", "one_each", "start"])
def test_a_restored_cell_writes_what_it_wrote(cells: dict[str, Path], name: str) -> None:
    cell = restore_cell(cells[name])
    lines = [json.loads(x) for x in (cells[name] / "samples.jsonl").read_text().splitlines()]
    points = json.loads((cells[name] / "record.json").read_text())["points"]
    prompts = {prompt.id: prompt for prompt in cell.benchmark.prompts("test")}
    for line in lines[:4]:
        point = points[line["point"]]
        control = cell.control([point["preference"]], point["dials"])
        prompt = prompts[line["prompt_id"]]
        (text,) = cell.method.policy.answer([prompt], control, 0, [line["sample"]]).texts  # type: ignore[attr-defined]
        assert text == line["text"]


def test_answers_do_not_feel_what_is_asked_beside_them(cells: dict[str, Path]) -> None:
    cell = restore_cell(cells["bone_soup"])
    grid = [[1.0, 0.0], [0.2, 0.8]]
    found = cell.answer(PROMPTS, grid, samples=2)
    alone = [
        answer
        for prompt in PROMPTS
        for mu in grid
        for answer in cell.answer([prompt], [mu], samples=2)
    ]
    assert found == alone and len(found) == 8
    assert [x.sample for x in found[:2]] == [0, 1] and found[0].text != found[1].text
    texts = [answer.text for answer in found]
    typed = [cell.benchmark.typed(answer.prompt) for answer in found]
    scores = cell.benchmark.score(TextSamples.of_texts(typed, [0] * len(texts), texts))
    np.testing.assert_allclose([list(answer.scores.values()) for answer in found], scores)
    assert cell.answer(PROMPTS[:1], grid[:1], seed=1) != found[:1]


def test_a_dial_reaches_the_policy(cells: dict[str, Path]) -> None:
    cell = restore_cell(cells["vectors"])
    near, far = (
        cell.control([[0.5, 0.5]], {"temperature": factor}).sharpness for factor in (4.0, 0.5)
    )
    assert near is not None and far is not None
    assert (near.item(), far.item()) == (0.25, 2.0)


def test_sample_prints_every_answer_with_its_scores(
    cells: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--preference", "1,0", "--preference", "0.2,0.8", "--samples", "2"]
    asked = [word for prompt in PROMPTS for word in ("--prompt", prompt)]
    assert main(["sample", str(cells["bone_soup"]), *where, *asked]) == 0
    told = capsys.readouterr().out
    for answer in restore_cell(cells["bone_soup"]).answer(
        PROMPTS, [[1.0, 0.0], [0.2, 0.8]], samples=2
    ):
        scores = ", ".join(f"{name} {value:.3g}" for name, value in answer.scores.items())
        assert f"{answer.text.strip()}\nscores: {scores}\n" in told
    heads = [line for line in told.splitlines() if line.startswith("[")]
    assert heads[1:3] == [
        "[positive 1, varied 0, sample 2]",
        "[positive 0.2, varied 0.8, sample 1]",
    ]
    assert [line for line in told.splitlines() if line.startswith(">")] == [
        f"> {prompt}" for prompt in PROMPTS
    ]


def test_a_session_goes_on_after_a_wrong_line(
    cells: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["One day,", "/preference 0.5,0.6", "/preference 0.5", "/hepl", "", "/preference"]
    lines += ["word " * 200, "/preference 0,1 0.5,0.5", "One day,"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
    assert main(["sample", str(cells["bone_soup"]), "--preference", "1,0"]) == 0
    told = capsys.readouterr()
    heads = [line for line in told.out.splitlines() if line.startswith("[")]
    assert heads == [
        "[positive 1, varied 0]",
        "[positive 0, varied 1]",
        "[positive 0.5, varied 0.5]",
    ]
    said = errors(told.err)
    assert len(said) == 5
    assert "objectives are positive, varied" in said[0] and "is not a command" in said[2]
    assert "benchmark.max_new_tokens" in said[4]


def test_a_session_lists_its_commands_and_quits(
    cells: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("/help\n/quit\nOne day,\n"))
    assert main(["sample", str(cells["start"]), "--preference", "1,0"]) == 0
    told = capsys.readouterr()
    assert "weights of positive, varied; now 1,0" in told.err and "/quit" in told.err
    assert not told.out


def test_texts_cannot_steer_the_terminal(
    cells: dict[str, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wicked = "one\x1b[2Jtwo\r\x07\u202e\x9b0m\nthree\tfour é 漢 😀"
    answer = Answer("p", (1.0, 0.0), 0, wicked, {"positive": float("nan"), "varied": 1.0})
    monkeypatch.setattr("paretosteer.serving.answers.answers", lambda *_: [answer])
    where = ["--preference", "1,0", "--prompt", "p"]
    assert main(["sample", str(cells["start"]), *where]) == 0
    told = capsys.readouterr().out
    assert "one\\x1b[2Jtwo\\r\\x07\\u202e\\x9b0m\nthree\tfour é 漢 😀\n" in told
    assert "scores: positive nan, varied 1" in told
    assert not {c for c in told if ord(c) < 32} - {"\n", "\t"}
    assert printable("plain\ttext\n") == "plain\ttext\n"


def test_a_moved_start_model_is_named_and_can_be_pointed_at(
    cells: dict[str, Path], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / cells["start"].name
    shutil.copytree(cells["start"], moved)
    record = json.loads((moved / "record.json").read_text())
    ask = ["--preference", "1,0", "--prompt", "One day,"]
    for path, message in (
        ("/gone/model", "the folder '/gone/model'"),
        ("gone", "the folder 'gone'"),
    ):
        record["config"]["model"]["path"] = path
        (moved / "record.json").write_text(json.dumps(with_digest(record)))
        assert main(["sample", str(moved), *ask]) == 2
        assert f"model.path: {message}" in capsys.readouterr().err
    assert main(["sample", str(moved), *ask, "--model", str(model)]) == 0
    other = tmp_path / "other"
    shutil.copytree(model, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-3}))
    assert main(["sample", str(moved), *ask, "--model", str(other)]) == 2
    assert "was trained on another start model than" in capsys.readouterr().err


def test_a_cell_without_a_policy_is_one_line(
    cells: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusal(folder: Path) -> str:
        with pytest.raises(UsageError) as caught:
            restore_cell(folder)
        return str(caught.value)

    assert "is not a folder" in refusal(tmp_path / "none")
    assert "holds no cell" in refusal(tmp_path)
    sweep = cells["start"].parents[3]
    assert "cells; pass one of them, such as" in refusal(sweep)
    broken = tmp_path / cells["head"].name
    shutil.copytree(cells["head"], broken)
    (broken / "checkpoint" / "policy.safetensors").write_bytes(b"")
    assert "has no trained policy (ok: its checkpoint is incomplete)" in refusal(broken)
    (broken / "record.json").unlink()
    (broken / "stages.json").unlink()
    assert "has no trained policy (missing: no record.json" in refusal(broken)


def test_a_cell_that_was_interrupted_after_training_is_good(
    cells: dict[str, Path], tmp_path: Path
) -> None:
    early = tmp_path / cells["bone_soup"].name
    shutil.copytree(cells["bone_soup"], early)
    (early / "record.json").unlink()
    one, other = (
        restore_cell(folder).answer(PROMPTS, [[0.5, 0.5]]) for folder in (cells["bone_soup"], early)
    )
    assert one == other
    stages = json.loads((early / "stages.json").read_text())
    stages["train"]["digest"] = "0" * 64
    (early / "stages.json").write_text(json.dumps(with_digest(stages)))
    with pytest.raises(UsageError, match="was trained on another start model"):
        restore_cell(early)


def test_stages_of_another_cell_are_not_served(cells: dict[str, Path], tmp_path: Path) -> None:
    mixed = tmp_path / cells["bone_soup"].name
    shutil.copytree(cells["bone_soup"], mixed)
    shutil.rmtree(mixed / "checkpoint")
    for name in ("checkpoint", "stages.json", "training.csv"):
        place = cells["factors"] / name
        (shutil.copytree if place.is_dir() else shutil.copy)(place, mixed / name)
    with pytest.raises(UsageError, match=r"stages.json and checkpoint are not those of its record"):
        restore_cell(mixed)


def test_an_edited_configuration_is_named_and_not_used(
    cells: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edited = tmp_path / cells["bone_soup"].name
    shutil.copytree(cells["bone_soup"], edited)
    text = (edited / "config.yaml").read_text()
    (edited / "config.yaml").write_text(text.replace("beta: 0.6", "beta: 0.9"))
    assert restore_cell(edited).plan.method_options.beta == 0.6
    assert "config.yaml was edited; the configuration in record.json is used" in (
        capsys.readouterr().err
    )


def test_where_it_runs_is_checked(cells: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="device: found 'gpu', expected"):
        restore_cell(cells["start"], device="gpu")
    with pytest.raises(UsageError, match="device: found 'mps', but no such device"):
        restore_cell(cells["start"], device="mps")


@pytest.mark.parametrize("prompt", ["", "  ", "a\udcff"])
def test_a_prompt_that_is_none(cells: dict[str, Path], prompt: str) -> None:
    with pytest.raises(UsageError, match=r"^prompt: .*(empty|not valid UTF-8)"):
        restore_cell(cells["start"]).answer([prompt], [[0.5, 0.5]])


@pytest.mark.parametrize(
    ("prompts", "preferences", "message"),
    [
        ("Once", [[0.5, 0.5]], "^prompts: found a single string; pass a list of prompts"),
        (
            ["Once"],
            {"positive": 0.5, "varied": 0.5},
            "^preference: found dict .*; pass rows",
        ),
        (["Once"], [[0.5, 0.5], [1.0]], "^preference: found list .*; pass rows of one"),
    ],
)
def test_arguments_of_another_kind(
    cells: dict[str, Path], prompts: object, preferences: object, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        restore_cell(cells["start"]).answer(prompts, preferences)  # type: ignore[arg-type]


def test_worlds_without_text_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["benchmark=bandit", "method=clp", "budget=smoke", f"sweep_dir='{tmp_path}'"]
    assert run_one(PlannedCell.of(compose_cell(given))).status == "ok"
    for words in (["sample", "--prompt", "a"], ["export", "--out", str(tmp_path / "out")]):
        command, *rest = words
        assert main([command, str(tmp_path), "--preference", "1,0", *rest]) == 2
        (line,) = errors(capsys.readouterr().err)
        assert "benchmark bandit has no text; use `paretosteer report` to see its points" in line
    cell = restore_cell(tmp_path)
    assert cell.control([[0.5, 0.5]]).rows == 1
    with pytest.raises(UsageError, match="bandit has no text"):
        cell.answer(["a"], [[0.5, 0.5]])


@pytest.mark.slow
def test_a_process_of_its_own_exports_and_samples(cells: dict[str, Path], tmp_path: Path) -> None:
    code = (
        "import sys; from paretosteer.commands.main import main\n"
        "cell = ['--preference', '0.3,0.7', sys.argv[1]]\n"
        "code = main(['export', *cell, '--out', 'out', '--as', 'peft'])\n"
        "sys.exit(code or main(['sample', *cell]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, cells["bone_soup"]],
        cwd=tmp_path,
        input="One day,\n/preference 0,1\nOne day,\n",
        capture_output=True,
        text=True,
        check=True,
    )
    first, *others = done.stdout.splitlines()
    assert first == "exported: out" and done.stderr == ""
    heads = [line for line in others if line.startswith("[")]
    assert heads == ["[positive 0.3, varied 0.7]", "[positive 0, varied 1]"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("adapter_config.json", "adapter_model.safetensors", "generation_config.json"),
        *("README.md", "paretosteer.json"),
    }
