"""Rows of data sets: folders and names on the hub, as `datasets` loads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError, first_line
from paretosteer.text.pairs.open_files import kind_of
from paretosteer.text.pairs.pair_source import Source

_SAVED = ("dataset_info.json", "dataset_dict.json")  # files written by save_to_disk


def dataset_files(source: Source) -> list[Path] | None:
    """Files of a split of a folder, as far as they can be read one by one; otherwise None.

    `datasets` infers a type for every column, so that the answer 007 becomes the number 7.
    """
    from datasets import load_dataset_builder

    if not Path(source.path).is_dir() or _saved(source):
        return None
    try:
        builder = load_dataset_builder(
            source.path, name=source.config, data_dir=source.folder, revision=source.revision
        )
    except Exception as error:  # loaders raise arbitrary errors
        raise UsageError(_unloaded(source, error)) from None
    splits = {str(name): files for name, files in (builder.config.data_files or {}).items()}
    files = [str(file) for file in splits.get(source.split or "train", ())]
    return [Path(file) for file in files] if files and all(map(kind_of, files)) else None


def dataset_rows(source: Source) -> Iterable[Any]:
    """Rows of a folder written by save_to_disk, of a folder of other files, or of the hub."""
    from datasets import DatasetDict, load_dataset, load_from_disk

    revision = source.revision if Path(source.path).is_dir() else source.commit()
    try:
        if not _saved(source):
            return load_dataset(
                source.path,
                name=source.config,
                data_dir=source.folder,
                revision=revision,
                split=source.split or "train",
            )
        dataset = load_from_disk(source.path)
    except Exception as error:  # loaders and the network raise arbitrary errors
        raise UsageError(_unloaded(source, error)) from None
    if not isinstance(dataset, DatasetDict):
        return dataset
    split = source.split or "train"
    if split not in dataset:
        raise UsageError(
            f"{source.option}.split: {source.path!r} has no split {split!r}; "
            f"use one of {', '.join(map(str, dataset))}"
        )
    return dataset[split]


def _saved(source: Source) -> bool:
    return any((Path(source.path) / name).exists() for name in _SAVED)


def _unloaded(source: Source, error: Exception) -> str:
    return (
        f"{source.option}: {source.path!r} cannot be loaded as a data set "
        f"({type(error).__name__}: {first_line(error)}); use another one or a file"
    )
