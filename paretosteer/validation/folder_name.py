"""Check of a cell's record against the names of its folders."""

from collections.abc import Iterator

from paretosteer.cells.cell_name import cell_name
from paretosteer.findings import Finding, fault
from paretosteer.validation.evidence import Evidence

_MOVE = "put the folder back where it was, or run the cell again"


def place(cell: Evidence) -> Iterator[Finding]:
    """Check identity, seed, method and benchmark against the names of the folders."""
    record = cell.record
    expected = (
        record.benchmark.name,
        record.method,
        cell_name(record.seed, record.identity),
    )
    found = cell.folder.resolve().parts[-3:]
    if found != expected:
        yield fault(f"is at {'/'.join(found)}, but its record is of {'/'.join(expected)}", _MOVE)
    if not record.stages.get("train", "").startswith(record.identity):
        yield fault(f"identity {record.identity} does not begin its training digest")
    recorded = {"benchmark": record.benchmark.name, "method": record.method, "seed": record.seed}
    for key, value in recorded.items():
        configured = record.config.get(key)
        name = configured.get("name") if isinstance(configured, dict) else configured
        if name != value:
            yield fault(f"record says {key} {value}, its configuration {name}")
    if record.fold and record.fold.index > record.fold.of:
        yield fault(f"record says fold {record.fold.index} of {record.fold.of}")
