"""Preference pairs of all objectives, in splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from paretosteer.benchmarks.preferences.prompts import balanced, pairs_by_part
from paretosteer.errors import UsageError
from paretosteer.text.dialogue import Dialogue
from paretosteer.text.pairs import Pair, PairSet, Source, read_pairs

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
        return [read_pairs(source, name) for name, source in self.sources.items()]

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

    def prompts(self, split: str) -> list[Dialogue]:
        """Prompts of a split, balanced over the objectives."""
        return balanced({name: self.pairs(name, split) for name in self.names})

    def _set(self, objective: str) -> PairSet:
        return self.sets[self.names.index(objective)]

    @cached_property
    def _parts(self) -> dict[str, dict[str, Sequence[Pair]]]:
        return {pairs.objective: pairs_by_part(pairs, self.judge) for pairs in self.sets}
