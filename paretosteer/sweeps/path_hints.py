"""What to write where a choice of a group, such as `model=`, is given a path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from paretosteer.text.pairs.open_files import kind_of

_ADAPTER = "adapter_config.json"
_RANKED = ("Fold1", "S1.txt", "train.txt*", "rank.train*")  # folders of LETOR files


def path_hint(group: str, name: str) -> str:
    """Settings that take a path given as a choice; "" where it cannot be one."""
    hint = _HINTS.get(group)
    looks_like_path = "/" in name or kind_of(name) or Path(name).suffix or Path(name).exists()
    return hint(name) if hint and looks_like_path else ""


def _model(path: str) -> str:
    if (Path(path) / _ADAPTER).exists():
        return f"for a PEFT adapter, set method=adapters 'method.paths=[{path},…]'"
    return f"for a folder or a hub name, set model=hf model.path={path}"


def _method(path: str) -> str:
    return _plugin("method", path) or (
        "for PEFT adapters, set method=adapters and method.paths to one folder per objective: "
        f"'method.paths=[{path},…]'"
    )


def _benchmark(path: str) -> str:
    pairs = (
        f"for preference pairs, set benchmark=preferences benchmark.pairs.helpful={path} and "
        "benchmark.pairs.harmless to a second file"
    )
    ranking = f"for a folder of LETOR files, set benchmark=ranking benchmark.path={path}"
    folder = Path(path)
    if any(found for pattern in _RANKED for found in folder.glob(pattern)):
        return ranking
    if folder.is_dir() and not any(kind_of(each.name) for each in folder.rglob("*")):
        return f"{pairs}; {ranking}"
    return _plugin("benchmark", path) or pairs


def _preferences(path: str) -> str:
    return f"for a file of preferences, set preferences=file preferences.path={path}"


def _plugin(kind: str, path: str) -> str:
    if not path.endswith(".py"):
        return ""
    return f"for a plug-in, pass --plugin {path} and set {kind} to the name that it registers"


_HINTS: Mapping[str, Callable[[str], str]] = {
    "model": _model,
    "method": _method,
    "benchmark": _benchmark,
    "preferences": _preferences,
}
