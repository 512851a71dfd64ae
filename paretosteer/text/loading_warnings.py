"""What transformers warns of when it loads a folder, for the record.

Its warnings, for example of a head that contradicts `tie_word_embeddings`, are not printed: most
terminals would never show them. They are notes of the cell instead.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

_LONGEST = 300  # characters of a warning
# Weights that are missing or left over are errors, and generation settings are our own.
_REPORTED = "LOAD REPORT"
_IGNORED = "transformers.generation"

_by_folder: dict[str, dict[str, list[str]]] = {}  # then by what was loaded


@contextmanager
def warnings_collected(folder: str, part: str) -> Iterator[None]:
    """Collect the warnings of loading a part of a folder, such as its tokenizer.

    Another loading of the same part replaces them.
    """
    from transformers.utils.logging import warning_once

    warning_once.cache_clear()  # an earlier cell may have had the warning
    collector = _Collector()
    logger = logging.getLogger("transformers")
    handlers, level = logger.handlers, logger.level
    logger.handlers = [collector]
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.handlers = handlers
        logger.setLevel(level)
    _by_folder.setdefault(os.path.realpath(folder), {})[part] = collector.found


def loading_warnings(folder: str) -> list[str]:
    """Warnings of the latest loading of each part of a folder, on one line each."""
    parts = _by_folder.get(os.path.realpath(folder), {})
    return list(dict.fromkeys(each for part in sorted(parts) for each in parts[part]))


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = " ".join(record.getMessage().split())
        if not record.name.startswith(_IGNORED) and _REPORTED not in text:
            self.found.append(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")
