"""Hostile inputs: files that run code when read, text that does when shown."""

import json
import pickle
import struct
from pathlib import Path
from typing import Any

MARKUP = "</script><script>window.ran = 1</script><img src=x onerror=alert(1)>"
TERMINAL = "\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202eevil\u202c\u2066"
HALF = "\ud800"  # of a surrogate pair: JSON can hold it, UTF-8 cannot


class Runs:
    """Unpickled, it leaves a file behind."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


def pickled(path: Path, mark: Path) -> Path:
    """A pickle that runs code."""
    path.write_bytes(pickle.dumps(Runs(mark)))
    return path


def safetensors(header: dict[str, Any] | int, data: bytes = b"") -> bytes:
    """A file with this header, or with one of this length that is not there."""
    if isinstance(header, int):
        return struct.pack("<Q", header) + data
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(shape: list[int], first: int, last: int) -> dict[str, Any]:
    """Entry of a header for one tensor."""
    return {"weight": {"dtype": "F32", "shape": shape, "data_offsets": [first, last]}}


LYING = {
    "empty": b"",
    "cut off": safetensors(tensor([4], 0, 16), b"\0" * 8),
    "longer than the file": safetensors(2**62),
    "no JSON": safetensors(7, b"nothing"),
    "another shape": safetensors(tensor([1000], 0, 16), b"\0" * 16),
    "beyond the end": safetensors(tensor([4], 64, 80), b"\0" * 16),
    "backwards": safetensors(tensor([4], 16, 0), b"\0" * 16),
    "more data": safetensors(tensor([4], 0, 16), b"\0" * 64),
}
