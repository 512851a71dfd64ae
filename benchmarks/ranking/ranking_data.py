"""Data of the benchmark, from files or synthetic: scaled and labelled queries of every split."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from paretosteer.benchmarks.ranking.fold_files import SPLITS, find
from paretosteer.benchmarks.ranking.letor import (
    PARSER_VERSION,
    Letor,
    join,
    load,
    opened,
    sizes_file,
)
from paretosteer.benchmarks.ranking.queries import (
    Query,
    Scaling,
    check_auxiliary,
    check_left,
    make_queries,
    split_training,
)
from paretosteer.benchmarks.ranking.synthetic import FOLDS, SYNTHETIC_VERSION, synthetic
from paretosteer.errors import UsageError
from paretosteer.storage.digest import digest, input_digest

# LETOR 4.0 (MQ2007, MQ2008), whose documents are those of the Gov2 collection.
LETOR_4_WIDTH, LETOR_4 = 46, {"pagerank": 41, "inlinks": 42}
MSLR_WIDTH = 136
DATA_VERSION = "1"  # of the processing of features and labels


@dataclass(frozen=True)
class RankingData:
    """Data of one fold."""

    splits: dict[str, list[Query]]  # "train", "calibration", "validation", "test"
    width: int  # inputs per document
    excluded: dict[str, dict[str, int]]  # queries left out by split of the files and by reason
    folds: int  # number of folds
    family: str  # digest shared by all folds of one data set

    @property
    def note(self) -> str:
        """Number of queries left out, by reason and by split; empty if there are none."""
        by_split = {split: sum(self.excluded[split].values()) for split in SPLITS}
        used = sum(len(queries) for queries in self.splits.values())
        out = sum(by_split.values())
        if not out:
            return ""
        reasons = Counter[str]()
        for excluded in self.excluded.values():
            reasons.update(excluded)
        why = ", ".join(f"{count} with {reason}" for reason, count in reasons.items())
        where = ", ".join(f"{split} {count}" for split, count in by_split.items())
        return f"{out} of {out + used} queries left out: {why} ({where})."


def load_data(
    path: str | None, fold: int, auxiliary: Mapping[str, int], grades: int
) -> RankingData:
    """Fold 1, 2, ... of the data set in a folder, or of the synthetic one if `path` is None.

    `auxiliary` maps objective names to feature columns, counted from 1, which become labels
    0 ... grades - 1 (2 or more grades). A tenth of the training queries is reserved for
    calibration. Features are standardised by the remaining training queries. For errors see `find`,
    `load` and `check_auxiliary`.
    """
    parts, folds, family = _from_folder(path, fold) if path else _synthetic(fold)
    check_auxiliary(list(parts.values()), auxiliary)
    width = parts["train"].width - len(auxiliary)
    # `pop` frees the raw features of a split before the next one is converted.
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
    """Digest of everything that `load_data` depends on, without parsing the files."""
    if path:
        splits = find(Path(path), fold).splits
        content: object = {s: [_file_key(file) for file in splits[s]] for s in SPLITS}
    else:
        content = {"synthetic": SYNTHETIC_VERSION, "fold": fold}
    versions = {"data": DATA_VERSION, "parser": PARSER_VERSION}
    options = {"auxiliary": list(auxiliary.items()), "grades": grades}
    return digest({"content": content, "versions": versions, **options})


def _file_key(path: Path) -> object:
    beside = sizes_file(path)
    return [input_digest(path), input_digest(beside)] if beside else input_digest(path)


def known_columns(path: str | None) -> dict[str, int]:
    """Auxiliary columns of a data set that is recognised by its content.

    Raises
    ------
    UsageError
        If it is not recognised: a column's number alone does not say what it holds.

    """
    if not path:
        return LETOR_4
    files = find(Path(path), 1)
    file = files.splits["train"][0]
    with opened(file) as stream:
        line = next((line for line in stream if line.partition(b"#")[0].strip()), b"")
    features, _, comment = line.partition(b"#")
    width = len(features.split()) - 2
    if width == LETOR_4_WIDTH and re.match(rb"\s*docid = GX\d", comment):
        return LETOR_4
    hint = {
        LETOR_4_WIDTH: "; for MQ2007 or MQ2008, [pagerank:41,inlinks:42]",
        MSLR_WIDTH: "; for MSLR, [pagerank:130,inlinks:128] or experiment=mslr",
    }.get(width, "")
    raise UsageError(
        f"benchmark.auxiliary: not set, and {file.name} is not recognised as MQ2007 or MQ2008, "
        "whose columns have known names; set benchmark.auxiliary=[NAME:COLUMN,...] to features "
        f"of these data{hint}"
    )


def _from_folder(path: str, fold: int) -> tuple[dict[str, Letor], int, object]:
    """Splits of a fold, number of folds, and a fingerprint of the data set."""
    folder = Path(path)
    files = find(folder, fold)
    paths = [file for split in SPLITS for file in files.splits[split]]
    loaded = dict(zip(paths, load(paths), strict=True))
    parts = {split: join([loaded[file] for file in files.splits[split]]) for split in SPLITS}
    family = {file.relative_to(folder).as_posix(): _file_key(file) for file in files.everything}
    return parts, files.folds, family


def _synthetic(fold: int) -> tuple[dict[str, Letor], int, object]:
    return synthetic(fold), FOLDS, {"synthetic": SYNTHETIC_VERSION}
