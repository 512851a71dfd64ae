"""JSON whose numbers keep their spelling, since a number may be somebody's answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


class SpelledNumber(float):
    """Number whose text is what the file says: `1.50`, `1e3`."""

    spelling: str

    def __new__(cls, spelling: str) -> SpelledNumber:
        number = super().__new__(cls, spelling)
        number.spelling = spelling
        return number

    def __str__(self) -> str:
        return self.spelling


def decoder(objects: Callable[[list[tuple[str, Any]]], Any] | None = None) -> json.JSONDecoder:
    """Decoder of JSON; `objects` makes an object of its names and values."""
    return json.JSONDecoder(object_pairs_hook=objects, parse_float=SpelledNumber)
