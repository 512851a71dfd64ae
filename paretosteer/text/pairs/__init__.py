"""Human preference pairs in the formats in which they are published."""

from paretosteer.text.pairs.pair import Pair, PairSet, prompt_key, split_key
from paretosteer.text.pairs.pair_source import Source
from paretosteer.text.pairs.read_pairs import read_pairs
from paretosteer.text.pairs.splits import SPLITS, split_of

__all__ = [
    "SPLITS",
    "Pair",
    "PairSet",
    "Source",
    "prompt_key",
    "read_pairs",
    "split_key",
    "split_of",
]
