"""Commit of a data set on the hub: the one that is loaded, also from the cache of `datasets`."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

_COMMIT = re.compile(r"[0-9a-f]{40}")


@lru_cache(maxsize=64)
def hub_commit(path: str, config: str | None, folder: str | None, revision: str | None) -> str:
    """Commit that a name on the hub stands for now; without a network, that in the cache.

    Without a network `datasets` loads the latest commit in its cache, whatever the revision.

    Raises
    ------
    ValueError
        If the cache cannot tell which commit the revision is, or the data set names files of
        another one. Other errors are the network's and the loaders'.

    """
    from datasets import load_dataset_builder

    builder = load_dataset_builder(path, name=config, data_dir=folder, revision=revision)
    found = str(builder.hash)
    for file in [str(x) for files in (builder.config.data_files or {}).values() for x in files]:
        if file.rpartition("::")[2].startswith("hf://datasets/") and f"@{found}/" in file:
            continue
        raise ValueError(f"it reads {file}, which its commit does not cover")
    offline = type(builder).__module__.endswith("packaged_modules.cache.cache")
    if not offline or revision in (None, found):
        return found
    cached = sorted(place.name for place in Path(builder.cache_dir).parent.iterdir())
    cached = [name for name in cached if _COMMIT.fullmatch(name)]
    if _COMMIT.fullmatch(str(revision)) or len(cached) > 1:
        raise ValueError(
            f"revision {revision} cannot be resolved without a network; the cache has "
            f"{', '.join(cached)}, of which {found} would be loaded"
        )
    return found
