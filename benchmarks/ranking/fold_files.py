"""Training, validation and test files of a fold, in three common folder layouts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paretosteer.errors import UsageError

PARTS = 5  # of a data set that comes as `S1.txt` ... `S5.txt`
SPLITS = ("train", "validation", "test")
FILE_NAMES = {
    "train": ("train.txt", "rank.train"),
    "validation": ("vali.txt", "val.txt", "valid.txt", "validation.txt", "dev.txt", "rank.vali"),
    "test": ("test.txt", "rank.test"),
}
COMPRESSED = ("", ".gz", ".bz2", ".xz")  # suffixes that may follow
LAYOUTS = (
    "use a folder with S1.txt ... S5.txt, with Fold1, Fold2, ..., or with train.txt, vali.txt and "
    "test.txt"
)
_OTHER_PART = r"S(?:0|[6-9]|[1-9]\d+)\.txt(?:\.gz|\.bz2|\.xz)?$"
SHOWN = 8  # folder entries listed in an error


@dataclass(frozen=True)
class Files:
    """Files of one fold."""

    splits: dict[str, tuple[Path, ...]]  # "train", "validation", "test"
    folds: int  # number of folds
    everything: tuple[Path, ...]  # of all folds, in a fixed order


def find(folder: Path, fold: int) -> Files:
    """Files of a fold, counted from 1.

    Three layouts are supported: `S1.txt` ... `S5.txt`, which the folds rotate (see `rotation`);
    folders `Fold1`, `Fold2`, ... with a `train.txt`, a `vali.txt` and a `test.txt` each (or another
    of `FILE_NAMES`); and a folder with these three files, which is fold 1 of 1. Each file may be
    compressed. Raises `UsageError` if the folder has none of these layouts, or if the fold does not
    exist.
    """
    _check_folder(folder)
    rotating, folders = _rotating(folder), _folders(folder)
    if rotating and folders:
        raise UsageError(
            f"benchmark.path: {folder} has Fold1 beside S1.txt, and only one of the two data sets "
            "would be read; move one to another folder"
        )
    several = rotating or folders
    loose = [path.name for names in FILE_NAMES.values() if (path := _found(folder, names))]
    if several and loose:
        raise UsageError(
            f"benchmark.path: {folder} has {loose[0]} beside the files of several folds, and only "
            "one of the two data sets would be read; move one to another folder"
        )
    folds = several or _single(folder)
    if not folds:
        raise UsageError(f"benchmark.path: {folder} holds {_listing(folder)}; {LAYOUTS}")
    check_fold(fold, len(folds))
    paths = {path for splits in folds for split in splits.values() for path in split}
    return Files(folds[fold - 1], len(folds), tuple(sorted(paths)))


def rotation(fold: int) -> dict[str, tuple[int, ...]]:
    """Part numbers (1 ... 5) of each split of fold k.

    Parts k to k + 2 are for training, k + 3 for validation and k + 4 for testing, modulo 5: fold 2
    tests on part 1. This is LETOR's rotation (Qin and Liu, 2013, arXiv 1306.2597).
    """
    parts = [(fold - 1 + i) % PARTS + 1 for i in range(PARTS)]
    return {"train": tuple(parts[:3]), "validation": (parts[3],), "test": (parts[4],)}


def check_fold(fold: int, folds: int) -> None:
    """Raise `UsageError` unless 1 <= fold <= folds."""
    if not 1 <= fold <= folds:
        valid = f"a fold from 1 to {folds}" if folds > 1 else "fold 1, the only one"
        raise UsageError(f"benchmark.fold: fold {fold} does not exist; use {valid}")


def _rotating(folder: Path) -> list[dict[str, tuple[Path, ...]]]:
    found = {number: _found(folder, [f"S{number}.txt"]) for number in range(1, PARTS + 1)}
    missing = [f"S{number}.txt" for number, path in found.items() if path is None]
    if len(missing) == PARTS:
        return []
    if missing:
        raise UsageError(f"benchmark.path: {folder} has no {', '.join(missing)}; {LAYOUTS}")
    if others := sorted(path.name for path in folder.iterdir() if re.match(_OTHER_PART, path.name)):
        raise UsageError(
            f"benchmark.path: {folder} has {others[0]} beside S1.txt ... S5.txt, which are read as "
            "a whole data set; join the parts to five, or move it to another folder"
        )
    parts = {number: path for number, path in found.items() if path is not None}
    return [
        {split: tuple(parts[number] for number in rotation(fold)[split]) for split in SPLITS}
        for fold in parts
    ]


def _folders(folder: Path) -> list[dict[str, tuple[Path, ...]]]:
    numbers = [
        int(path.name.removeprefix("Fold"))
        for path in folder.iterdir()
        if re.fullmatch(r"Fold[1-9][0-9]*", path.name) and path.is_dir()
    ]
    missing = sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers))
    if missing:
        names = ", ".join(f"Fold{number}" for number in missing)
        raise UsageError(f"benchmark.path: {folder} has no {names}; {LAYOUTS}")
    return [_named(folder / f"Fold{number}") for number in sorted(numbers)]


def _single(folder: Path) -> list[dict[str, tuple[Path, ...]]]:
    return [_named(folder)] if any(_found(folder, n) for n in FILE_NAMES.values()) else []


def _named(folder: Path) -> dict[str, tuple[Path, ...]]:
    """Files of a folder with one file per split."""
    files: dict[str, tuple[Path, ...]] = {}
    for split, names in FILE_NAMES.items():
        path = _found(folder, names)
        if path is None:
            raise UsageError(f"benchmark.path: {folder} has no {_either(names)}; {LAYOUTS}")
        files[split] = (path,)
    return files


def _found(folder: Path, names: Sequence[str]) -> Path | None:
    """The one file with one of these names, plain or compressed; UsageError if there are two."""
    candidates = [folder / f"{name}{suffix}" for name in names for suffix in COMPRESSED]
    paths = [path for path in candidates if path.is_file()]
    if len(paths) > 1:
        both = " and ".join(path.name for path in paths)
        raise UsageError(f"benchmark.path: {folder} has {both}; keep one of them")
    return paths[0] if paths else None


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (or {', '.join(names[1:])})"


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        raise UsageError(f"benchmark.path: {folder} does not exist; {LAYOUTS}")
    if not folder.is_dir():
        raise UsageError(f"benchmark.path: {folder} is a file; {LAYOUTS}")


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    more = f", ... ({len(names)} entries)" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "nothing") + more
