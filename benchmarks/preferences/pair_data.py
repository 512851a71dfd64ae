"""Preference pairs of all objectives, in splits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from paretosteer.benchmarks.preferences.prompts import JUDGED, balanced, pairs_by_part
from paretosteer.errors import UsageError
from paretosteer.runtime.terminal import plural
from paretosteer.text.dialogue import Dialogue, Turn
from paretosteer.text.pairs import Pair, PairSet, Source, read_pairs

# Characters of an answer, about 4,000 tokens: more than any model here reads of it, so that one
# huge text does not take most of a run's time.
LONGEST = 20_000
LONGEST_PROMPT = 2 * LONGEST  # so many from either end, whichever a model reads
FEWEST_TRAIN = 8  # pairs for a reward model
FEWEST_CALIBRATION = 2  # prompts; a normaliser needs a standard deviation
TRAINED = ("train", JUDGED)  # parts on which reward models are trained
HELD_OUT = ("calibration", "validation", "test")  # splits that nothing is trained on


@dataclass(frozen=True)
class Data:
    """Preference pairs of every objective, read on first use."""

    sources: Mapping[str, Source]  # by objective
    digests: Mapping[str, str]  # of their contents, by objective
    judge: bool  # reserve half of the training pairs for the judge

    @classmethod
    def of(cls, sources: Mapping[str, Any], judge: bool) -> Data:
        """Parse the option `benchmark.pairs`; raise UsageError if it is invalid.

        Cells of the same pairs share one object, so that they are read and counted once.
        """
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
                f"benchmark.pairs: found pairs of {plural(len(given), 'objective')}, but steering "
                f"needs at least two; set {sign}benchmark.pairs.{missing}=/path/to/file.jsonl.gz"
            )
        parsed = [(name, Source.of(source, name)) for name, source in given.items()]
        return _data(tuple((name, source, source.digest()) for name, source in parsed), judge)

    @property
    def names(self) -> list[str]:
        """Names of the objectives, in the order of every weight vector."""
        return list(self.sources)

    @cached_property
    def sets(self) -> list[PairSet]:
        return [_shortened(pairs) for pairs in self._whole]

    @cached_property
    def cut_notes(self) -> list[str]:
        """Numbers of answers and prompts that are too long and are cut."""
        read = [pair for pairs in self._whole for pair in pairs.pairs]
        answers = sum(len(text) > LONGEST for pair in read for text in (pair.chosen, pair.rejected))
        prompts = len({pair.key for pair in read if _characters(pair.prompt) > LONGEST_PROMPT})
        notes = {
            f"{answers} human answers exceed {LONGEST} characters and are cut.": answers,
            f"{prompts} prompts exceed {LONGEST_PROMPT} characters and lose their oldest turns, or "
            "the middle of a turn.": prompts,
        }
        return [note for note, count in notes.items() if count]

    @cached_property
    def _whole(self) -> list[PairSet]:
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
            count = len(self.sets[self.names.index(objective)].pairs)
            raise UsageError(
                f"benchmark.pairs.{objective}: none of its {count} pairs "
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
            lines.append(f"{pairs.note} Split by prompt: {sizes}.")
        lines += self.cut_notes
        if len(self.prompts("calibration")) < FEWEST_CALIBRATION:
            raise UsageError(
                "benchmark.pairs: the calibration split has only one prompt (a hash of the prompt "
                f"decides), but units need at least {FEWEST_CALIBRATION}; provide more pairs"
            )
        return lines

    def prompts(self, split: str) -> list[Dialogue]:
        """Prompts of a split, balanced over the objectives."""
        return balanced({name: self.pairs(name, split) for name in self.names})

    @cached_property
    def _parts(self) -> dict[str, dict[str, Sequence[Pair]]]:
        return {pairs.objective: pairs_by_part(pairs, self.judge) for pairs in self.sets}


@lru_cache(maxsize=4)
def _data(contents: tuple[tuple[str, Source, str], ...], judge: bool) -> Data:
    """Pairs of sources by name, source and content digest."""
    sources = {name: source for name, source, _ in contents}
    return Data(sources, {name: content for name, _, content in contents}, judge)


def _shortened(pairs: PairSet) -> PairSet:
    """Pairs with answers of at most `LONGEST` characters and prompts of `LONGEST_PROMPT`."""
    return replace(pairs, pairs=tuple(map(_short, pairs.pairs)))


def _short(pair: Pair) -> Pair:
    if max(len(pair.chosen), len(pair.rejected)) > LONGEST:
        pair = replace(pair, chosen=pair.chosen[:LONGEST], rejected=pair.rejected[:LONGEST])
    if _characters(pair.prompt) > LONGEST_PROMPT:
        pair = replace(pair, prompt=_last_turns(pair.prompt))
    return pair


def _last_turns(prompt: Dialogue) -> Dialogue:
    """System turn and last turns of a prompt, with both ends of a turn that is too long.

    Only the system turn may come in addition to `LONGEST_PROMPT` characters.
    """
    system, turns = prompt[:1], prompt[1:]
    if system[0].role != "system":
        system, turns = (), prompt
    short = [_both_ends(turn) for turn in turns]
    first = len(turns) - 1
    total = len(short[first].text)
    for at in reversed(range(first)):
        total += len(short[at].text)
        if total > LONGEST_PROMPT:
            break
        if turns[at].role == "user":
            first = at
    return (*map(_both_ends, system), *short[first:])


def _both_ends(turn: Turn) -> Turn:
    if len(turn.text) <= LONGEST_PROMPT:
        return turn
    return replace(turn, text=f"{turn.text[:LONGEST]}\n{turn.text[-LONGEST:]}")


def _characters(prompt: Dialogue) -> int:
    return sum(len(turn.text) for turn in prompt)
