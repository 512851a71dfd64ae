"""Test the claims: `make claims` writes results/claims and docs/claims.md.

Every sweep resumes, so a study that was killed continues and ends with the same verdicts. A world
whose model or data is not given, or that has no cells, is named and left out.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from claims.declarations import CLAIMS, SEEDS, WORLDS, Claim, World
from claims.effects import EFFECTS

from paretosteer.cells.cell import cell_folders, read_cell
from paretosteer.metrics.power import students_quantile
from paretosteer.report.analysis.evaluate_table import RowResult, TableResult, evaluate
from paretosteer.report.analysis.tables import make_tables
from paretosteer.report.write import write_report

RESULTS, PAGE = Path("results/claims"), Path("docs/claims.md")
SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "not decided"


@dataclass(frozen=True)
class Verdict:
    """A claim's effect with its interval over `count` seeds or folds."""

    claim: Claim
    effect: float
    low: float
    high: float
    count: int

    @property
    def word(self) -> str:
        """One of the three verdicts."""
        low, high, above = self.low, self.high, self.claim.above
        beyond, short = (
            (high < above, low > above) if self.claim.less else (low > above, high < above)
        )
        return SUPPORTED if beyond else CONTRADICTED if short else UNDECIDED


def main() -> None:
    """Run the sweeps and write the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short training")
    parser.add_argument("--model", default="", help="folder of stories260k")
    parser.add_argument("--data", default="", help="folder of MQ2008's folds")
    parser.add_argument("--worlds", default=",".join(WORLDS), help="worlds to test, with commas")
    parser.add_argument("--no-run", action="store_true", help="judge the cells that exist")
    args = parser.parse_args()
    given = {"model": args.model, "data": args.data, "": ""}
    verdicts, sections = [], []
    for name in args.worlds.split(","):
        world = WORLDS[name]
        if not args.no_run and not (world.needs and not given[world.needs]):
            run(name, world, given[world.needs], args.quick)
        tables = tables_of(RESULTS / "sweep" / name)
        if not tables:
            sections.append(f"**{name}**: not run; give {world.needs or 'cells'}.")
            continue
        keep(name)
        verdicts += [
            found for claim in CLAIMS if claim.world == name for found in judge(claim, tables)
        ]
        sections.append(f"**{name}**: `{command(name, world, world.sweeps[0], '…', args.quick)}`")
    text = page(verdicts, sections)
    PAGE.write_text(text, encoding="utf-8")
    print(text)


def run(name: str, world: World, given: str, quick: bool) -> None:
    """Run or resume a world's sweeps."""
    for sweep in world.sweeps:
        words = command(name, world, sweep, given, quick).split(" ")
        program = Path(sys.executable).parent / words[0]
        code = subprocess.run([str(program), *words[1:]], check=False).returncode
        if code:  # failed cells have a status; a seed that fails does not stop the others
            print(f"{name}: {sweep} ended with {code}", file=sys.stderr)


def command(name: str, world: World, sweep: str, given: str, quick: bool) -> str:
    """Command line of a sweep."""
    budget = world.quick if quick else world.full
    common = world.common.format(input=given)
    folder = RESULTS / "sweep" / name
    return f"paretosteer sweep {common} {budget} {SEEDS} {sweep} sweep_dir={folder}"


def tables_of(folder: Path) -> list[TableResult]:
    """Tables of the cells below a folder, the one with most rows first; empty without cells."""
    if not folder.is_dir():
        return []
    found = make_tables(map(read_cell, cell_folders(folder)))
    results = [evaluate(table) for table in found.tables if table.setting]
    return sorted(results, key=lambda each: -len(each.scored))


def judge(claim: Claim, tables: Sequence[TableResult]) -> list[Verdict]:
    """Verdict on a claim in the first table that has its rows; empty without them or two seeds."""
    for table in tables:
        a, b = _row(table, claim.a), _row(table, claim.b) if claim.b else None
        if a and (b or not claim.b):
            values = np.array(list(EFFECTS[claim.effect](table, a, b).values()))
            if len(values) >= 2:
                reach = students_quantile(len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
                mean = float(values.mean())
                return [Verdict(claim, mean, mean - reach, mean + reach, len(values))]
    return []


def _row(table: TableResult, prefix: str) -> RowResult | None:
    """Row whose label is or begins with a text, the shortest such label."""
    fitting = [each for each in table.scored if each.row.label.startswith(prefix)]
    return min(fitting, key=lambda each: len(each.row.label), default=None)


def keep(name: str) -> None:
    """Copy a world's tables into the folder that is committed."""
    sweep, folder = RESULTS / "sweep" / name, RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    report = write_report([sweep])
    for file in ("leaderboard.csv", "leaderboard.md", "index.html"):
        shutil.copyfile(report.folder / file, folder / file)


def page(verdicts: Sequence[Verdict], sections: Sequence[str]) -> str:
    """Verdicts as Markdown."""
    by_world: Mapping[str, list[Verdict]] = {name: [] for name in WORLDS}
    for each in verdicts:
        by_world[each.claim.world].append(each)
    lines = [
        "# Claims put to the test",
        "",
        "Each claim is one difference or ratio, measured seed by seed at matched budgets, with "
        "Student's t interval at 95 % over seeds (folds and seeds where there are folds). "
        "*Supported*: the whole interval is beyond the threshold; *contradicted*: all of it is "
        "short of it; otherwise *not decided*. No correction for the number of claims. Verdicts "
        "hold at this scale only. Written by `make claims`; tables are in `results/claims`.",
        "",
        *(f"{each}\n" for each in sections),
    ]
    for name, found in by_world.items():
        if found:
            lines += [f"## {name}", "", *_table(found), ""]
    return "\n".join(lines).replace("-0.", "−0.").replace("[-", "[−")


def _table(found: Sequence[Verdict]) -> list[str]:
    """Verdicts as a table, above it the limits that all of them have in common."""
    limits = {each.claim.limits for each in found}
    shared = len(limits) == 1
    columns = ["Claim", "Effect", "95 % interval", "Threshold", "Seeds", "Verdict"]
    lines = [*limits, ""] if shared else []
    rows = [
        [
            each.claim.says,
            f"{each.effect:.3f}",
            f"[{each.low:.3f}, {each.high:.3f}]",
            f"{'<' if each.claim.less else '>'} {each.claim.above:g}",
            str(each.count),
            f"*{each.word}*",
            *([] if shared else [each.claim.limits]),
        ]
        for each in found
    ]
    marks = [":--", "--:", "--:", "--:", "--:", ":--"]
    if not shared:
        columns, marks = [*columns, "Limits"], [*marks, ":--"]
    return lines + ["| " + " | ".join(cells) + " |" for cells in (columns, marks, *rows)]


if __name__ == "__main__":
    main()
