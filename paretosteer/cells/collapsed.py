"""Share of a cell's answers that are near-empty or repeat a phrase, at each point."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from paretosteer.cells.scores import read_samples
from paretosteer.metrics.variety import collapse_rate

if TYPE_CHECKING:
    from paretosteer.cells.cell import Cell


def read_collapsed(cell: "Cell") -> npt.NDArray[np.float64] | None:
    """Shares (points,); None for a cell that shows no text of every point.

    Samples only illustrate, so a cell whose file of them is damaged keeps its other figures.
    """
    if not (cell.path / "samples.jsonl").exists():
        return None
    try:
        samples = read_samples(cell.path)
        if "text" not in samples:
            return None
        texts = samples.groupby("point")["text"].apply(list).to_dict()
        return np.array([collapse_rate(texts[place]) for place in range(len(cell.results.points))])
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
