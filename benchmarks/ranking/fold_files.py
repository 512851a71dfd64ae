"""Which files a fold trains, validates and tests on, in the three usual layouts of a folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paretosteer.errors import UsageError

PARTS = 5  # that `S1.txt` ... `S5.txt` rotate
SPLITS = ("train", "validation", "test")
FILE_NAMES = {
    "train": ("train.txt",),
    "validation": ("vali.txt", "valid.txt", "validation.txt"),
    "test": ("test.txt",),
}
LAYOUTS = (
    "give a folder with S1.txt ... S5.txt, with Fold1, Fold2, ..., or with train.txt, vali.txt and "
    "test.txt"
)
SHOWN = 8  # entries of a folder that an error line names


@dataclass(frozen=True)
class Files:
    """Files of one fold."""

    splits: dict[str, tuple[Path, ...]]  # "train", "validation", "test"
    folds: int  # how many there are
    everything: tuple[Path, ...]  # of all folds, in a fixed order


def find(folder: Path, fold: int) -> Files:
    """Files of fold 1, 2, ... in a folder.

    `S1.txt` ... `S5.txt` rotate as `rotation` says; `Fold1`, `Fold2`, ... have a `train.txt`, a
    `vali.txt` (or `valid.txt`, `validation.txt`) and a `test.txt` each; a folder with these files
    itself is fold 1 of 1. Raises `UsageError` where there is none of these, or no such fold.
    """
    _check_folder(folder)
    every = _rotating(folder) or _folders(folder) or _single(folder)
    if not every:
        raise UsageError(f"benchmark.path: {folder} holds {_listing(folder)}; {LAYOUTS}")
    check_fold(fold, len(every))
    paths = {path for splits in every for split in splits.values() for path in split}
    return Files(every[fold - 1], len(every), tuple(sorted(paths)))


def rotation(fold: int) -> dict[str, tuple[int, ...]]:
    """Parts 1 ... 5 of fold k: k to k + 2 to train, k + 3 to validate, k + 4 to test.

    Parts are counted round and round, so fold 2 tests on part 1.
    """
    parts = [(fold - 1 + i) % PARTS + 1 for i in range(PARTS)]
    return {"train": tuple(parts[:3]), "validation": (parts[3],), "test": (parts[4],)}


def check_fold(fold: int, folds: int) -> None:
    """Raise `UsageError` unless 1 <= fold <= folds."""
    if not 1 <= fold <= folds:
        known = f"1 to {folds}" if folds > 1 else "1"
        raise UsageError(f"benchmark.fold: there is no fold {fold}; the data has {known}")


def _rotating(folder: Path) -> list[dict[str, tuple[Path, ...]]]:
    parts = {number: folder / f"S{number}.txt" for number in range(1, PARTS + 1)}
    missing = [path.name for path in parts.values() if not path.is_file()]
    if len(missing) == PARTS:
        return []
    if missing:
        raise UsageError(f"benchmark.path: {folder} lacks {', '.join(missing)}; {LAYOUTS}")
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
        raise UsageError(f"benchmark.path: {folder} lacks {names}; {LAYOUTS}")
    return [_named(folder / f"Fold{number}") for number in sorted(numbers)]


def _single(folder: Path) -> list[dict[str, tuple[Path, ...]]]:
    known = [name for names in FILE_NAMES.values() for name in names]
    return [_named(folder)] if any((folder / name).is_file() for name in known) else []


def _named(folder: Path) -> dict[str, tuple[Path, ...]]:
    """A folder with one file per split."""
    found: dict[str, tuple[Path, ...]] = {}
    for split, names in FILE_NAMES.items():
        paths = [folder / name for name in names if (folder / name).is_file()]
        if not paths:
            raise UsageError(f"benchmark.path: {folder} lacks {_either(names)}; {LAYOUTS}")
        if len(paths) > 1:
            both = " and ".join(path.name for path in paths)
            raise UsageError(f"benchmark.path: {folder} has {both}; keep one of them")
        found[split] = (paths[0],)
    return found


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} (or {', '.join(names[1:])})"


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        raise UsageError(f"benchmark.path: there is no folder {folder}; {LAYOUTS}")
    if not folder.is_dir():
        raise UsageError(f"benchmark.path: {folder} is a file; {LAYOUTS}")


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    more = f", ... ({len(names)} entries)" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "nothing") + more
