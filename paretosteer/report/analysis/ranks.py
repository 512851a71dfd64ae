"""Significance of differences in hypervolume: pairs, ranks and tie groups of a table.

Pairs are compared over the prompts and replicates that both rows have, and their p-values are
corrected for the number of pairs in the table. Rows that are exempt from the budget are compared as
a yardstick, but have neither rank nor tie group. In a long table only the first rows are compared
with each other; the others are compared with the best row only, and have no tie group.
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

ALPHA = 0.05  # significance level of the corrected p-values

COMPARED = 50  # number of first rows of which all pairs are compared


@dataclass(frozen=True)
class Pair:
    """Comparison of two rows, given by label, in hypervolume."""

    a: str
    b: str
    p_beats: float  # share of resamples in which a is above b; ties count half
    difference: float  # a minus b
    low: float  # reflected 95 % interval of the difference
    high: float
    p: float
    p_holm: float  # corrected for the number of pairs
    separated: bool  # whether the difference is significant


def compare(volumes: Mapping[str, Volumes], best: str, outer: bool) -> tuple[Pair, ...]:
    """Compare rows that share replicates; `volumes` is by label, best first.

    All rows are compared with `best`, and the first `COMPARED` rows with each other.
    """
    first = list(volumes)[:COMPARED]
    gaps = {
        (a, b): between
        for a, b in (*combinations(first, 2), *_with(best, volumes, first))
        if (between := gap(volumes[a], volumes[b], outer))
    }
    if not gaps:
        return ()
    p_values = [metrics.reflected_p(each.estimate, each.draws) for each in gaps.values()]
    corrected = metrics.holm(p_values).tolist()
    return tuple(
        _pair(*labels, between, p, p_holm)
        for (labels, between), p, p_holm in zip(gaps.items(), p_values, corrected, strict=True)
    )


def standings(
    volumes: Mapping[str, Volumes], pairs: Sequence[Pair], outer: bool, compared: int
) -> dict[str, Figures]:
    """Rank, rank interval and tie group of the competing rows, given best first.

    Only the first `compared` rows have a tie group: all of their pairs are in `pairs`.
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
            # Noise inflates resampled hypervolumes, so the interval may miss the rank itself.
            "rank_low": min(low, rank),
            "rank_high": max(high, rank),
        }
        | ({"tie_group": _letters(index, groups)} if index < compared else {})
        for index, (label, rank, (low, high)) in enumerate(zip(labels, own, ends, strict=True))
    }


def _with(best: str, volumes: Iterable[str], first: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Ordered pairs of `best` with other rows, except those with both rows in `first`."""
    before = True
    for label in volumes:
        if label == best:
            before = False
        elif label not in first or best not in first:
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
    """Pairs of rows that differ significantly, (n, n), boolean."""
    apart = np.zeros((len(labels), len(labels)), dtype=bool)
    for each in pairs:
        if each.separated and each.a in labels and each.b in labels:
            i, j = labels.index(each.a), labels.index(each.b)
            apart[i, j] = apart[j, i] = True
    return apart


def _letters(row: int, groups: Sequence[tuple[int, ...]]) -> str:
    """Letters of a row's tie groups."""
    return "".join(_letter(i) for i, group in enumerate(groups) if row in group)


def _letter(index: int) -> str:
    """Letter of a group: a to z, then a1 and so on."""
    turn, letter = divmod(index, len(ascii_lowercase))
    return f"{ascii_lowercase[letter]}{turn or ''}"
