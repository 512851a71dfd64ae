"""Files of a model: checks of its folder, and the digest that identifies it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from paretosteer.errors import UsageError, first_line
from paretosteer.storage.digest import input_digest, seen
from paretosteer.storage.safetensors_only import (
    PICKLED,
    check_precision,
    check_weights,
    read_model_json,
)
from paretosteer.text.gguf_file import SUFFIX as GGUF
from paretosteer.text.gguf_file import gguf_folder

# Files that no loader reads: notes, leftovers of training, weights of other frameworks, pickles.
_UNREAD_NAMES = {"license", "notice", ".gitattributes", ".gitignore", ".ds_store"}
_UNREAD_SUFFIXES = {*PICKLED, ".md", ".log", ".h5", ".msgpack", ".onnx", ".ot", GGUF, ".pyc"}
_UNREAD_FOLDERS = {".git", ".cache", "__pycache__"}


def model_digest(path: str, option: str = "model.path", revision: str | None = None) -> str:
    """Digest of every file of a model that a loader may read.

    Parameters
    ----------
    path
        A local folder, a GGUF file, whose own digest is returned, or a hub name, whose files are
        downloaded where the cache lacks them. `owner/name/FILE.gguf` is a GGUF file of the hub.
    option
        Name of the option that holds the path, for errors.
    revision
        Branch, tag or commit of a hub name; None: its main branch.

    Raises
    ------
    UsageError
        If the folder does not exist, or holds no model.

    """
    folder = Path(model_folder(path, option, revision))
    if is_gguf(path):
        return input_digest(_gguf_file(path, option, revision))
    files = [(name, folder / name) for name in sorted(_files(folder))]
    if broken := [name for name, file in files if not file.is_file()]:
        raise UsageError(
            f"{option}: {broken[0]!r} in {str(folder)!r} is not a file, or a link to one; copy or "
            "download the model again"
        )
    return _digest_of(tuple((name, file, seen(file)) for name, file in files))


def _files(folder: Path) -> Iterator[str]:
    """Files that count, by their paths in the folder, with those in linked folders."""
    visited = set()
    for root, folders, names in os.walk(folder, followlinks=True):
        place = Path(root)
        if (real := place.resolve()) in visited:  # a link to a folder above
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(
            name
            for name in folders
            if name.lower() not in _UNREAD_FOLDERS
            and not name.removeprefix("checkpoint-").isdecimal()
        )
        for name in filter(_counts, names):
            yield (place / name).relative_to(folder).as_posix()


def _counts(name: str) -> bool:
    """True if a loader may read a file of this name."""
    lower = Path(name).name.lower()
    unread = lower in _UNREAD_NAMES or Path(lower).suffix in _UNREAD_SUFFIXES
    return not unread and not lower.startswith("readme")


# Cached: every cell of a sweep needs it, and reading the weights of a large model takes seconds.
@lru_cache(maxsize=64)
def _digest_of(files: tuple[tuple[str, Path, tuple[int, ...]], ...]) -> str:
    """Joint digest of files and their names; their sizes and times are only part of the key."""
    whole = sha256()
    for name, file, (size, *_) in files:
        whole.update(f"{len(name)} {name} {size} ".encode())  # no two folders give the same bytes
        with file.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                whole.update(block)
    return whole.hexdigest()


def model_folder(path: str, option: str = "model.path", revision: str | None = None) -> str:
    """Folder of a model with its files checked: the path itself, or where the cache has it.

    A GGUF file is dequantised into the cache, a hub name downloaded.

    Raises
    ------
    UsageError
        If the folder does not exist or holds no model, or the hub name cannot be resolved.

    """
    folder = Path(path)
    if is_gguf(path):
        folder = gguf_folder(_gguf_file(path, option, revision), option)
    elif not folder.is_dir():
        if _is_local(path) or path.count("/") > 1:
            raise UsageError(
                f"{option}: the folder {path!r} does not exist; use a folder or a hub name"
            )
        folder = _snapshot(path, option, revision)
    else:
        _check_no_revision(path, option, revision, "folder")
    if not (folder / "config.json").is_file() and (folder / "adapter_config.json").is_file():
        raise UsageError(
            f"{option}: the folder {str(folder)!r} holds a PEFT adapter without its base model; "
            "merge them (merge_and_unload) and save the model with its tokenizer"
        )
    if not (folder / "config.json").is_file():
        raise UsageError(
            f"{option}: the folder {str(folder)!r} has no config.json; use a Hugging Face model "
            f"folder, or name a GGUF file in it: {option}={path.rstrip('/')}/FILE{GGUF}"
        )
    check_weights(folder, option)
    _check_architecture(folder, option)
    check_precision(folder, option)
    return str(folder)


def missing_files(snapshot: Path) -> list[str] | None:
    """Files of a commit that count, and that its snapshot in the hub's cache lacks.

    None if the cache has no list of the commit's files, which a download writes.
    """
    import huggingface_hub

    if not hasattr(huggingface_hub, "get_cached_repo_tree"):  # an earlier version has no lists
        return []
    try:
        listed = read_model_json(snapshot.parents[1] / "trees" / f"{snapshot.name}.json")["files"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return [name for name in sorted(listed) if _counts(name) and not (snapshot / name).exists()]


def model_width(path: str, option: str = "model.path", revision: str | None = None) -> int | None:
    """Width of a model's hidden states, from its config.json; None where it states none."""
    config = read_model_json(Path(model_folder(path, option, revision)) / "config.json")
    for part in (config, config.get("text_config")):
        for name in ("hidden_size", "n_embd", "d_model"):
            if isinstance(part, dict) and isinstance(width := part.get(name), int):
                return width
    return None


