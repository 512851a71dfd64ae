"""Checks of a cell's files against the digests in its record."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from paretosteer.cells.config_yaml import CONFIG
from paretosteer.cells.record import RECORD
from paretosteer.cells.state import STATE
from paretosteer.config.schema import ENGINE_LOG
from paretosteer.findings import Finding, fault, note
from paretosteer.runtime.terminal import plural
from paretosteer.storage.digest import has_own_digest
from paretosteer.storage.untrusted import RefusedError, opened, read_json
from paretosteer.validation.evidence import MEASURED, Evidence, changed
from paretosteer.validation.verdict import OVERWRITE

_OWN = {RECORD, CONFIG, STATE}
_CHECKPOINT = (".safetensors", ".json")  # loading them runs no code
_HEADER_LENGTH = 8
_MOST_HEADER = 100_000_000  # the limit of safetensors


def present(cell: Evidence) -> Iterator[Finding]:
    """Check that not all files are missing, as in a collection of records."""
    names = cell.record.files
    if names and not any(os.path.lexists(cell.folder / name) for name in names):
        yield fault(
            f"only its record is here, without any of its {plural(len(names), 'file')} to check it "
            "against",
            "bring them back, or run the cell again",
        )


def digests(cell: Evidence) -> Iterator[Finding]:
    """Check the digest of every file that the record names."""
    if cell.left_out:
        yield note(f"was published without {', '.join(cell.left_out)}")
    for name, recorded in cell.record.files.items():
        found = cell.digests[name]
        if name in cell.left_out:
            continue
        if isinstance(found, RefusedError):
            yield fault(str(found))
        elif found != recorded:
            yield fault(str(changed(name)))


def strangers(cell: Evidence) -> Iterator[Finding]:
    """Find files that the record does not name, except hidden ones, which are unfinished work."""
    named = cell.record.files.keys() | _OWN | {ENGINE_LOG}
    extra = [name for name in sorted(_names(cell.folder)) if name not in named]
    for name in extra:
        if name in MEASURED:
            message = f"{name} exists but is not in the record, and reports would use it"
            yield fault(message, f"remove {name}")
    if others := [name for name in extra if name not in MEASURED]:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        yield note(f"holds files that its record does not name: {', '.join(others[:3])}{more}")


def checkpoint(cell: Evidence) -> Iterator[Finding]:
    """Check that loading the checkpoint runs no code, and that its tensors match their header."""
    recorded = {name for name in cell.record.files if name.startswith("checkpoint/")}
    present = {name for name in _names(cell.folder) if name.startswith("checkpoint/")}
    for name in sorted(recorded | present):
        if not name.endswith(_CHECKPOINT):
            message = f"{name} is neither safetensors nor JSON; loading it could run code"
            yield fault(message, OVERWRITE if name in recorded else f"remove {name}")
        elif name.endswith(".safetensors") and name in recorded:
            try:
                _check_header(cell.folder, name)
            except RefusedError:
                continue  # reported by `digests`
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                yield fault(f"{name} is not a safetensors file")


def stages(cell: Evidence) -> Iterator[Finding]:
    """Check `stages.json` against the record: stages, files and counts."""
    record = cell.record
    if not (cell.folder / STATE).exists():
        yield note(f"{STATE} is absent: a sweep would run the cell again")
        return
    try:
        found = read_json(cell.folder, STATE)
        if not has_own_digest(found):
            yield fault(f"{STATE} was changed after it was written (its digest differs)")
        found.pop("digest", None)
        stages = {name: stage["digest"] for name, stage in found.items()}
        files = {name: each for stage in found.values() for name, each in stage["files"].items()}
        score = found["score"]["facts"]
        facts = {
            "train_steps": (found["train"]["facts"]["account"]["steps"], record.cost.train_steps),
            "n_total": (score["n_total"], record.n_total),
            "n_failed": (score["n_failed"], record.n_failed),
        }
    except RefusedError as refused:
        yield fault(str(refused))
        return
    except (AttributeError, KeyError, TypeError):
        yield fault(f"{STATE} is malformed")
        return
    if stages != record.stages:
        yield fault(f"{STATE} has other stages than the record")
    if files != {name: each for name, each in record.files.items() if name not in _OWN}:
        yield fault(f"{STATE} has other files than the record")
    for name, (value, recorded) in facts.items():
        if value != recorded:
            yield fault(f"{STATE} has {name} {value}, the record {recorded}")


def _names(folder: Path) -> Iterator[str]:
    """Relative paths of all files below a folder but hidden ones; links are not followed."""
    for place, below, names in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                yield (Path(place) / name).relative_to(folder).as_posix()


def _check_header(folder: Path, name: str) -> None:
    """Check that the tensors end where the file ends; ValueError otherwise."""
    with opened(folder, name) as stream:
        size = os.fstat(stream.fileno()).st_size
        length = int.from_bytes(stream.read(_HEADER_LENGTH), "little")
        if not 0 < length <= min(_MOST_HEADER, size - _HEADER_LENGTH):
            raise ValueError(length)
        header = json.loads(stream.read(length))
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    if max(ends, default=0) != size - _HEADER_LENGTH - length:
        raise ValueError(size)
