"""Libraries and device by which work was done, and what is said where others reuse it.

Cached work also tells how many of its samples had no score (`unscored`).

They are no part of a cell's identity, nor of the keys of units, pools, start and reward models.
Another release rarely changes more than the last digits, while other keys would repeat days of work
after every upgrade. They would also split a sweep: its later cells would get another start model
and other units than its earlier ones, and could not be compared with them. So the work is reused,
and the record of every cell that reuses it says by what it was made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from paretosteer.runtime.libraries import is_ours, library_versions
from paretosteer.storage import opened_files
from paretosteer.storage.unscored import Unscored, sentences

# `versions` by library, `device` (its kind; None: not known), and `opened`: digests of files that
# plug-ins opened, where there are any.
Origin = Mapping[str, Any]

_REUSED = ", and reused"


def origin(versions: Mapping[str, str], device: str | None) -> Origin:
    """Origin of work that is done now."""
    return {"versions": dict(versions), "device": device}


def differences(made: Origin, here: Origin) -> list[str]:
    """What differs between two origins, such as `torch 2.8.0 (here 2.9.1)`, or has been edited."""
    old, new = made["versions"], here["versions"]
    names = sorted(
        name
        for name in {*old, *new}
        if old.get(name) != new.get(name)
        # Others are known only where a plug-in imports them.
        and (is_ours(name) or (name in old and name in new))
    )
    found = [f"{name} {old.get(name, 'none')} (here {new.get(name, 'none')})" for name in names]
    found += [
        f"an earlier {path}"
        for path, digest in sorted(made.get("opened", {}).items())
        if digest != opened_files.current_digest(path)
    ]
    if None not in (made["device"], here["device"]) and made["device"] != here["device"]:
        found.append(f"device {made['device']} (here {here['device']})")
    return found


def caveats(used: Mapping[str, Sequence[Origin]], here: Origin, where: str = "") -> list[str]:
    """Sentences about work of other origins, which is given by its name."""
    named: dict[str, list[str]] = {}
    for name, origins in used.items():
        for made in origins:
            if other := ", ".join(differences(made, here)):
                named.setdefault(other, []).append(name)
    return [reused(f"with {other}", names, where) for other, names in named.items()]


def reused(made: str, names: Sequence[str], where: str = "") -> str:
    """Sentence about work that was made in another way."""
    return f"Made {made}{_REUSED}{where}: {', '.join(dict.fromkeys(names))}."


def of_reuse(notes: Sequence[str]) -> list[str]:
    """Those of a record's notes that say so."""
    return [each for each in notes if each.startswith("Made ") and _REUSED in each]


@dataclass
class Uses:
    """Entries of the cache that were used within a block, by kind, and samples without a score."""

    device: str | None = None  # of the block, once it is known
    origins: dict[str, list[Origin]] = field(default_factory=dict)
    unscored: dict[str, Unscored] = field(default_factory=dict)  # by what counted them
    # Plug-in files and folders of code of models and metrics: those of the outer block as well.
    code: set[str] = field(default_factory=set)

    def add(self, kind: str, origins: Sequence[Origin]) -> None:
        """Note the use of an entry."""
        own = self.origins.setdefault(kind, [])
        own += [each for each in origins if each not in own]

    def here(self) -> Origin:
        """Origin of what is made now."""
        return origin(library_versions(), self.device)

    def caveats(self) -> list[str]:
        """Sentences about entries of other origins, and about samples without a score."""
        found = caveats(self.origins, self.here(), " from the cache")
        return [*found, *sentences(self.unscored.values())]


_uses: ContextVar[Uses | None] = ContextVar("uses", default=None)


@contextmanager
def uses() -> Iterator[Uses]:
    """Collect the entries of the cache that are used within the block."""
    outer = _uses.get()
    inner = Uses(outer.device, code=outer.code) if outer else Uses()
    token = _uses.set(inner)
    try:
        yield inner
    finally:
        _uses.reset(token)


def here() -> Origin:
    """Origin of what is made now, on the device of the current block if there is one."""
    return (_uses.get() or Uses()).here()


def note_use(kind: str, origins: Sequence[Origin]) -> None:
    """Tell the current block, if there is one, that an entry is used."""
    if (current := _uses.get()) is not None:
        current.add(kind, origins)


def note_code(loaded: object) -> None:
    """Tell the current block, if there is one, that it uses a model or metric with own code."""
    current, folder = _uses.get(), opened_files.code_folder(loaded)
    if current is not None and folder is not None:
        current.code.add(folder)


def note_unscored(source: str, counts: Unscored) -> None:
    """Tell the current block, if there is one, the latest counts of one source."""
    if (current := _uses.get()) is not None:
        current.unscored[source] = counts
