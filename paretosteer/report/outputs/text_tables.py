"""Leaderboard tables: Markdown for a README, LaTeX (booktabs) for a paper."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from paretosteer.metrics.row_metric import Column
from paretosteer.report.analysis.comparable import Setting, distinctions, folds_words, vector_words
from paretosteer.report.analysis.evaluate_table import RowResult, TableResult
from paretosteer.report.analysis.tables import COST_UNKNOWN_MARK, EXEMPT_MARK, model_words
from paretosteer.report.columns import DECODING_COSTS, HYPERVOLUME, STEPS, section
from paretosteer.report.outputs.notes import notes
from paretosteer.runtime.terminal import plural, printable


@dataclass(frozen=True)
class _Look:
    """Formats of escaped text, best values, values tied with the best, and the footnote's mark."""

    escape: Callable[[str], str]
    best: Callable[[str], str]
    tied: Callable[[str], str]
    mark: Callable[[str], str]  # escapes the mark of a label


def headline(result: TableResult) -> str:
    """Benchmark, model and setting of a table in one line."""
    table, setting = result.table, result.table.setting
    if not setting:
        return table.place
    folds = f" in {folds_words(setting.folds)}" if setting.folds else ""
    less = f" (each minus {setting.kl_coefficient:g} × KL)" if setting.kl_coefficient else ""
    return (
        f"{setting.benchmark} (version {setting.version}) with {model_words(table.model)}: "
        f"{', '.join(setting.names)}{less}; {plural(len(setting.preferences), 'preference')}, "
        f"{plural(setting.prompt_count, 'test prompt')}{folds}, {setting.dtype}, "
        f"reference {vector_words(setting.reference)}"
    )


def apart(
    results: Sequence[TableResult], said: str = "the other tables. Only this one has"
) -> dict[int, str]:
    """Note by table number on what makes it incomparable with the others; empty for one table.

    Tables that differ in their preferences only have a note of their own, see `notes`. `said` are
    the words of the note that tell which tables these are.
    """
    tables = [result.table for result in results if result.table.setting]
    if tables and len(tables[0].other_grids) == len(tables) - 1:
        return {}
    settings: list[tuple[int, Setting]] = [
        (table.number, table.setting) for table in tables if table.setting
    ]
    differences = distinctions([setting for _, setting in settings])
    return {
        number: f"Not comparable with {said}: {_listed(words)}."
        for (number, _), words in zip(settings, differences, strict=True)
        if words
    }


def namesake(result: TableResult, results: Sequence[TableResult]) -> list[str]:
    """Note on what makes a table incomparable with others of the same benchmark and model."""
    place = result.table.place
    alike = [each for each in results if each.table.place == place]
    found = apart(alike, f"the other tables of {place}. Of these, only this one has")
    return [note] if (note := found.get(result.table.number)) else []


def _listed(words: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in words.items())


def markdown(results: Sequence[TableResult]) -> str:
    """All tables in GitHub's Markdown, best values in bold (see `TableResult.best`)."""
    special = apart(results)
    return "\n".join(_markdown_table(result, table_notes(result, special)) for result in results)


def latex(results: Sequence[TableResult]) -> str:
    """All tables as LaTeX floats, best values in bold; needs the package booktabs.

    Hypervolumes that do not differ significantly from the best are underlined.
    """
    special = apart(results)
    tables = [_latex_table(result, table_notes(result, special)) for result in results]
    return "% Needs \\usepackage{booktabs}.\n" + "\n".join(tables)


def table_notes(result: TableResult, special: Mapping[int, str]) -> list[str]:
    """Notes on a table, the one from `apart` first."""
    own = special.get(result.table.number)
    return [*([own] if own else []), *notes(result)]


def decoding_columns(result: TableResult) -> list[Column]:
    """Costs of decoding in which the rows differ."""
    return [
        column
        for column in DECODING_COSTS
        if len({each.figures.get(column.name) for each in result.scored}) > 1
    ]


def _columns(result: TableResult) -> list[Column]:
    """Quality and steps; costs of decoding where the rows differ in them."""
    return result.present((*section("quality"), STEPS, *decoding_columns(result)))


