"""Test the claims: `make claims` writes results/claims and docs/claims.md.

Every sweep resumes, so a study that was killed continues and ends with the same verdicts. Verdicts
of a world are in results/claims/WORLD/verdicts.json, so that worlds can be run one at a time; one
that was never run is named on the page.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from claims.declarations import (
    CLAIMS,
    OURS,
    PAPERS,
    QUICK_SEEDS,
    SEEDS,
    TWO_CORES,
    WORLDS,
    Claim,
    World,
)
from claims.effects import BOUNDS, EFFECTS, NOISE_EFFECTS

from paretosteer.cells.cell import cell_folders, read_cell
from paretosteer.metrics.power import students_quantile
from paretosteer.report.analysis.evaluate_table import RowResult, TableResult, evaluate
from paretosteer.report.analysis.tables import make_tables
from paretosteer.report.write import write_report

RESULTS, PAGE = Path("results/claims"), Path("docs/claims.md")
VERDICTS = "verdicts.json"
PAGED = "stories"  # world whose page is committed
TEXT_BYTES = 200_000  # on that page, of sample texts; with the tables it stays below 5 MB
WITHOUT = "No verdict yet, because cells are missing or fewer than two seeds give a value:"
SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "not decided"


@dataclass(frozen=True)
class Verdict:
    """A claim's effect with its interval over `count` seeds or folds."""

    name: str  # of the claim, within its world
    effect: float
    low: float
    high: float
    count: int

    def word(self, claim: Claim) -> str:
        """One of the three verdicts."""
        low, high, above = self.low, self.high, claim.above
        beyond, short = (high < above, low >= above) if claim.less else (low > above, high <= above)
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
    for name in args.worlds.split(","):
        world = WORLDS[name]
        if not args.no_run and not (world.needs and not given[world.needs]):
            run(name, world, given[world.needs], args.quick)
        if tables := tables_of(sweep_folder(name), own_noise_folder(name)):
            keep(name, command(name, world, world.sweeps[0], "…", args.quick), tables)
    text = page()
    PAGE.write_text(text, encoding="utf-8")
    print(text)


def sweep_folder(name: str) -> Path:
    """Folder of a world's cells."""
    return RESULTS / "sweep" / name


def own_noise_folder(name: str) -> Path:
    """Folder of the same cells, sampled without common random numbers."""
    return RESULTS / "sweep" / f"{name}-own-noise"


def run(name: str, world: World, given: str, quick: bool) -> None:
    """Run or resume a world's sweeps."""
    for sweep in world.sweeps:
        _run(name, command(name, world, sweep, given, quick))
    if not world.own_noise:
        return
    folder = own_noise_folder(name)
    if not folder.exists():  # trained cells are sampled again, not trained again
        draft = folder.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(sweep_folder(name), draft)
        draft.rename(folder)
    for sweep in world.sweeps:
        words = command(name, world, f"{sweep} evaluation.common_noise=false", given, quick)
        _run(name, words.replace(str(sweep_folder(name)), str(folder)))


def _run(name: str, words: str) -> None:
    program, *arguments = words.split(" ")
    path = Path(sys.executable).parent / program
    code = subprocess.run([str(path), *arguments], check=False).returncode
    if code:  # failed cells have a status; a seed that fails does not stop the others
        print(f"{name}: {words} ended with {code}", file=sys.stderr)


def command(name: str, world: World, sweep: str, given: str, quick: bool) -> str:
    """Command line of a sweep."""
    budget, seeds = (world.quick, QUICK_SEEDS) if quick else (world.full, SEEDS)
    common = world.common.format(input=given)
    words = f"paretosteer sweep {common} {budget} {seeds} {sweep} {TWO_CORES}"
    return f"{words} sweep_dir={sweep_folder(name)}"


def tables_of(*folders: Path) -> list[TableResult]:
    """Tables of the cells below folders, the one with most rows first; empty without cells."""
    if not (there := [folder for folder in folders if folder.is_dir()]):
        return []
    found = make_tables(map(read_cell, cell_folders(*there)))
    results = [evaluate(table) for table in found.tables if table.setting]
    return sorted(results, key=lambda each: -len(each.scored))


