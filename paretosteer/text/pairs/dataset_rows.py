"""Rows of data sets: folders and names on the hub, as `datasets` loads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError, first_line
from paretosteer.text.pairs.open_files import kind_of
from paretosteer.text.pairs.pair_source import Source

_SAVED = ("dataset_info.json", "dataset_dict.json")  # files written by save_to_disk


def dataset_rows(source: Source) -> Iterable[Any]:
    """Rows of a folder written by save_to_disk, of a folder of data files, or of the hub."""
    from datasets import DatasetDict, load_dataset, load_from_disk

    revision = source.revision if Path(source.path).is_dir() else source.commit()
    saved = any((Path(source.path) / name).exists() for name in _SAVED)
    try:
        if not saved:
            return load_dataset(
                source.path,
                name=source.config,
                data_dir=source.folder,
                revision=revision,
                split=source.split or "train",
                **_csv_options(Path(source.path)),
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


def _csv_options(folder: Path) -> dict[str, Any]:
    """Options that keep answers such as `NA` as text in a folder of CSV files."""
    kinds = {kind_of(str(path)) for path in folder.rglob("*")} - {None}
    return {"keep_default_na": False} if kinds and kinds <= {".csv", ".tsv"} else {}


def _unloaded(source: Source, error: Exception) -> str:
    return (
        f"{source.option}: {source.path!r} cannot be loaded as a data set "
        f"({type(error).__name__}: {first_line(error)}); use another one or a file"
    )
