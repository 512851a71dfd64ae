"""Cells as a report's tests make them up, completed to all that a run leaves; and their damage."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import OmegaConf
from safetensors.numpy import save_file

from paretosteer.cells.provenance import source_digest, versions
from paretosteer.storage.digest import file_digest, with_digest

sys.path.insert(0, str(Path(__file__).parents[1] / "report"))
from report_cells import GRID, digest, write_cell, write_unscored

__all__ = ["write_unscored"]

Damage = Callable[[Path], object]


def write_whole_cell(sweep: Path, method: str = "clp", **options: Any) -> Path:
    """A finished cell with nothing wrong, by default of three points and four prompts."""
    identity = digest(f"{method} {options.get('seed', 0)}")
    changes = {
        "identity": identity[:10],
        "stages": {"train": identity, "sample": digest("sample"), "score": digest("score")},
        "source_digest": source_digest(),
        "versions": versions(),
        "git": {"commit": None, "dirty": None},
    }
    options = {"grid": GRID, "prompts": 4, **options}
    folder = write_cell(sweep, method, lambda mu: 2 * mu, changes=changes, **options)
    (folder / "checkpoint").mkdir()
    save_file({"bank": np.ones((2, 3))}, folder / "checkpoint" / "policy.safetensors")
    (folder / "checkpoint" / "method.json").write_text("{}")
    log = "".join(f"{step},0.5\n" for step in range(1, 121))
    (folder / "training.csv").write_text(f"step,loss\n{log}")
    book(folder)
    return folder


def book(folder: Path, **changes: Any) -> None:
    """Change the record, and let it, its configuration and its stages fit what is there now."""
    record = json.loads((folder / "record.json").read_text()) | changes
    own = ("record.json", "config.yaml", "stages.json")
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in own)
    record["files"] = {path.relative_to(folder).as_posix(): file_digest(path) for path in found}
    (folder / "record.json").write_text(json.dumps(with_digest(record)))
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(record["config"]))
    facts = {
        "train": {"account": {"steps": record["cost"]["train_steps"]}},
        "sample": {},
        "score": {"n_total": record["n_total"], "n_failed": record["n_failed"]},
    }
    stages = {
        name: {"digest": record["stages"][name], "files": {}, "facts": facts[name]}
        for name in facts
    }
    stages["train"]["files"] = record["files"]
    (folder / "stages.json").write_text(json.dumps(with_digest(stages)))


def entry(name: str, key: str, value: Any) -> Damage:
    """Change one value inside a part of the record, everything else fitting."""

    def change(folder: Path) -> None:
        part = json.loads((folder / "record.json").read_text())[name]
        book(folder, **{name: {**part, key: value}})

    return change


def points(*preferences: list[float]) -> Damage:
    """Other preferences in the record."""
    return lambda folder: book(
        folder, points=[{"preference": mu, "dials": {}} for mu in preferences]
    )


def scores(change: Callable[[pd.DataFrame], pd.DataFrame], name: str = "scores.parquet") -> Damage:
    """Other scores, with their digests."""

    def damage(folder: Path) -> None:
        change(pd.read_parquet(folder / name)).to_parquet(folder / name)
        book(folder)

    return damage


def text(name: str, content: str | bytes) -> Damage:
    """A file with other content under its old digest."""
    return lambda folder: (folder / name).write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )


def booked(name: str, content: str | bytes) -> Damage:
    """A file with other content under a digest of its own."""

    def damage(folder: Path) -> None:
        text(name, content)(folder)
        book(folder)

    return damage


def record_text(change: Callable[[str], str]) -> Damage:
    """The record as other text."""
    return lambda folder: text("record.json", change((folder / "record.json").read_text()))(folder)


def naming(name: str, content: str | None = "content") -> Damage:
    """A record that names one file more, or without content one file fewer."""

    def damage(folder: Path) -> None:
        record = json.loads((folder / "record.json").read_text())
        record["files"].pop(name, None)
        if content:
            record["files"][name] = digest(content)
        (folder / "record.json").write_text(json.dumps(with_digest(record)))

    return damage
