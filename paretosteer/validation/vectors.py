"""Checks that a record's vectors fit together: preferences, normaliser, reference, oracle."""

from collections.abc import Iterator, Sequence

from paretosteer.cells.scores import KEYS
from paretosteer.findings import Finding, fault
from paretosteer.validation.evidence import Evidence

TOLERANCE = 1e-6  # of a preference's sum


def vectors(cell: Evidence) -> Iterator[Finding]:
    """Check that every vector has one value per objective."""
    record, oracle, names = cell.record, cell.record.oracle, cell.record.objective_names
    m = len(names)
    groups: dict[str, Sequence[Sequence[float]]] = {
        "normaliser.mean": [record.normaliser.mean],
        "normaliser.std": [record.normaliser.std],
        "reference": [record.reference],
        "points": record.preferences,
        "oracle.points": oracle.points if oracle else [],
        "oracle.start": [oracle.start] if oracle else [],
    }
    for name in record.uneven_measures:
        yield fault(f"measures.{name} is not one row for each point, all of one length")
    for name, rows in groups.items():
        if any(len(row) != m for row in rows):
            yield fault(f"{name}: does not have one value for each of {m} objectives")
    if oracle and len(oracle.points) != len(record.points):
        yield fault(f"oracle has {len(oracle.points)} points, the cell has {len(record.points)}")
    if len(set(names)) < m or set(names) & set(KEYS):
        yield fault("objectives: a name occurs twice or is a key of the scores")


def preferences(cell: Evidence) -> Iterator[Finding]:
    """Check that points are on the simplex and unique."""
    seen = set()
    for place, point in enumerate(cell.record.points):
        mu = point.preference
        if min(mu) < 0 or abs(sum(mu) - 1) > TOLERANCE:
            yield fault(f"point {place}: preference {_few(mu)} is not on the simplex")
        key = (mu, tuple(sorted(point.dials.items())))
        if key in seen:
            yield fault(f"point {place}: preference {_few(mu)} occurs twice")
        seen.add(key)
    if not cell.record.ranked_points():
        yield fault("points: all have further dials, so none can be ranked")


def _few(vector: Sequence[float]) -> str:
    shown = ", ".join(f"{value:.6g}" for value in vector[:6])
    return f"({shown}{', …' if len(vector) > 6 else ''})"
