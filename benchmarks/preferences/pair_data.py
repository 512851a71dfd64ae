"""Preference pairs of all objectives, in splits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from paretosteer.benchmarks.preferences.prompts import JUDGED, balanced, pairs_by_part
from paretosteer.errors import UsageError
from paretosteer.text.dialogue import Dialogue
from paretosteer.text.pairs import Pair, PairSet, Source, read_pairs

# Characters of an answer, about 4,000 tokens: more than any model here reads of it, so that one
# huge answer does not take most of a run's time.
LONGEST = 20_000
FEWEST_TRAIN = 8  # pairs for a reward model
FEWEST_CALIBRATION = 2  # prompts; a normaliser needs a standard deviation
TRAINED = ("train", JUDGED)  # parts on which reward models are trained
HELD_OUT = ("calibration", "validation", "test")  # splits that nothing is trained on


@dataclass(frozen=True)
class Data:
    """Preference pairs of every objective, read on first use."""

    sources: Mapping[str, Any]  # source by objective
    judge: bool  # reserve half of the training pairs for the judge

    @classmethod
    def of(cls, sources: Mapping[str, Any], judge: bool) -> Data:
        """Parse the option `benchmark.pairs`; raise UsageError if it is invalid."""
        given = {name: source for name, source in sources.items() if source is not None}
        for name, source in given.items():
            if not name.isidentifier():
                raise UsageError(
                    f"benchmark.pairs: {name!r} is not a valid name of an objective; use letters, "
                    "digits and _"
                )
            if not isinstance(source, str | Mapping):
                raise UsageError(
                    f"benchmark.pairs.{name}: found {source!r}; use a path, a name or a mapping"
                )
        if len(given) < 2:
            missing = next((name for name in sources if name not in given), "NAME")
            sign = "" if missing in sources else "+"
            raise UsageError(
                f"benchmark.pairs: {len(given)} objectives have pairs, but steering needs at least "
                f"two; set {sign}benchmark.pairs.{missing}=/path/to/file.jsonl.gz"
            )
        return cls(given, judge)

    @property
    def names(self) -> list[str]:
        """Names of the objectives, in the order of every weight vector."""
        return list(self.sources)

    @cached_property
    def digests(self) -> dict[str, str]:
        """Content digest of every source, by objective."""
        return {name: Source.of(source, name).digest() for name, source in self.sources.items()}

    @cached_property
    def sets(self) -> list[PairSet]:
        return [_shortened(read_pairs(source, name)) for name, source in self.sources.items()]

    @cached_property
    def long_answers(self) -> int:
        """Number of answers that are longer than `LONGEST` characters and are cut."""
        read = (
            pair for name, source in self.sources.items() for pair in read_pairs(source, name).pairs
        )
        return sum(len(text) > LONGEST for pair in read for text in (pair.chosen, pair.rejected))

    def pairs(self, objective: str, *parts: str) -> list[Pair]:
        """Pairs of an objective in the given parts: splits, or `judge`.

        Raises
        ------
        UsageError
            If there are none.

        """
        pairs = [pair for part in parts for pair in self._parts[objective].get(part, [])]
        if not pairs:
            raise UsageError(
                f"benchmark.pairs.{objective}: none of its {len(self._set(objective).pairs)} pairs "
                f"fall into {' or '.join(parts)} (a hash of the prompt decides); provide more pairs"
            )
        return pairs

    def counts(self, given: Collection[str] = ()) -> list[str]:
        """Numbers of usable pairs of every objective, one line each.

        Raises
        ------
        UsageError
            If an objective, unless it is in `given` and so needs no reward model, has fewer pairs
            in some part than are needed.

        """
        lines = []
        for pairs in self.sets:
            parts = {name: len(part) for name, part in self._parts[pairs.objective].items()}
            sizes = ", ".join(f"{name} {size}" for name, size in parts.items())
            for name, size in parts.items():
                trained = name in TRAINED and not (name == "train" and pairs.objective in given)
                least = FEWEST_TRAIN if trained else 1
                if size < least:
                    raise UsageError(
                        f"benchmark.pairs.{pairs.objective}: {str(pairs).removesuffix('.')}; "
                        f"split by prompt into {sizes}; {name} needs at least {least}: provide "
                        "more pairs"
                    )
            lines.append(f"{pairs} Split by prompt: {sizes}.")
        if self.long_answers:
            lines.append(f"{self.long_answers} answers exceed {LONGEST} characters and are cut.")
        if len(self.prompts("calibration")) < FEWEST_CALIBRATION:
            raise UsageError(
                "benchmark.pairs: the calibration split has only one prompt (a hash of the prompt "
                f"decides), but units need at least {FEWEST_CALIBRATION}; provide more pairs"
            )
        return lines

    def prompts(self, split: str) -> list[Dialogue]:
        """Prompts of a split, balanced over the objectives."""
        return balanced({name: self.pairs(name, split) for name in self.names})

    def _set(self, objective: str) -> PairSet:
        return self.sets[self.names.index(objective)]

    @cached_property
    def _parts(self) -> dict[str, dict[str, Sequence[Pair]]]:
        return {pairs.objective: pairs_by_part(pairs, self.judge) for pairs in self.sets}


def _shortened(pairs: PairSet) -> PairSet:
    """Pairs with answers of at most `LONGEST` characters."""
    if all(len(p.chosen) <= LONGEST and len(p.rejected) <= LONGEST for p in pairs.pairs):
        return pairs
    cut = (
        replace(p, chosen=p.chosen[:LONGEST], rejected=p.rejected[:LONGEST]) for p in pairs.pairs
    )
    return replace(pairs, pairs=tuple(cut))
