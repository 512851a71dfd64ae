"""Reading of the preference pairs of one objective."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.text.pairs.containers import Row, read_rows
from paretosteer.text.pairs.dataset_rows import unread_splits
from paretosteer.text.pairs.dialogue_sides import MIXTURE
from paretosteer.text.pairs.messages import check_text_only
from paretosteer.text.pairs.pair import REASONS, LeftOut, Pair, PairSet
from paretosteer.text.pairs.pair_formats import (
    WITHOUT_PROMPT,
    Format,
    Parse,
    compared_rating,
    format_of,
    unknown,
    uses_rating,
)
from paretosteer.text.pairs.pair_source import Source
from paretosteer.text.pairs.prompt_columns import mapping
from paretosteer.text.pairs.rated_answers import Rated, pairs_of
from paretosteer.text.pairs.remarks import remarks
from paretosteer.text.pairs.rendered_text import rendered_texts


def read_pairs(source: str | Mapping[str, Any] | Source, objective: str) -> PairSet:
    """Read the pairs of an objective from a file, a folder or a data set on the hub.

    `source` is a path or a name, a mapping with `path` and optional settings, or a `Source`.
    The format is recognised once per file. Rows that cannot be read, or have another format, are
    counted as long as they are few.

    Raises
    ------
    UsageError
        If the source cannot be read (with file and line), more than a tenth of its rows cannot be
        read or have another format, or no pair is left.

    """
    parsed = source if isinstance(source, Source) else Source.of(source, objective)
    return _read(parsed, objective, parsed.digest())


_FAULTS = {"invalid": "cannot be read", "foreign": "have another format"}


class _Reading:
    """Numbers of rows by reason, with the first fault of those that are not what was expected."""

    def __init__(self, source: Source):
        self.source = source
        self.counts = Counter(dict.fromkeys(("read", *REASONS), 0))
        self.first: dict[str, str] = {}

    def leave_out(self, reason: str, location: str, fault: str) -> None:
        self.counts[reason] += 1
        self.first.setdefault(reason, f"{location}: {fault}")

    def check(self, reason: str) -> None:
        """Refuse a file of which too many rows are left out for this reason."""
        count, read = self.counts[reason], self.counts["read"]
        if count > MIXTURE * read:
            more = f" ({count} of {read} rows {_FAULTS[reason]})" if count > 1 else ""
            raise UsageError(f"{self.source.option}: {self.first[reason]}{more}")


@lru_cache(maxsize=16)
def _read(source: Source, objective: str, content: str) -> PairSet:
    """Read the pairs, cached by `content`, since every cell of a sweep asks for them."""
    reading = _Reading(source)
    bad: list[tuple[str, str]] = []
    rows = list(read_rows(source, lambda location, fault: bad.append((location, fault))))
    reading.counts["read"] = len(rows) + len(bad)
    for location, fault in bad:
        reading.leave_out("invalid", location, fault)
    reading.check("invalid")
    form, rows = _recognised(rows, reading)
    parse = _parser(form, rows, source)
    parsed = list(_parsed(parse, rows, reading))
    reading.check("invalid")
    rated = [part for item in parsed if isinstance(item, list) for part in item]
    pairs: dict[Pair, None] = {}  # an ordered set
    for pair in (
        *(item for item in parsed if isinstance(item, Pair)),
        *pairs_of(rated, reading.counts),
    ):
        if reason := _fault(pair, pairs):
            reading.counts[reason] += 1
        else:
            pairs[pair] = None
    _check_rendered(list(pairs), source)
    _check_continued(list(pairs), source)
    values = [row for _, row in rows]
    swapped = [pair for pair in pairs if Pair(pair.prompt, pair.rejected, pair.chosen) in pairs]
    reading.counts["contradicted"] = len(swapped)
    for pair in swapped:
        del pairs[pair]
    found = PairSet(
        objective,
        source.path,
        tuple(pairs),
        dict(reading.counts),
        form.name,
        reading.first,
        by_prompt=bool(rated),
        # One who names a split leaves the others out on purpose.
        unread=() if source.split else tuple(unread_splits(source, ["train"])),
        remarks=remarks(compared_rating(form, values, source), parse, values, pairs),
    )
    if not pairs:
        columns = mapping(rows[0][1], ["prompt"]) if form == WITHOUT_PROMPT else ""
        remedy = f"map the prompt's column with the setting {columns}, or " if columns else ""
        raise UsageError(
            f"{source.option}: {source.path!r} has no usable pair; left out: {found.left_out}; "
            f"{remedy}provide another source"
        )
    return found


def _check_rendered(pairs: list[Pair], source: Source) -> None:
    """Refuse a file of which too many texts are already written in a model's template."""
    marked = rendered_texts(pairs)
    if len(marked) > MIXTURE * len(pairs):
        raise UsageError(
            f"{source.option}: {source.path!r} has texts in a model's template, such as "
            f"{marked[0]!r} ({len(marked)} of {len(pairs)} pairs), which would be put into the "
            "start model's as well; use chat messages, plain texts, or a transcript such as "
            "'\\n\\nHuman: …\\n\\nAssistant: …'"
        )


