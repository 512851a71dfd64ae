"""Rows of data sets: folders and names on the hub, as `datasets` loads them.

Its own cache identifies a local file by path and time, so an edited one may give the old rows.
Rows of a folder are therefore kept in our cache under the digests of the folder's files, and only
those files are read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paretosteer.errors import UsageError, first_line
from paretosteer.storage.cache import cached
from paretosteer.text.pairs.json_rows import splits_of
from paretosteer.text.pairs.open_files import kind_of
from paretosteer.text.pairs.pair_source import Source

_SAVED = ("dataset_info.json", "dataset_dict.json")  # files written by save_to_disk
# Names of files without rows, and ends of such names.
_ABOUT = {*_SAVED, "dataset_infos.json", "state.json"}
_DOCUMENTS = ("readme", "license", "licence", "notice", "citation", "changelog")
_NO_ROWS = (".md", ".py", ".ipynb", ".yaml", ".yml", ".toml", ".cfg", ".sh", ".pdf", ".png", ".jpg")


def dataset_files(source: Source) -> list[Path] | None:
    """Files of a split of a folder, as far as they can be read one by one; otherwise None.

    `datasets` infers a type for every column, so that the answer 007 becomes the number 7.
    """
    if not Path(source.path).is_dir() or _saved(source):
        return None
    splits = _files_by_split(source)
    read = [file for files in splits.values() for file in files]
    _check_inside(source, read)
    if not _selects(source):
        _check_all_read(source, read)
    files = splits.get(source.split or "train", [])
    return [Path(file) for file in files] if files and all(map(kind_of, files)) else None


def unread_splits(source: Source, read: Collection[str]) -> list[str]:
    """Splits of a file or folder besides those that are read; none of a data set of the hub."""
    if not Path(source.path).is_dir():
        names = splits_of(source)
    elif not _saved(source):
        names = list(_files_by_split(source))
    else:
        file = Path(source.path) / "dataset_dict.json"
        names = json.loads(file.read_text(encoding="utf-8"))["splits"] if file.is_file() else []
    return [name for name in names if name not in read]


def _files_by_split(source: Source) -> dict[str, list[str]]:
    """Files of every split of a folder, as `datasets` finds them."""
    from datasets import load_dataset_builder

    try:
        builder = load_dataset_builder(source.path, name=source.config, data_dir=source.folder)
    except Exception as error:  # loaders raise arbitrary errors
        raise UsageError(_unloaded(source, error)) from None
    files = builder.config.data_files or {}
    return {str(name): list(map(str, found)) for name, found in files.items()}


def dataset_rows(source: Source) -> Iterable[Any]:
    """Rows of a folder written by save_to_disk, of a folder of other files, or of the hub."""
    if not Path(source.path).is_dir():
        return _loaded(source, revision=source.commit())
    return _saved_rows(source) if _saved(source) else _kept_rows(source)


def _kept_rows(source: Source) -> Any:
    """Rows of a folder that only `datasets` can read."""
    from datasets import load_from_disk

    def key() -> dict[str, Any]:
        chosen = {"split": source.split, "config": source.config, "folder": source.folder}
        return {"files": source.content(), "datasets": version("datasets"), **chosen}

    def make(folder: Path) -> None:
        # Also what it unpacks goes here: it finds an unpacked archive again by its path alone.
        with TemporaryDirectory(dir=folder) as own_cache:
            rows = _loaded(source, cache_dir=own_cache)
            rows.save_to_disk(str(folder / "rows"))

    return load_from_disk(str(cached("rows", key, make, exact=True) / "rows"))


def _saved_rows(source: Source) -> Any:
    from datasets import DatasetDict, load_from_disk

    try:
        # In memory, it would no longer know its files.
        dataset = load_from_disk(source.path, keep_in_memory=False)
    except Exception as error:  # loaders raise arbitrary errors
        raise UsageError(_unloaded(source, error)) from None
    split = source.split or "train"
    parts = dataset.values() if isinstance(dataset, DatasetDict) else [dataset]
    _check_all_read(source, [file["filename"] for part in parts for file in part.cache_files])
    if isinstance(dataset, DatasetDict):
        if split not in dataset:
            raise UsageError(
                f"{source.option}.split: {source.path!r} has no split {split!r}; "
                f"use one of {', '.join(map(str, dataset))}"
            )
        dataset = dataset[split]
    _check_inside(source, [file["filename"] for file in dataset.cache_files])
    return dataset


def _loaded(source: Source, **settings: Any) -> Any:
    from datasets import load_dataset

    split = source.split or "train"
    try:
        return load_dataset(
            source.path, name=source.config, data_dir=source.folder, split=split, **settings
        )
    except Exception as error:  # loaders and the network raise arbitrary errors
        raise UsageError(_unloaded(source, error)) from None


def _check_inside(source: Source, files: Iterable[str]) -> None:
    """Refuse files outside the folder, which README.md or `folder` can name.

    The digest of the source does not cover them.
    """
    places = Path(source.path).absolute(), Path(source.path).resolve()
    inside = {os.path.normpath(x / name) for name in source.content() for x in places}
    for file in files:
        path = file.rpartition("::")[2]  # of an archive, where the file is inside one
        if "://" in path or os.path.normpath(Path(path).absolute()) not in inside:
            raise UsageError(
                f"{source.option}: the data set {source.path!r} reads {file!r}, which is not a "
                "file of its folder; copy it there and name it by that path"
            )


def _selects(source: Source) -> bool:
    """True if the source or the folder's card chooses among the folder's files."""
    from huggingface_hub import DatasetCard

    if source.config or source.folder:
        return True
    card = Path(source.path) / "README.md"
    if not (card.is_file() and card.read_text(encoding="utf-8").startswith("---")):
        return False  # no metadata, of which the loader of cards would warn
    return bool(DatasetCard.load(card).data.get("configs"))


def _check_all_read(source: Source, files: Iterable[str]) -> None:
    """Refuse a folder with data files that are in no split.

    `datasets` reads files of the commonest format alone, and where the name of one states its
    split, only such files.
    """
    read = {os.path.realpath(file.rpartition("::")[2]) for file in files}
    left = [
        name
        for name in source.content()
        if not any(part.startswith((".", "__")) for part in Path(name).parts)
        and not _about_data(Path(name).name.casefold())
        and os.path.realpath(Path(source.path) / name) not in read
    ]
    if left:
        more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        raise UsageError(
            f"{source.option}: {left[0]!r}{more} in {source.path!r} belongs to no split and would "
            "not be read; give all files one format and names that state their split, such as "
            "train-2.jsonl, move it elsewhere, or use the path of one file"
        )


def _about_data(name: str) -> bool:
    cached = name.startswith("cache-") and name.endswith(".arrow")  # results of `Dataset.map`
    return cached or name in _ABOUT or name.startswith(_DOCUMENTS) or name.endswith(_NO_ROWS)


def _saved(source: Source) -> bool:
    return any((Path(source.path) / name).exists() for name in _SAVED)


def _unloaded(source: Source, error: Exception) -> str:
    return (
        f"{source.option}: {source.path!r} cannot be loaded as a data set "
        f"({type(error).__name__}: {first_line(error)}); use another one or a file"
    )
