"""Notes on a table: caveats that readers need to interpret it, one sentence or two each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from paretosteer.cells.changed_files import change_of
from paretosteer.cells.record import ScoredRecord
from paretosteer.metrics.leaderboard.hypervolume import OTHER_REFERENCES
from paretosteer.metrics.power import detectable
from paretosteer.policies.kl import DAMAGE_PER_ANSWER, DAMAGE_PER_TOKEN, remedy
from paretosteer.report.analysis.bootstrap import RESAMPLES
from paretosteer.report.analysis.comparable import numbered, vector_words
from paretosteer.report.analysis.drawn_rows import left_out
from paretosteer.report.analysis.equal_drift import empty_replicates
from paretosteer.report.analysis.evaluate_table import DAMAGE_MARK, RowResult, TableResult
from paretosteer.report.analysis.ranks import ALPHA, COMPARED
from paretosteer.report.analysis.replicates import Replicate
from paretosteer.report.analysis.row_key import engine
from paretosteer.report.analysis.tables import COST_UNKNOWN_MARK, EXEMPT_MARK
from paretosteer.runtime.terminal import plural

_ALIKE = 12  # maximum number of warnings of one kind, such as one per cell
_NAMED = 12  # most rows listed in a sentence

# Percent of simulated tables of six equal methods that tell any two apart, by the number of seeds,
# from results/reference/coverage.md.
EQUAL_APART = {1: 80, 3: 76}


def notes(result: TableResult) -> list[str]:
    """Notes on a table, as plain text."""
    return [*figure_notes(result), *not_compared(result), *cell_notes(result)]


def figure_notes(result: TableResult) -> list[str]:
    """Notes on the figures of a table and what may be concluded from them."""
    scored = result.scored
    if not scored:
        return ["No cell of this table was scored."]
    kinds = (
        iter([result.table.remark] if result.table.remark else []),
        changed_notes(scored),
        smoke_note(scored),
        equal_drift_leader(result),
        _damage(scored),
        _engines(scored),
        _intervals(result),
        _estimated(scored),
        _ties(result),
        _detectable(result),
        _own_noise(result),
        _regularised(result),
        _raw_reference(result),
        _oracle(result),
        _cost_unknown(scored),
        _sensitive(scored),
        _budgets(scored),
        _batches(scored),
        _outside(result),
        left_out(result),
    )
    return [note for kind in kinds for note in kind]


def not_compared(result: TableResult) -> list[str]:
    """What a table leaves out of its comparison: rows, cells, points, and rows of other tables."""
    scored = result.scored
    if not scored:
        return []
    kinds = (
        _exempt(scored),
        _unscored(result),
        _incomplete(result),
        _unpaired(scored),
        _dials(scored),
        _other_grids(result),
    )
    return [note for kind in kinds for note in kind]


def cell_notes(result: TableResult) -> list[str]:
    """Notes on the cells behind a table: their source code, data and reward models."""
    scored = result.scored
    return [*_replaced(scored), *_sources(scored), *_recorded(scored)]


def warnings(result: TableResult) -> list[str]:
    """What a reader must know before the figures; short enough for a terminal."""
    scored = result.scored
    return [
        *_readable(list(changed_notes(scored))),
        *_readable(list(_replaced(scored))),
        *smoke_note(scored),
        *_damage_line(scored),
        *_engines(scored),
        *_few_seeds(result),
        *_budgets(scored),
        *_batches(scored),
    ]


def _readable(alike: list[str]) -> list[str]:
    """Warnings of one kind; if there are many, the first ones and the number of the others."""
    if len(alike) <= _ALIKE:
        return alike
    return [
        *alike[: _ALIKE - 1],
        f"… and {plural(len(alike) - _ALIKE + 1, 'more warning')} like the last.",
    ]


def ranking(rows: tuple[RowResult, ...], column: str = "hypervolume") -> list[str]:
    """Labels of scored rows in descending order of a figure; ties keep their order."""
    return [each.row.label for each in sorted(rows, key=lambda each: -each.figures[column])]


def resampled(result: TableResult) -> str:
    """Units that the intervals resample: `prompts`, `prompts and seeds` or `prompts and folds`."""
    return f"prompts and {result.unit}s" if result.outer else "prompts"


def volume_error(rows: Iterable[Mapping[Any, Any]]) -> str:
    """A sentence on the standard error of hypervolumes that are estimates; "" if all are exact."""
    errors = [row["hypervolume_error"] / row["hypervolume"] for row in rows if _is_estimate(row)]
    if not errors:
        return ""
    return (
        "Hypervolume is estimated for every row by Monte Carlo with a fixed seed, because the "
        "exact computation is too slow for so many points and objectives. ± is the standard error, "
        f"here at most {max(errors):.2%}; the ratio and hypervolumes at other references have the "
        "same relative error. Intervals do not include it. In differences between rows, it is "
        "smaller."
    )


def _is_estimate(row: Mapping[Any, Any]) -> bool:
    error = row.get("hypervolume_error")
    return isinstance(error, float) and error > 0


def changed_notes(rows: tuple[RowResult, ...]) -> Iterator[str]:
    """Files that are not those of the cell's record, such as another cell's."""
    for each in (replicate for row in rows for replicate in row.row.replicates):
        for name in each.changed:
            yield change_of(each.cell, name)


def smoke_note(rows: tuple[RowResult, ...]) -> Iterator[str]:
    names = {each.row.options.get("budget.name") for each in rows}
    if "smoke" in names:
        rest = "" if len(names) == 1 else " of its rows"
        yield (
            f"Budget smoke: the figures{rest} are meaningless; they only show that everything runs."
        )


def equal_drift_leader(result: TableResult) -> Iterator[str]:
    """The best competing row at equal drift beside the one with most hypervolume, if another."""
    if not result.equal_drift or not result.drift_lead:
        return
    limit, volumes = result.equal_drift.middle, result.equal_drift.at_middle
    lead = result.drift_lead
    leader, first = lead.leader.label, lead.first.label
    counting = f"counting only points within {limit:.3g} nats of the start model"
    if lead.gap:
        low, high = lead.gap.interval
        alike = f"{leader} and {first} do not differ significantly"
        ends = f"[{low:z.2f}, {high:z.2f}]".replace("-", "−")
        yield (
            f"At equal drift, {f'{leader} is ahead of {first}' if low > 0 else alike}: {counting}, "
            f"their hypervolumes are {volumes[leader]:.2f} and {volumes[first]:.2f}, a difference "
            f"of {lead.gap.estimate:.2f} {ends}."
        )
    elif first not in volumes:
        total, empty = len(lead.first.replicates), empty_replicates(lead.first, limit)
        where = f" in {empty} of {plural(total, result.noun)}" if empty < total else ""
        yield (
            f"At equal drift, {leader} has the largest hypervolume: {counting}, "
            f"{volumes[leader]:.2f}; {first} has no such point{where}."
        )


def _damage(rows: tuple[RowResult, ...]) -> Iterator[str]:
    """The rows whose texts are usually damaged, after an explanation."""
    yield from _damage_explained(rows)
    for each in rows:
        if damage := each.damage:
            yield f"{each.row.label}: {damage.summary}."


def _damage_line(rows: tuple[RowResult, ...]) -> Iterator[str]:
    """The same, with all rows in one line, the largest KL first."""
    yield from _damage_explained(rows)
    damaged = [(damage, each.row.label) for each in rows if (damage := each.damage)]
    if damaged:
        ordered = sorted(damaged, key=lambda each: -each[0].kl)
        extents = (
            f"{label}: {damage.damaged} of {damage.total} points, KL up to {damage.kl:.1f}"
            for damage, label in ordered
        )
        yield f"{'; '.join(extents)}."


def _damage_explained(rows: tuple[RowResult, ...]) -> Iterator[str]:
    damaged = [each for each in rows if each.damage]
    advice = dict.fromkeys(remedy(bool(each.figures.get("train_steps"))) for each in damaged)
    if damaged:
        yield (
            f"Texts are usually damaged at some points ({DAMAGE_MARK} in the column KL), where the "
            f"KL from the start model exceeds {DAMAGE_PER_ANSWER:g} nats per answer and "
            f"{DAMAGE_PER_TOKEN:g} per token. To drift less, {'; '.join(advice)}."
        )


def _other_grids(result: TableResult) -> Iterator[str]:
    """Tables at other preferences, and what is not compared with them."""
    others = result.table.other_grids
    if not others or not result.table.setting:
        return
    grid = set(result.table.setting.grid)
    listed = "; ".join(
        f"table {each.number} has {plural(len(each.setting.grid), 'preference')}, "
        f"{len(grid & set(each.setting.grid))} of them in common"
        for each in others
        if each.setting
    )
    front = "" if result.oracle else " (so in ratio and utility loss)"
    yield (
        f"Other grids of preferences: {listed}. Those rows are in this table's union front{front}, "
        "contribution, coverage and dominated by, as sets of points. Hypervolume, ranks, ties, "
        "differences, win rates, utilities, regret and controllability are not compared across "
        "grids: they depend on which preferences, and how many, are asked for. To compare them, "
        "run the rows with the same preferences=…."
    )


def _engines(rows: tuple[RowResult, ...]) -> Iterator[str]:
    engines = sorted({engine(each.row.options) for each in rows})
    if len(engines) > 1:
        yield (
            f"Engines differ: the samples were written by {' and '.join(engines)}. Their random "
            "numbers are the same, but rounding changes a sample where two tokens are nearly tied."
        )


def _few_seeds(result: TableResult) -> Iterator[str]:
    if result.scored and not result.outer:
        counts = {len(each.row.replicates) for each in result.scored}
        few = f"One {result.unit}" if counts == {1} else f"Fewer than five {result.unit}s"
        seeds, number = (1, "one seed") if counts == {1} else (3, "three seeds")
        equal = (
            f" Simulated with {number}, equal methods differed in {EQUAL_APART[seeds]} % of tables."
        )
        yield (
            f"{few}: intervals cover prompts only, not the variance between {result.unit}s."
            + (equal if result.pairs and result.unit == "seed" else "")
        )


def _intervals(result: TableResult) -> Iterator[str]:
    unit = "training seeds" if result.unit == "seed" else "folds"
    few = (
        f" With fewer than five {result.unit}s they do not cover the variance between {unit}, so "
        f"they are too narrow for statements about new {unit}."
    )
    yield (
        f"95 % intervals come from a paired bootstrap over {resampled(result)} ({RESAMPLES:,} "
        "resamples), scaled to Student's t. They are reflected for hypervolume and based on pairs "
        "of points for controllability. For steering regret, they run from the cross-fitted "
        "estimate's lower end to the plain estimate's upper end. The last two are wide: in "
        "simulations they cover about 100 %." + ("" if result.outer else few)
    )


def _estimated(rows: tuple[RowResult, ...]) -> Iterator[str]:
    """Error of hypervolumes estimated by Monte Carlo."""
    if note := volume_error(each.figures for each in rows):
        yield note


def _ties(result: TableResult) -> Iterator[str]:
    count = len(result.pairs)
    few = (
        " Ties and ranks refer to these trained models only. In simulations of six equally good "
        f"methods, {EQUAL_APART[1]} % of tables with one seed, and {EQUAL_APART[3]} % with three "
        "seeds, showed a difference."
    )
    long = (
        f" Rows after the first {COMPARED} are compared with the best row only and have no letter."
    )
    if count:
        yield (
            "Rows that share a letter in Ties do not differ significantly in hypervolume: paired "
            f"differences, {plural(count, 'pair')}, Holm's correction at "
            f"{100 * ALPHA:g} %. Ranks have 95 % intervals over the same resamples."
            + ("" if result.outer else few)
            + (long if len(result.scored) > COMPARED else "")
        )


def _detectable(result: TableResult) -> Iterator[str]:
    """Smallest difference in hypervolume that the pairs of this table could have shown."""
    found = sorted(detectable((pair.high - pair.low) / 2) for pair in result.pairs)
    if found:
        scope = "" if result.outer else ", for these seeds only"
        yield (
            "Smallest difference in hypervolume that this sweep could have detected with 80 % "
            "power at the 5 % level, before correction for many pairs: "
            f"{found[len(found) // 2]:.2g} for the median pair, {found[-1]:.2g} for the least "
            f"precise one{scope}. `paretosteer plan` estimates what more seeds or prompts would "
            "detect."
        )


def _own_noise(result: TableResult) -> Iterator[str]:
    if result.table.setting and not result.table.setting.common_noise:
        yield (
            "Sampled without common random numbers (evaluation.common_noise=false): every method "
            "and preference had noise of its own, so differences are noisier than usual."
        )


def _regularised(result: TableResult) -> Iterator[str]:
    setting = result.table.setting
    if setting and setting.kl_coefficient:
        yield (
            f"Points are regularised: every objective minus {setting.kl_coefficient:g} × KL (nats "
            "per sample), because reward can always be bought with more KL."
        )


def _raw_reference(result: TableResult) -> Iterator[str]:
    if result.raw_reference is not None:
        yield (
            "Hypervolume in raw units is measured from the given reference point: "
            f"{vector_words(result.raw_reference)}."
        )
    if result.raw_bounds is not None:
        low, high = map(vector_words, result.raw_bounds)
        yield f"Bounded MIP uses the given raw bounds: {low} and {high}."


def _oracle(result: TableResult) -> Iterator[str]:
    if result.doubt:
        yield result.doubt
    if not result.oracle:
        return
    yield (
        "The oracle is the exact optimal policy at each preference; ratio, utility loss and regret "
        "are relative to it. It is known for these test prompts only, so regret has "
        + (f"intervals over {result.unit}s only." if result.outer else "no interval.")
    )
    total = len(result.oracle.preferences)
    idle = total - len(result.oracle.places)
    if idle:
        yield (
            f"At {idle} of {total} preferences the oracle does not beat the start model; oracle "
            "regret excludes them."
        )


def _exempt(rows: tuple[RowResult, ...]) -> Iterator[str]:
    exempt = [each.row.label for each in rows if each.row.exempt]
    if exempt:
        yield (
            f"{EXEMPT_MARK} exempt from the budget's cap on steps: an expensive reference, not a "
            f"competitor ({_listed(exempt)})."
        )


def _unscored(result: TableResult) -> Iterator[str]:
    rows = [f"{each.row.label} ({each.row.status})" for each in result.rows if not each.curves]
    if rows:
        yield f"Without figures: {_listed(rows)}."


def _listed(rows: Sequence[str]) -> str:
    """Rows in words; of many, the first ones."""
    return f"{', '.join(rows[:_NAMED])}{', …' if len(rows) > _NAMED else ''}"


def _cost_unknown(rows: tuple[RowResult, ...]) -> Iterator[str]:
    if any(each.row.cost_unknown for each in rows):
        yield (
            f"{COST_UNKNOWN_MARK} trained elsewhere, at an unknown cost: comparisons under the "
            "budget do not hold for this row."
        )


def _incomplete(result: TableResult) -> Iterator[str]:
    for row in (each.row for each in result.scored):
        if row.status == "partial" and len(row.replicates) < len(row.cells):
            yield (
                f"{row.label}: figures cover {len(row.replicates)} of {len(row.cells)} "
                f"{result.noun}s; the others were not scored."
            )


def _unpaired(rows: tuple[RowResult, ...]) -> Iterator[str]:
    """Rows that lack folds of other rows, or weight folds unequally."""
    folds = {each.row.label: [it.fold or 0 for it in each.row.replicates] for each in rows}
    union = {fold for own in folds.values() for fold in own}
    for label, own in folds.items():
        lacking = sorted(union - set(own))
        if lacking:
            yield (
                f"{label}: lacks {numbered('fold', lacking)}, so its means cover other test "
                "prompts than those of the other rows and are not paired with them."
            )
        elif len({own.count(fold) for fold in union}) > 1:
            yield (
                f"{label}: has more seeds in some folds than in others, so its means weight folds "
                "unequally."
            )


def _sensitive(rows: tuple[RowResult, ...]) -> Iterator[str]:
    usual = ranking(rows)
    for column, value in OTHER_REFERENCES.items():
        other = ranking(rows, column)
        if other != usual:
            place = f"{value:g}".replace("-", "−")
            yield (
                f"The ranking depends on the reference point: at {place} in every objective "
                f"it is {_listed(other)}."
            )


def _budgets(rows: tuple[RowResult, ...]) -> Iterator[str]:
    # A row without training, such as one of adapters from elsewhere, spends no budget.
    trained = [each for each in rows if each.figures.get("train_steps")]
    caps = sorted({each.row.cap for each in trained if each.row.cap is not None})
    if len(caps) > 1:
        yield f"Budgets differ: this table has caps of {', '.join(map(str, caps))} steps."
    for each in trained:
        steps = each.figures["train_steps"]
        if each.row.cap is not None and steps > each.row.cap:
            yield (
                f"{each.row.label}: trained for {steps:g} optimiser steps, above its cap of "
                f"{each.row.cap}."
            )


def _batches(rows: tuple[RowResult, ...]) -> Iterator[str]:
    sizes = {
        cell.record.batch_size["train"]
        for each in rows
        for cell in each.row.cells
        if isinstance(cell.record, ScoredRecord) and "train" in cell.record.batch_size
    }
    if len(sizes) > 1:
        listed = ", ".join(str(size) for size in sorted(sizes))
        yield f"Training batch sizes differ ({listed}), so equal steps are not equal budgets."


def _dials(rows: tuple[RowResult, ...]) -> Iterator[str]:
    for each in rows:
        count = len(each.curves.dialled) if each.curves else 0
        if count:
            yield (
                f"{each.row.label}: {count // len(each.row.replicates)} points at other dial "
                "values are plotted but not ranked; methods are compared at one point per "
                "preference."
            )


def _outside(result: TableResult) -> Iterator[str]:
    for each in result.scored:
        outside = each.figures["points_outside"]
        if outside:
            yield (
                f"{each.row.label}: {outside:.3g} points per {result.noun} do not exceed the "
                "reference point and add no hypervolume."
                if outside != 1
                else f"{each.row.label}: 1 point per {result.noun} does not exceed the reference "
                "point and adds no hypervolume."
            )


def _replaced(rows: tuple[RowResult, ...]) -> Iterator[str]:
    """Cells whose settings are those of another one that counts, but not their results."""
    for each in rows:
        for cell, counting, difference in each.row.replaced:
            yield (
                f"{each.row.label}: {cell.path} has the same settings and seed as {counting.path}, "
                f"but {difference}; only the latter, which is newer, counts."
            )


def _sources(rows: tuple[RowResult, ...]) -> Iterator[str]:
    records = [replicate.cell.results for each in rows for replicate in each.row.replicates]
    core = {record.core_source_digest or record.source_digest for record in records}
    # Per set of plug-ins, since the source digests of different plug-ins differ by design.
    alike: dict[tuple[str, ...], set[str]] = {}
    for record in records:
        alike.setdefault(tuple(record.plugins), set()).add(record.source_digest)
    if len(core) > 1 or any(len(digests) > 1 for digests in alike.values()):
        digests = {record.source_digest for record in records}
        listed = ", ".join(sorted(digest[:8] for digest in digests))
        yield f"These cells were made by different source code ({listed}); see their provenance."


def _recorded(rows: tuple[RowResult, ...]) -> Iterator[str]:
    """Distinct notes recorded by the cells, with the rows or folds they apply to unless to all."""
    cells = [(each.row.label, replicate) for each in rows for replicate in each.row.replicates]
    by_note: dict[str, list[tuple[str, Replicate]]] = {}
    for label, replicate in cells:
        for note in dict.fromkeys(replicate.cell.results.notes):
            by_note.setdefault(note, []).append((label, replicate))
    for note, having in by_note.items():
        yield note if len(having) == len(cells) else f"{_whose(having, cells)}: {note}"


def _whose(having: Sequence[tuple[str, Replicate]], cells: Sequence[tuple[str, Replicate]]) -> str:
    """Folds if the note applies to all of their cells, otherwise rows."""
    folds = {replicate.fold for _, replicate in having}
    of_folds = [replicate for _, replicate in cells if replicate.fold in folds]
    numbers = sorted(fold for fold in folds if fold is not None)
    if numbers and len(of_folds) == len(having):
        return numbered("Fold", numbers)
    return ", ".join(dict.fromkeys(label for label, _ in having))