def _markdown_table(result: TableResult, remarks: Sequence[str]) -> str:
    columns = _columns(result)
    headings = _headings(result, columns)
    look = _Look(markdown_escape, "**{}**".format, str, markdown_escape)
    rows = _rows(result, columns, look)
    return "\n".join(
        [
            f"### Table {result.table.number}. {markdown_escape(headline(result))}",
            "",
            f"| {' | '.join(headings)} |",
            f"|:--|{'--:|' * (len(headings) - 2)}:--|",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            *(f"- {_with_code(note, markdown_escape, '`{}`'.format)}" for note in remarks),
            "",
        ]
    )


def _latex_table(result: TableResult, remarks: Sequence[str]) -> str:
    arrows = {"↑": r"$\uparrow$", "↓": r"$\downarrow$"}
    columns = _columns(result)
    headings = _headings(result, columns)
    for arrow, command in arrows.items():
        headings = [heading.replace(arrow, command) for heading in headings]
    bold, underlined = r"\textbf{{{}}}".format, r"\underline{{{}}}".format
    rows = _rows(result, columns, _Look(latex_escape, bold, underlined, _latex_mark))
    marks = ["Underlined: not significantly different from the best."] if result.tied else []
    caption = f"{headline(result)}. {' '.join([*marks, *remarks])}"
    caption = _with_code(caption, latex_escape, r"\texttt{{{}}}".format)
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{caption}}}",
            rf"  \label{{tab:leaderboard-{result.table.number}}}",
            rf"  \begin{{tabular}}{{l{'r' * (len(headings) - 2)}l}}",
            r"    \toprule",
            f"    {' & '.join(headings)} \\\\",
            r"    \midrule",
            *(f"    {' & '.join(row)} \\\\" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _headings(result: TableResult, columns: Sequence[Column]) -> list[str]:
    counted = ["Folds", "Seeds"] if _folded(result) else ["Seeds"]
    return ["Method", *(column.heading for column in columns), *counted, "Status"]


def _folded(result: TableResult) -> bool:
    return bool(result.table.setting and result.table.setting.folds)


def _rows(result: TableResult, columns: Sequence[Column], look: _Look) -> list[list[str]]:
    best = {column.name: result.best(column) for column in columns}
    tied = {HYPERVOLUME.name: result.tied}

    def value(each: RowResult, column: Column) -> str:
        text, label = look.escape(each.text(column)), each.row.label
        if label in best[column.name]:
            return look.best(text)
        return look.tied(text) if label in tied.get(column.name, ()) else text

    def counted(each: RowResult) -> list[str]:
        folds = len({replicate.fold for replicate in each.row.replicates})
        seeds = len({replicate.seed for replicate in each.row.replicates})
        return [str(folds), str(seeds)] if _folded(result) else [str(seeds)]

    return [
        [
            look.escape(each.row.label) + look.mark(each.row.mark),
            *(value(each, column) for column in columns),
            *counted(each),
            each.row.status,
        ]
        for each in result.rows
    ]


def markdown_escape(text: str) -> str:
    """Escape text for Markdown, in tables too, and put it on one line."""
    line = " ".join(printable(text).split())
    line = "".join(f"\\{each}" if each in "\\`*<>|[]$~&" else each for each in line)
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\_", line)  # within a word it needs no escape


def _with_code(text: str, escape: Callable[[str], str], code: Callable[[str], str]) -> str:
    """Text with its commands, which are in backticks, as code."""
    parts = re.split(r"( ?`paretosteer [a-z-]+` ?)", text)  # with spaces, which an escape strips
    return "".join(_code(part, code) if n % 2 else escape(part) for n, part in enumerate(parts))


def _code(part: str, code: Callable[[str], str]) -> str:
    before, command, after = part.split("`")
    return before + code(command) + after


def _latex_mark(marks: str) -> str:
    return "".join(f"$^{{{x}}}$" if x == EXEMPT_MARK else latex_escape(x) for x in marks)


_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "−": "$-$",
    "⚠": r"$\dagger$",
    COST_UNKNOWN_MARK: r"$\ddagger$",
}


def latex_escape(text: str) -> str:
    """Escape text for LaTeX and put it on one line."""
    return "".join(_LATEX.get(each, each) for each in " ".join(printable(text).split()))
