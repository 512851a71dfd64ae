"""Who is ahead of whom in hypervolume, and how sure that is: pairs, ranks and ties of a table.

Pairs are compared over the prompts and replicates that both rows have, their p-values corrected
for the table's number of pairs. The exempt from the budget are in pairs, where they are a
yardstick, but have no rank and no tie group: they do not compete. Of a long table only the first
rows are compared with each other, the rest with the best alone, and have no tie group.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from string import ascii_lowercase

import numpy as np
import numpy.typing as npt

from paretosteer import metrics
from paretosteer.metrics.measure import Figures
from paretosteer.report.analysis.bootstrap import Gap, Volumes, gap

# Rows are told apart where the corrected p-value is below this.
ALPHA = 0.05

# Of so many rows every two are compared; more would be letters that nobody can read.
COMPARED = 50


@dataclass(frozen=True)
class Pair:
    """Two rows by label: does `a` have more hypervolume than `b`?

    `p_beats` is the share of resamples in which it has, ties counting one half; `difference` is
    a's minus b's with its reflected 95 % interval; `p_holm` is `p` corrected for the table's
    pairs, and decides whether they are `separated`.
    """

    a: str
    b: str
    p_beats: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    separated: bool


def compare(volumes: Mapping[str, Volumes], best: str, outer: bool) -> tuple[Pair, ...]:
    """Pairs of rows, given by label and best first, that share replicates.

    `best` is the row that all others are compared with, however many there are.
    """
    first = list(volumes)[:COMPARED]
    found = {
        (a, b): between
        for a, b in (*combinations(first, 2), *_with(best, volumes, first))
        if (between := gap(volumes[a], volumes[b], outer))
    }
    if not found:
        return ()
    p_values = [metrics.reflected_p(each.estimate, each.draws) for each in found.values()]
    corrected = metrics.holm(p_values).tolist()
    return tuple(
        _pair(*labels, between, p, p_holm)
        for (labels, between), p, p_holm in zip(found.items(), p_values, corrected, strict=True)
    )


def standings(
    volumes: Mapping[str, Volumes], pairs: Sequence[Pair], outer: bool, compared: int
) -> dict[str, Figures]:
    """Rank with its interval of the rows that compete, given best first, and tie group of some.

    Of the first `compared` every two are in `pairs`.
    """
    if not volumes:
        return {}
    labels = list(volumes)
    own = metrics.ranks([each.mean for each in volumes.values()]).tolist()
    ends = metrics.rank_intervals([each.resampled(outer) for each in volumes.values()]).tolist()
    groups = metrics.tie_groups(_separated(labels[:compared], pairs))
    return {
        label: {
            "rank": rank,
            # Noise inflates resampled hypervolume, and may put them past the rank itself.
            "rank_low": min(low, rank),
            "rank_high": max(high, rank),
        }
        | ({"tie_group": _letters(place, groups)} if place < compared else {})
        for place, (label, rank, (low, high)) in enumerate(zip(labels, own, ends, strict=True))
    }


def _with(best: str, volumes: Iterable[str], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The pairs that one row makes with others, in their order, of which not both are known."""
    before = True
    for label in volumes:
        if label == best:
            before = False
        elif label not in known or best not in known:
            yield (label, best) if before else (best, label)


def _pair(a: str, b: str, between: Gap, p: float, p_holm: float) -> Pair:
    return Pair(
        a=a,
        b=b,
        p_beats=metrics.probability_better(between.draws, np.zeros(len(between.draws))),
        difference=between.estimate,
        low=between.interval.low,
        high=between.interval.high,
        p=p,
        p_holm=p_holm,
        separated=p_holm < ALPHA,
    )


def _separated(labels: Sequence[str], pairs: Sequence[Pair]) -> npt.NDArray[np.bool_]:
    """Which rows are told apart, (n, n)."""
    apart = np.zeros((len(labels), len(labels)), dtype=bool)
    for each in pairs:
        if each.separated and each.a in labels and each.b in labels:
            i, j = labels.index(each.a), labels.index(each.b)
            apart[i, j] = apart[j, i] = True
    return apart


def _letters(place: int, groups: Sequence[tuple[int, ...]]) -> str:
    """The letters of the groups that a row is in."""
    return "".join(_letter(i) for i, group in enumerate(groups) if place in group)


def _letter(place: int) -> str:
    """a to z, then a1 and so on."""
    turn, letter = divmod(place, len(ascii_lowercase))
    return f"{ascii_lowercase[letter]}{turn or ''}"
