"""Checks of the code that made a cell; notes only, since other code may be as good."""

from collections.abc import Iterator

from paretosteer.cells import provenance
from paretosteer.cells.record import Git
from paretosteer.findings import Finding, note
from paretosteer.plugins.in_use import installed_plugins
from paretosteer.storage.origin import of_reuse
from paretosteer.validation.evidence import Evidence


def code(cell: Evidence) -> Iterator[Finding]:
    """Note source, commit and libraries that differ from those installed here."""
    record = cell.record
    plugins = installed_plugins(record.plugins)
    if record.source_digest != provenance.source_digest(plugins):
        yield note(f"made by other code{_commit(record.git)}")
    elif record.git.dirty:
        yield note("made from a checkout with uncommitted changes")
    here = provenance.versions(plugins)
    other = [
        f"{name} {version} (here {here.get(name, 'none')})"
        for name, version in record.versions.items()
        if here.get(name) != version
    ]
    if other:
        yield note(f"made with {', '.join(other)}")


def reuse(cell: Evidence) -> Iterator[Finding]:
    """Note stages and cached work of other code, libraries or devices than the rest."""
    for sentence in of_reuse(cell.record.notes):
        yield note(f"its record says: {sentence.removesuffix('.')}")


def failures(cell: Evidence) -> Iterator[Finding]:
    """Note samples that the record counts as not scored."""
    record = cell.record
    if record.status == "partial":
        yield note("is partial")
    if record.n_failed:
        yield note(f"{record.n_failed} of {record.n_total} samples could not be scored")


def _commit(git: Git) -> str:
    if not git.commit:
        return ""
    return f" (commit {git.commit[:10]}{' and changes' if git.dirty else ''})"
