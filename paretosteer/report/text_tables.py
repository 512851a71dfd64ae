"""The leaderboard for readers: Markdown for a README, LaTeX (booktabs) for a paper."""

from collections.abc import Callable, Mapping, Sequence

from paretosteer.report.columns import QUALITY, STEPS
from paretosteer.report.evaluate import RowResult, TableResult
from paretosteer.report.notes import notes
from paretosteer.report.setting import Setting, distinctions

_COLUMNS = (*QUALITY, STEPS)


def headline(result: TableResult) -> str:
    """What a table compares, in one line."""
    table, setting = result.table, result.table.setting
    if not setting:
        return f"{table.benchmark} {table.model}".strip()
    return (
        f"{setting.benchmark} (version {setting.version}) on {table.model}: "
        f"{', '.join(setting.names)}; {len(setting.preferences)} preferences, "
        f"{setting.prompt_count} test prompts, {setting.dtype}, "
        f"reference ({', '.join(f'{value:g}' for value in setting.reference)})"
    )


def apart(results: Sequence[TableResult]) -> dict[int, Mapping[str, str]]:
    """By table number, what keeps that table apart from the others; empty for a single one."""
    settings: list[tuple[int, Setting]] = [
        (result.table.number, result.table.setting) for result in results if result.table.setting
    ]
    told = distinctions([setting for _, setting in settings])
    return {number: words for (number, _), words in zip(settings, told, strict=True)}


def markdown(results: Sequence[TableResult]) -> str:
    """All tables in GitHub's Markdown, best values in bold."""
    return "\n".join(_markdown_table(result, apart(results)) for result in results)


def latex(results: Sequence[TableResult]) -> str:
    """All tables as LaTeX floats; needs the package booktabs."""
    return "% Needs \\usepackage{booktabs}.\n" + "\n".join(map(_latex_table, results))


def _markdown_table(result: TableResult, differences: Mapping[int, Mapping[str, str]]) -> str:
    number = result.table.number
    headings = ["Method", *(column.heading for column in _COLUMNS), "Seeds", "Status"]
    rows = _rows(result, escape=_markdown_escape, bold="**{}**".format, star="\\*")
    special = differences.get(number, {})
    told = [f"Apart from the other tables by {name}: {value}." for name, value in special.items()]
    return "\n".join(
        [
            f"### Table {number}. {_markdown_escape(headline(result))}",
            "",
            f"| {' | '.join(headings)} |",
            f"|:--|{'--:|' * len(_COLUMNS)}--:|:--|",
            *(f"| {' | '.join(row)} |" for row in rows),
            "",
            *(f"- {_markdown_escape(note)}" for note in [*told, *notes(result)]),
            "",
        ]
    )


def _latex_table(result: TableResult) -> str:
    arrows = {"↑": r"$\uparrow$", "↓": r"$\downarrow$"}
    headings = ["Method", *(column.heading for column in _COLUMNS), "Seeds", "Status"]
    for arrow, command in arrows.items():
        headings = [heading.replace(arrow, command) for heading in headings]
    rows = _rows(result, escape=latex_escape, bold=r"\textbf{{{}}}".format, star="$^{*}$")
    told = " ".join(notes(result))
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{latex_escape(headline(result))}. {latex_escape(told)}}}",
            rf"  \label{{tab:leaderboard-{result.table.number}}}",
            rf"  \begin{{tabular}}{{l{'r' * (len(_COLUMNS) + 1)}l}}",
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


def _rows(
    result: TableResult, escape: Callable[[str], str], bold: Callable[[str], str], star: str
) -> list[list[str]]:
    best = {column.figure: column.best(result.scored) for column in _COLUMNS}

    def values(each: RowResult) -> list[str]:
        texts = [(column.figure, escape(column.text(each))) for column in _COLUMNS]
        return [bold(text) if each.row.label in best[name] else text for name, text in texts]

    return [
        [
            escape(each.row.label) + (star if each.row.exempt else ""),
            *values(each),
            str(len(each.row.replicates)),
            each.row.status,
        ]
        for each in result.rows
    ]


def _markdown_escape(text: str) -> str:
    line = " ".join(text.split())
    return "".join(f"\\{each}" if each in "\\`*<>|[]" else each for each in line)


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
}


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it is, on one line."""
    return "".join(_LATEX.get(each, each) for each in " ".join(text.split()))
