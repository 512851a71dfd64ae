"""Every kind of damage to a cell is a verdict of its own, never an error and never a wait."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from whole_cells import (
    Damage,
    book,
    booked,
    entry,
    naming,
    points,
    record_text,
    scores,
    text,
    write_whole_cell,
)

from paretosteer.sweeps.compose import compose_cell
from paretosteer.validation import evidence, validate


def cut(name: str) -> Damage:
    return lambda folder: os.truncate(folder / name, (folder / name).stat().st_size // 2)


def linked(name: str) -> Damage:
    def damage(folder: Path) -> None:
        away = folder.parents[3] / "away"
        shutil.move(folder / name, away)
        (folder / name).symlink_to(away)

    return damage


def piped(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return damage


def renamed(folder: Path) -> None:
    folder.rename(folder.with_name("seed1-0123456789"))


def asked_for(preferences: dict[str, Any]) -> Damage:
    """A configuration that asks for other preferences, and otherwise is one of this version."""

    def damage(folder: Path) -> None:
        config = compose_cell(["benchmark=bandit", "budget.steps=120"]).model_dump(mode="json")
        book(folder, config=config | {"preferences": preferences})

    return damage


def looped(folder: Path) -> None:
    shutil.rmtree(folder / "checkpoint")
    (folder / "checkpoint").symlink_to("checkpoint")


DAMAGE: dict[str, tuple[Damage, str]] = {
    "a record that is garbage": (
        text("record.json", b"\xff\x00\xfe"),
        "record.json is not valid JSON",
    ),
    "a record cut short": (cut("record.json"), "record.json is not valid JSON"),
    "a record that is a list": (text("record.json", "[]"), "breaks its schema: top level"),
    "a record nested deeply": (
        text("record.json", '{"config":' * 100_000),
        "record.json is nested too deeply",
    ),
    "a record with NaN": (
        record_text(lambda old: old.replace('"worst": 0.0', '"worst": NaN')),
        "NaN is not a finite number",
    ),
    "a record with infinity": (
        record_text(lambda old: old.replace('"worst": 0.0', '"worst": 1e999')),
        "1e999 is not a finite number",
    ),
    "a record with a huge number": (
        record_text(lambda old: old.replace('"n_failed": 0', '"n_failed": ' + "9" * 10_000)),
        "record.json is not valid JSON",
    ),
    "a record without a part": (
        record_text(lambda old: old.replace('"cost"', '"costs"')),
        "breaks its schema",
    ),
    "a record that is a link": (linked("record.json"), "record.json is a link"),
    "a record that is a pipe": (piped("record.json"), "record.json is not a regular file"),
    "a folder with another name": (renamed, "is at stories/clp/seed1-0123456789"),
    "an identity of its own": (
        entry("stages", "train", "0" * 64),
        "does not begin its training digest",
    ),
    "a fold beyond the last": (
        lambda folder: book(folder, fold={"index": 4, "of": 3, "family": "0" * 64}),
        "record says fold 4 of 3",
    ),
    "another seed in the configuration": (
        entry("config", "seed", 7),
        "record says seed 0, its configuration 7",
    ),
    "another config.yaml": (text("config.yaml", "seed: 1\n"), "config.yaml is not"),
    "no config.yaml": (lambda folder: (folder / "config.yaml").unlink(), "config.yaml is absent"),
    "scores that are no Parquet": (
        booked("scores.parquet", b"PAR1 and so on"),
        "scores.parquet is not a Parquet file",
    ),
    "scores that the record does not name": (
        naming("scores.parquet", None),
        "record names no scores.parquet",
    ),
    "scores cut short": (cut("scores.parquet"), "scores.parquet is not the file that was recorded"),
    "scores that are a pipe": (piped("scores.parquet"), "scores.parquet is not a regular file"),
    "scores that are a link": (linked("scores.parquet"), "scores.parquet is a link"),
    "scores that are a folder": (
        lambda folder: ((folder / "scores.parquet").unlink(), (folder / "scores.parquet").mkdir()),
        "scores.parquet is not a regular file",
    ),
    "no scores": (lambda folder: (folder / "scores.parquet").unlink(), "scores.parquet is absent"),
    "scores with NaN": (
        scores(lambda old: old.assign(sentiment=np.nan)),
        "scores.parquet holds NaN or a number beyond 1e+12",
    ),
    "scores beyond reason": (
        scores(lambda old: old.assign(sentiment=1e300)),
        "scores.parquet holds NaN or a number beyond 1e+12",
    ),
    "scores that are words": (
        scores(lambda old: old.assign(sentiment="good")),
        "scores.parquet holds something that is not a number",
    ),
    "scores without an objective": (
        scores(lambda old: old.drop(columns="variety")),
        "scores.parquet has no column variety",
    ),
    "a sample twice": (
        scores(lambda old: old.assign(sample=0, point=old["point"].replace(1, 0))),
        "scores.parquet has 4 samples twice",
    ),
    "a prompt at one point only": (
        scores(lambda old: old.assign(prompt_id=[*old["prompt_id"][:-1], "p99"])),
        "does not have every sample of every prompt",
    ),
    "points that are not the record's": (
        scores(lambda old: old.assign(point=old["point"] + 1)),
        "the record has 3 and 4",
    ),
    "fewer scores than counted": (scores(lambda old: old[:-1]), "has 11 rows, n_total is 12"),
    "counts that do not add up": (
        lambda folder: book(folder, n_failed=1),
        "n_scored 12 and n_failed 1 do not add up to n_total 12",
    ),
    "a lattice of a billion preferences": (
        asked_for({"name": "lattice", "divisions": 10**9}),
        "has 3 points that are not the 1000000001 preferences asked for",
    ),
    "a billion random preferences": (
        asked_for({"name": "random", "count": 10**9, "seed": 0}),
        "has 3 points that are not the 1000000000 preferences asked for",
    ),
    "more samples than were asked for": (
        entry("config", "budget", {"steps": 120, "test_samples": 2}),
        "3 points, 4 prompts and 2 samples make 24",
    ),
    "drift of other samples": (
        scores(lambda old: old.assign(prompt_id="q" + old["prompt_id"]), "drift.parquet"),
        "drift.parquet has other samples than the scores",
    ),
    "drift that was not measured": (
        scores(lambda old: old.assign(kl=np.inf), "drift.parquet"),
        "drift.parquet holds NaN",
    ),
    "a judge that nobody recorded": (
        lambda folder: shutil.copy(folder / "scores.parquet", folder / "judge.parquet"),
        "judge.parquet exists but is not in the record",
    ),
    "samples that are no JSON": (
        booked("samples.jsonl", "once upon a time\n"),
        "samples.jsonl holds a line that is not a sample",
    ),
    "samples of another run": (
        booked("samples.jsonl", '{"point": 0, "prompt_id": "p00", "sample": 3}\n'),
        "samples.jsonl has 1 samples that are not those of the scores",
    ),
    "samples nested deeply": (
        booked("samples.jsonl", "[" * 100_000),
        "samples.jsonl holds a line that is not a sample",
    ),
    "a preference off the simplex": (
        points([0.7, 0.7], [0.5, 0.5], [0.0, 1.0]),
        "point 0: preference (0.7, 0.7) is not on the simplex",
    ),
    "a preference twice": (
        points([1.0, 0.0], [1.0, 0.0], [0.0, 1.0]),
        "point 1: preference (1, 0) occurs twice",
    ),
    "a preference too long": (
        points([1.0, 0.0, 0.0], [0.5, 0.5], [0.0, 1.0]),
        "points: does not have one value for each of 2 objectives",
    ),
    "a deviation of 0": (
        entry("normaliser", "std", [1.0, 0.0]),
        "normaliser.std.1: should be greater than or equal to",
    ),
    "a mean beyond reason": (
        entry("normaliser", "mean", [1e300, 0.0]),
        "normaliser.mean.0: should be less than or equal to",
    ),
    "a short reference": (
        lambda folder: book(folder, reference=[-2.0]),
        "reference: does not have one value for each",
    ),
    "an oracle of other points": (
        lambda folder: book(folder, oracle={"points": [[1.0, 1.0]], "start": [0.0, 0.0]}),
        "oracle has 1 points, the cell has 3",
    ),
    "more steps than the budget has": (
        entry("cost", "train_steps", 600),
        "took 600 optimiser steps, the budget has 120",
    ),
    "a cost below 0": (
        entry("cost", "reward_calls", -1),
        "cost.reward_calls: should be greater than or equal to 0, found -1",
    ),
    "a log that ends early": (
        booked("training.csv", "step,loss\n1,0.5\n"),
        "training.csv ends at step 1, the record has 120",
    ),
    "a log that is garbage": (
        booked("training.csv", b"step\n\xff\xfe"),
        "training.csv is not a training log",
    ),
    "a checkpoint that runs code": (
        lambda folder: (folder / "checkpoint" / "policy.pt").write_bytes(b"\x80\x04."),
        "checkpoint/policy.pt is neither safetensors nor JSON",
    ),
    "a checkpoint without its end": (
        booked("checkpoint/policy.safetensors", b"\x10\0\0\0\0\0\0\0{}"),
        "checkpoint/policy.safetensors is not a safetensors file",
    ),
    "a checkpoint that is a loop": (looped, "is a link, which may lead out of the cell's folder"),
    "stages that are garbage": (text("stages.json", "{"), "stages.json is not valid JSON"),
    "stages that were changed": (
        lambda folder: text(
            "stages.json", (folder / "stages.json").read_text().replace('"n_failed"', '"failed"')
        )(folder),
        "stages.json was changed after it was written (its digest differs)",
    ),
    "stages that are a list": (text("stages.json", "[1]"), "stages.json is malformed"),
    "stages of another run": (
        text(
            "stages.json",
            '{"train": {"digest": "a", "files": {}, "facts": {"account": {"steps": 1}}},'
            ' "score": {"digest": "b", "files": {}, "facts": {"n_total": 1, "n_failed": 0}}}',
        ),
        "stages.json has other stages than the record",
    ),
    "a file above the folder": (naming("../secret"), "'../secret' is not a path inside"),
    "a file anywhere": (naming("/etc/passwd"), "'/etc/passwd' is not a path inside"),
    "a name with a NUL": (naming("a\0b"), "is not a path inside"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_said(tmp_path: Path, name: str) -> None:
    damage, message = DAMAGE[name]
    damage(write_whole_cell(tmp_path / "sweep"))
    (verdict,) = validate(tmp_path / "sweep")
    assert verdict.word == "not trusted"
    assert message in verdict.line
    assert verdict.remedies
    assert "could not be checked" not in verdict.line


def test_a_whole_cell_is_trusted(tmp_path: Path) -> None:
    write_whole_cell(tmp_path)
    (verdict,) = validate(tmp_path)
    assert verdict.word == "trusted"
    assert verdict.notes == [
        "cannot be computed again here: model.pad_token: missing from the configuration; add it"
    ]


def test_several_faults_are_each_named(tmp_path: Path) -> None:
    folder = write_whole_cell(tmp_path)
    (folder / "scores.parquet").unlink()
    text("config.yaml", "")(folder)
    (verdict,) = validate(tmp_path)
    assert {
        "scores.parquet is absent",
        "config.yaml is not the configuration of the record",
    } <= set(verdict.faults)


def test_a_record_alone_is_one_fault(tmp_path: Path) -> None:
    folder = write_whole_cell(tmp_path)
    for path in [each for each in folder.rglob("*") if each.is_file()]:
        if path.name != "record.json":
            path.unlink()
    (verdict,) = validate(tmp_path)
    assert "only its record is here, without any of its" in verdict.faults[0]
    assert len(verdict.faults) == 1 == len(verdict.remedies)


def test_files_that_no_check_reads_may_be_of_any_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked("recording.bin", b"\0" * 300_000)(write_whole_cell(tmp_path))
    monkeypatch.setattr(evidence, "MOST_BYTES", 200_000)
    (verdict,) = validate(tmp_path)
    assert verdict.word == "trusted"


def test_unfinished_work_and_strangers_do_not_count_against_a_cell(tmp_path: Path) -> None:
    folder = write_whole_cell(tmp_path)
    (folder / ".parts").mkdir()
    (folder / ".parts" / "scores.parquet").write_bytes(b"half")
    (folder / ".lock").touch()
    (folder / "engine.log").write_text("vLLM started")
    (folder / "thoughts.txt").write_text("mine")
    (verdict,) = validate(tmp_path)
    assert verdict.word == "trusted"
    assert "holds files that its record does not name: thoughts.txt" in verdict.notes
    assert "engine.log" not in verdict.notes
