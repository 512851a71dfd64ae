"""Is a cell what its folder says?"""

from collections.abc import Iterator

from paretosteer.cells.cell_name import IDENTITY_LENGTH, cell_name
from paretosteer.findings import Finding, fault
from paretosteer.validation.evidence import Evidence

_MOVE = "put the folder back where it was, or run the cell again"


def place(cell: Evidence) -> Iterator[Finding]:
    """Identity, seed, method and benchmark against the names of the folders."""
    record = cell.record
    expected = (
        record["benchmark"]["name"],
        record["method"],
        cell_name(record["seed"], record["identity"]),
    )
    found = cell.folder.resolve().parts[-3:]
    if found != expected:
        yield fault(f"lies at {'/'.join(found)}, its record is of {'/'.join(expected)}", _MOVE)
    train = record["stages"].get("train")
    if train is None or train[:IDENTITY_LENGTH] != record["identity"]:
        yield fault(f"identity {record['identity']} does not begin its training digest")
    said = {"benchmark": expected[0], "method": expected[1], "seed": record["seed"]}
    for key, value in said.items():
        configured = record["config"].get(key)
        name = configured.get("name") if isinstance(configured, dict) else configured
        if name != value:
            yield fault(f"record says {key} {value}, its configuration {name}")
    fold = record.get("fold", {"index": 0, "of": 0})
    if fold["index"] > fold["of"]:
        yield fault(f"record says fold {fold['index']} of {fold['of']}")