def _check_continued(pairs: list[Pair], source: Source) -> None:
    """Refuse a file of which too many dialogues go on after the answers that are compared."""
    continued = sum(pair.continued for pair in pairs)
    if continued > MIXTURE * len(pairs):
        raise UsageError(
            f"{source.option}: {continued} of {len(pairs)} pairs of {source.path!r} have further "
            "turns after the first answers that differ, and only those answers would be read; cut "
            "the dialogues there, or use chat messages that end with the answers to compare"
        )


def _recognised(rows: list[Row], reading: _Reading) -> tuple[Format, list[Row]]:
    """Format of most rows, and the rows that have it."""
    source = reading.source
    if not rows:
        raise UsageError(f"{source.option}: {source.path!r} has no rows; use another file")
    forms = [format_of(row, source) for _, row in rows]
    form = Counter(forms).most_common(1)[0][0]
    if form is None:
        location, row = rows[forms.index(None)]
        raise UsageError(f"{source.option}: {location}: {unknown(row)}")
    if source.rating and not uses_rating(form):
        raise UsageError(
            f"{source.option}.rating: {source.path!r} has the format {form.name!r}, in which no "
            "rating is compared; remove this setting, or use a file of single rated answers"
        )
    for (location, row), other in zip(rows, forms, strict=True):
        if other != form:
            reading.leave_out(
                "foreign", location, f"the columns are {', '.join(row)}, not those of {form.name}"
            )
    reading.check("foreign")
    return form, [row for row, other in zip(rows, forms, strict=True) if other == form]


def _parser(form: Format, rows: list[Row], source: Source) -> Parse:
    try:
        return form.parser([row for _, row in rows], source)
    except LeftOut as error:
        raise UsageError(
            f"{source.option}: {rows[0][0]}: the first row cannot be used "
            f"({REASONS[error.reason]}); remove it"
        ) from None
    except ValueError as error:
        raise UsageError(f"{source.option}: {source.path}: {error}") from None


def _parsed(parse: Parse, rows: list[Row], reading: _Reading) -> Iterable[Pair | list[Rated]]:
    for location, row in rows:
        try:
            check_text_only(row)
            yield parse(row)
        except LeftOut as error:
            reading.counts[error.reason] += 1
        except ValueError as error:
            reading.leave_out("invalid", location, str(error))


def _fault(pair: Pair, earlier: Mapping[Pair, None]) -> str | None:
    """Key of `REASONS` if the pair is to be left out."""
    if not (pair.prompt[-1].text and pair.chosen and pair.rejected):
        return "empty"
    if pair.chosen == pair.rejected:
        return "equal"
    return "duplicate" if pair in earlier else None
