"""My benchmark: the summary that `paretosteer list benchmarks` shows.

This skeleton continues prompts of its own, scored by registered objectives. Change three places:
the prompts, how they are split, and the options. To score texts otherwise, override `scored`; for
anything but text, subclass `paretosteer.Benchmark`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from paretosteer import option
from paretosteer.benchmarks.stories.benchmark import Stories
from paretosteer.text.samples import Prompt

WHO = ("the cat", "the dog", "a girl", "a boy", "an old man", "the queen", "a fox", "the baker")
WHERE = ("in the park", "at home", "in the forest", "by the sea", "at school", "in the garden")
DID = ("saw a", "found a", "wanted a", "made a", "lost a")
PROMPTS = [" ".join(words) for words in product(("One day", "At night"), WHERE, WHO, DID)]
SPLITS = ("train", "calibration", "validation", "test")


class MyBenchmark(Stories):
    """Prompts of its own; start models as in `stories`."""

    name = "my_benchmark"
    version = "1"  # raise it when the same options give different scores
    prompts_version = "1"  # raise it when prompts change

    class Options(Stories.Options):
        """Options of the benchmark."""

        objectives: tuple[str, ...] = option(("readable", "varied"), "objectives, two or more")
        max_new_tokens: int = option(30, "longest continuation, in tokens", least=1)
        min_new_tokens: int = option(30, "shortest continuation, in tokens", least=0)

    def split(self, name: str) -> Sequence[Prompt]:
        """Every fourth prompt: no prompt is in two splits."""
        first = SPLITS.index(name)
        return [
            Prompt(f"{name}-{number}", text)
            for number, text in enumerate(PROMPTS[first :: len(SPLITS)])
        ]


# Read by `--plugin`; an installed package declares entry points in its pyproject.toml instead.
paretosteer_plugins = {"benchmarks": {"my_benchmark": MyBenchmark}}