def model_commit(path: str, folder: str, revision: str | None = None) -> str | None:
    """Commit of a hub name whose snapshot is in a folder, or of a GGUF file of the hub.

    None for a local path.
    """
    if Path(path).exists():
        return None
    if not is_gguf(path):
        return Path(folder).name
    inside = len(Path(path).parts) - 2  # without owner and name
    return _gguf_file(path, "model.path", revision).parents[inside - 1].name


def source_name(path: str) -> str:
    """Last part of a path or a hub name, also of `.` and of a path that ends with a slash."""
    name = Path(path).name
    return Path(path).resolve().name if name in ("", "..") else name


def is_gguf(path: str) -> bool:
    """True if a path names a GGUF file, whether or not it exists."""
    return path.endswith(GGUF) and not Path(path).is_dir()


def _is_local(path: str) -> bool:
    return path.startswith((".", "/", "~"))


def _check_no_revision(path: str, option: str, revision: str | None, kind: str) -> None:
    if revision is not None:
        raise UsageError(
            f"{option.removesuffix('path')}revision: found {revision!r}, but {path!r} is a {kind}; "
            "use it with hub names only"
        )


def _gguf_file(path: str, option: str, revision: str | None) -> Path:
    """A GGUF file: the path itself, or where the hub's cache has it."""
    from huggingface_hub import snapshot_download

    owner, _, rest = path.partition("/")
    name, _, file = rest.partition("/")
    if Path(path).is_file() or _is_local(path) or not file:
        _check_no_revision(path, option, revision, "file")
        return Path(path)
    try:
        # Unlike `hf_hub_download`, it gives up at once without a network.
        folder = snapshot_download(f"{owner}/{name}", revision=revision, allow_patterns=[file])
        if not (found := Path(folder) / file).is_file():
            raise FileNotFoundError("it has no such file")
    except Exception as error:  # of the network, of the hub, and of names that are not valid
        at = "" if revision is None else f" at revision {revision!r}"
        raise UsageError(
            f"{option}: the file {path!r} does not exist, and no file {file!r} of a model "
            f"{owner}/{name}{at} can be loaded from the hub ({first_line(error)}); use a GGUF file"
        ) from None
    return found


def _snapshot(path: str, option: str, revision: str | None) -> Path:
    """Snapshot of a hub name in the local cache, named by its commit."""
    from huggingface_hub import snapshot_download

    unread = [f"*{suffix}" for suffix in sorted(_UNREAD_SUFFIXES)]
    try:
        # Resolves branches and tags; without a network, as the cache last saw them.
        return Path(snapshot_download(path, revision=revision, ignore_patterns=unread))
    except Exception as error:  # of the network, of the hub, and of names that are not valid
        at = "" if revision is None else f" at revision {revision!r}"
        raise UsageError(
            f"{option}: the folder {path!r} does not exist, and no model of that name{at} can be "
            f"loaded from the hub ({first_line(error)}); without a network, use a folder with "
            f"config.json, model.safetensors and a tokenizer: {option}=/path/to/folder"
        ) from None


def _check_architecture(folder: Path, option: str) -> None:
    try:
        config = read_model_json(folder / "config.json")
        has_type = isinstance(config.get("model_type"), str)
    except (OSError, ValueError, AttributeError):
        config, has_type = {}, False
    if not has_type:
        raise UsageError(
            f"{option}: config.json in {str(folder)!r} has no model_type; "
            "use a folder written by save_pretrained(…)"
        )
    for part in (config, *config.values()):
        for name in ("attn_implementation", "_attn_implementation"):
            kernel = part.get(name) if isinstance(part, dict) else None
            if "/" in str(kernel):  # transformers would download it from the hub, and run it
                raise UsageError(
                    f"{option}: config.json in {str(folder)!r} names attention code of the hub, "
                    f"{kernel!r}, and code of others is not run; remove {name} from it"
                )
