"""README.md of a published folder: a dataset card with the leaderboard."""

from collections.abc import Sequence
from pathlib import Path

from paretosteer.cells.cell import Cell

CARD = "README.md"

_HEAD = """---
pretty_name: {name}
{license}tags:
- paretosteer
- evaluation
- multi-objective
configs:
- config_name: leaderboard
  data_files: leaderboard.csv
---
"""

_TEXT = """# {name}

Results of paretosteer, a benchmark of controllable multi-objective generation: methods that train a
language model once and then follow any trade-off between objectives. Open `index.html` to turn the
dial of every method.

{leaderboard}

## Content

| File | Content |
|:--|:--|
| `index.html` | Page with fronts, samples, costs and the command of every cell |
| `leaderboard.csv` | One row per configuration; `.md` and `.tex` for documents |
| `report.json` | Points, intervals and paired differences |
| `cells/` | Record, scores and training log of every cell, without checkpoints |
| `data/` | Every row in the form of Every Eval Ever |

{counts}

## Use

Join these results with yours in one leaderboard, or check them:

```bash
paretosteer report {folder} results/yours --out report
paretosteer validate {folder}
```

Rows share a table only if benchmark, start model, prompts, preferences and units are the same.
"""


def card(folder: Path, cells: Sequence[Cell], license: str | None = None) -> str:
    """Text of the card, from the report in the folder; without cells, its beginning alone."""
    name = folder.resolve().name
    head = _HEAD.format(
        name=_quoted(name), license=f"license: {_quoted(license)}\n" if license else ""
    )
    if not cells:
        return head
    leaderboard = (folder / "leaderboard.md").read_text(encoding="utf-8").strip()
    return f"{head}\n" + _TEXT.format(
        name=name, folder=name, leaderboard=leaderboard, counts=_counts(cells)
    )


def is_card(path: Path) -> bool:
    """True if a file begins like a card of ours."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return "- paretosteer\n" in [*file][:10]
    except OSError:
        return False


def _counts(cells: Sequence[Cell]) -> str:
    versions = {cell.record.versions.get("paretosteer", "unknown") for cell in cells if cell.record}
    statuses = [cell.status for cell in cells]
    parts = [f"{statuses.count(status)} {status}" for status in sorted(set(statuses))]
    return f"Cells: {', '.join(parts)}. Made by paretosteer {', '.join(sorted(versions))}."


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
