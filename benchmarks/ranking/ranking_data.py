"""The benchmark's data, from files or made here: queries of every split, scaled and labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from paretosteer.benchmarks.ranking.fold_files import SPLITS, find
from paretosteer.benchmarks.ranking.letor import PARSER_VERSION, Letor, join, load
from paretosteer.benchmarks.ranking.queries import (
    Query,
    Scaling,
    check_auxiliary,
    check_left,
    make_queries,
    split_training,
)
from paretosteer.benchmarks.ranking.synthetic import FOLDS, SYNTHETIC_VERSION, synthetic
from paretosteer.storage.digest import digest, input_digest

GLANCE = 1 << 16  # bytes
DATA_VERSION = "1"  # of what is done to features and labels


@dataclass(frozen=True)
class RankingData:
    """One fold."""

    splits: dict[str, list[Query]]  # "train", "calibration", "validation", "test"
    width: int  # inputs per document
    excluded: dict[str, dict[str, int]]  # queries left out of "train", "validation", "test"
    folds: int  # how many there are
    family: str  # digest of what all folds of this data share

    @property
    def note(self) -> str:
        """How many queries of which splits were left out, and why; empty where none was."""
        left = {split: sum(self.excluded[split].values()) for split in SPLITS}
        kept = sum(len(queries) for queries in self.splits.values())
        out = sum(left.values())
        if not out:
            return ""
        reasons = Counter[str]()
        for excluded in self.excluded.values():
            reasons.update(excluded)
        told = ", ".join(f"{count} with {reason}" for reason, count in reasons.items())
        where = ", ".join(f"{split} {count}" for split, count in left.items())
        return f"{out} of {out + kept} queries left out: {told} ({where})."


def load_data(
    path: str | None, fold: int, auxiliary: Mapping[str, int], grades: int
) -> RankingData:
    """Fold 1, 2, ... of the data set in a folder, or of the synthetic one.

    `auxiliary` names feature columns, from 1, that become objectives with labels 0 ... grades - 1
    (2 or more grades). Features are scaled by training queries; a tenth of these is put aside for
    calibration. Raises `UsageError` as the parts do: see `find`, `load`, `make_queries`.
    """
    parts, folds, family = _from_folder(path, fold) if path else _made_here(fold)
    check_auxiliary(list(parts.values()), auxiliary)
    width = parts["train"].width - len(auxiliary)
    # Popped, so that features are not held in one more version than needed.
    made = {split: make_queries(parts.pop(split), auxiliary, grades) for split in SPLITS}
    for split, (queries, excluded) in made.items():
        check_left(split, queries, excluded)
    train, calibration = split_training(made["train"][0])
    splits = {
        "train": train,
        "calibration": calibration,
        "validation": made["validation"][0],
        "test": made["test"][0],
    }
    scaling = Scaling.fit(train)
    return RankingData(
        {split: scaling.scaled(queries) for split, queries in splits.items()},
        width,
        {split: excluded for split, (_, excluded) in made.items()},
        folds,
        digest({"files": family, "auxiliary": list(auxiliary.items()), "grades": grades}),
    )


def data_digest(path: str | None, fold: int, auxiliary: Mapping[str, int], grades: int) -> str:
    """Digest of all that `load_data` depends on, without reading more than the files' bytes."""
    if path:
        splits = find(Path(path), fold).splits
        content: object = {s: [input_digest(file) for file in splits[s]] for s in SPLITS}
    else:
        content = {"synthetic": SYNTHETIC_VERSION, "fold": fold}
    versions = {"data": DATA_VERSION, "parser": PARSER_VERSION}
    options = {"auxiliary": list(auxiliary.items()), "grades": grades}
    return digest({"content": content, "versions": versions, **options})


def _from_folder(path: str, fold: int) -> tuple[dict[str, Letor], int, object]:
    """Splits, number of folds, and what tells this data set from others."""
    folder = Path(path)
    files = find(folder, fold)
    paths = [file for split in SPLITS for file in files.splits[split]]
    loaded = dict(zip(paths, load(paths), strict=True))
    parts = {split: join([loaded[file] for file in files.splits[split]]) for split in SPLITS}
    seen = {file.relative_to(folder).as_posix(): _glance(file) for file in files.everything}
    return parts, files.folds, seen


def _glance(path: Path) -> list[object]:
    """Size and beginning of a file: enough to tell data sets apart without reading all folds."""
    with path.open("rb") as file:
        return [path.stat().st_size, sha256(file.read(GLANCE)).hexdigest()]


def _made_here(fold: int) -> tuple[dict[str, Letor], int, object]:
    return synthetic(fold), FOLDS, {"synthetic": SYNTHETIC_VERSION}