def judge(claim: Claim, tables: Sequence[TableResult]) -> list[Verdict]:
    """Verdict on a claim in the first table that has its rows; empty without them or two seeds."""
    values = np.array(list(_effects(claim, tables).values()))
    if len(values) < 2:
        return []
    reach = students_quantile(len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    mean = float(values.mean())
    least, most = BOUNDS.get(claim.effect, (-math.inf, math.inf))
    low, high = max(mean - reach, least), min(mean + reach, most)
    return [Verdict(claim.name, mean, low, high, len(values))]


def _effects(claim: Claim, tables: Sequence[TableResult]) -> Mapping[tuple[int, int], float]:
    """Effect by fold and seed."""
    by_noise = {
        common: [each for each in tables if each.table.setting.common_noise is common]
        for common in (True, False)
    }
    if claim.effect in NOISE_EFFECTS:
        if not all(by_noise.values()):
            return {}
        return NOISE_EFFECTS[claim.effect](by_noise[True][0], by_noise[False][0])
    for table in by_noise[True]:
        a, b = _row(table, claim.a), _row(table, claim.b) if claim.b else None
        if a and (b or not claim.b):
            return EFFECTS[claim.effect](table, a, b)
    return {}


def _row(table: TableResult, prefix: str) -> RowResult | None:
    """Row whose label is or begins with a text, the shortest such label."""
    fitting = [each for each in table.scored if each.row.label.startswith(prefix)]
    return min(fitting, key=lambda each: len(each.row.label), default=None)


def keep(name: str, command: str, tables: Sequence[TableResult]) -> None:
    """Write a world's verdicts and tables into the folder that is committed."""
    folder = RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    report = write_report([sweep_folder(name)], text_bytes=TEXT_BYTES)
    page = ["index.html"] if name == PAGED else []
    for file in ["leaderboard.csv", "leaderboard.md", *page]:
        text = (report.folder / file).read_bytes().decode()
        for path in _inputs(tables):  # of the machine, as its commands name them
            text = text.replace(path, "…")
        (folder / file).write_bytes(text.encode())
    found = [verdict for claim in CLAIMS if claim.world == name for verdict in judge(claim, tables)]
    content = {"command": command, "verdicts": [asdict(each) for each in found]}
    (folder / VERDICTS).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _inputs(tables: Sequence[TableResult]) -> set[str]:
    """Paths of the start models and data of which the cells of some tables were made."""
    configs = [cell.config for each in tables for one in each.scored for cell in one.row.cells]
    paths = [config[part].get("path") for config in configs for part in ("model", "benchmark")]
    return {str(path) for path in paths if path}


def page() -> str:
    """Verdicts of all worlds as Markdown."""
    sections, judged = [], []
    for name in sorted(WORLDS, key=lambda each: each.startswith("bandit")):  # the real ones first
        path = RESULTS / name / VERDICTS
        if not path.is_file():
            sections += [f"## {name}", "", _missing(name, WORLDS[name]), ""]
            continue
        content = json.loads(path.read_text())
        found = {each["name"]: Verdict(**each) for each in content["verdicts"]}
        claims = [claim for claim in CLAIMS if claim.world == name]
        own = [(claim, found[claim.name]) for claim in claims if claim.name in found]
        judged += own
        sections += [f"## {name}", "", *_table(own), "", f"First sweep: `{content['command']}`", ""]
        if untested := [f"- {claim.says}" for claim in claims if claim.name not in found]:
            sections += [WITHOUT, "", *untested, ""]
    lines = [
        "# Claims put to the test",
        "",
        "Each claim is one difference or ratio, measured seed by seed at matched budgets, with "
        "Student's t interval at 95 % over seeds (folds and seeds where there are folds). "
        "*Supported*: the whole interval is beyond the threshold; *contradicted*: the whole "
        "interval misses the threshold; otherwise *not decided*. No correction for the number of "
        "claims. Verdicts hold at this scale only. No interval is shown where every seed gives the "
        "same value, to the recorded precision. Written by `make claims`; tables, and the page of "
        "`stories`, are in `results/claims`.",
        "",
        *_summary(judged),
        "",
        *sections,
    ]
    return re.sub(r"(?<=[\[ ])-(?=\d)", "−", "\n".join(lines))


def _summary(judged: Sequence[tuple[Claim, Verdict]]) -> list[str]:
    """Number of verdicts of each kind by paper, over all worlds."""
    words = (SUPPORTED, CONTRADICTED, UNDECIDED)
    lines = [
        "| Claims of | " + " | ".join(map(str.capitalize, words)) + " |",
        "| :-- | --: | --: | --: |",
    ]
    rows = {title: [0, 0, 0] for title in [*PAPERS.values(), OURS]}
    for claim, verdict in judged:
        start = (title for prefix, title in PAPERS.items() if claim.name.startswith(prefix))
        rows[next(start, OURS)][words.index(verdict.word(claim))] += 1
    return lines + [f"| {title} | {' | '.join(map(str, n))} |" for title, n in rows.items()]


def _missing(name: str, world: World) -> str:
    """A sentence for a world without verdicts, with the command that tests its claims."""
    given = {
        "model": " with `MODEL=` the folder of stories260k",
        "data": " with `DATA=` the folder of MQ2008's folds",
    }
    return (
        f"Its claims have not been tested yet; `make claims WORLDS={name}`"
        f"{given.get(world.needs, '')} does so."
    )


def _numbers(verdict: Verdict) -> tuple[str, str]:
    """Effect and interval, with as many decimals as the interval's ends need to differ."""
    width = verdict.high - verdict.low
    smallest = width or abs(verdict.effect) or 1.0
    decimals = max(3, 1 - math.floor(math.log10(smallest)))
    if decimals > 6:  # rounding errors of the computer, not spread
        width = 0.0
        size = abs(verdict.effect) or 1.0
        decimals = min(7, max(3, 1 - math.floor(math.log10(size))))
    effect, low, high = (
        f"{value:z.{decimals}f}" for value in (verdict.effect, verdict.low, verdict.high)
    )
    return effect, f"[{low}, {high}]" if width else "the same in every seed"


def _table(judged: Sequence[tuple[Claim, Verdict]]) -> list[str]:
    """Verdicts as a table, above it the limits that all of them have in common."""
    limits = {claim.limits for claim, _ in judged}
    shared = len(limits) == 1
    columns = ["Claim", "Effect", "95 % interval", "Threshold", "Seeds", "Verdict"]
    lines = [*limits, ""] if shared else []
    rows = [
        [
            claim.says,
            *_numbers(each),
            f"{'<' if claim.less else '>'} {claim.above:g}",
            str(each.count),
            f"*{each.word(claim)}*",
            *([] if shared else [claim.limits]),
        ]
        for claim, each in judged
    ]
    marks = [":--", "--:", "--:", "--:", "--:", ":--"]
    if not shared:
        columns, marks = [*columns, "Limits"], [*marks, ":--"]
    return lines + ["| " + " | ".join(cells) + " |" for cells in (columns, marks, *rows)]


if __name__ == "__main__":
    main()
