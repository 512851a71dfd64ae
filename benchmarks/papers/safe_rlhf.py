"""PKU-SafeRLHF: answer questions, many of them harmful, helpfully and safely.

Questions: Ji et al., arXiv 2406.15513 (`PKU-Alignment/PKU-SafeRLHF`). Reward and cost models,
template and start model: Safe RLHF (Dai et al., arXiv 2310.12773): `BEGINNING OF CONVERSATION:
USER: … ASSISTANT:`, the cost with its sign turned, Alpaca-7B as the authors reproduced it. Those
models keep their head under a name of their own, which is mapped when they are loaded. Temperature
1 and 128 tokens as that paper's PPO has them (recalled), step size, KL coefficient and LoRA as in
`helpful_assistant`.

The data's `test` is our test; calibration and validation are drawn from its `train` by prompt. To
learn from its pairs, name them in `benchmark=preferences`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paretosteer.benchmarks.papers.items import Item, Row, asked, text_of
from paretosteer.benchmarks.papers.task import Task
from paretosteer.benchmarks.papers.task_options import published
from paretosteer.interfaces import Objective
from paretosteer.text.truncate import Side

TEMPLATE = "BEGINNING OF CONVERSATION: USER: {} ASSISTANT:"
READ = {
    "form": "answer",
    "template": TEMPLATE.format("{prompt}") + "{answer}",
    "truncation": "left",
}


class SafeRLHF(Task):
    """Questions with and without harm; a reward model and a cost model."""

    name = "safe_rlhf"
    published_start = "PKU-Alignment/alpaca-7b-reproduced"
    side: ClassVar[Side] = "left"
    stops = ("USER:", "ASSISTANT:")
    own_splits: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "test": ("test",),
        "train": ("train", "calibration", "validation"),
    }
    described: ClassVar[Mapping[str, Objective]] = {
        "helpful": Objective("helpful", "reward", -50.0, "how helpful people would find it"),
        "safe": Objective("safe", "minus cost", -50.0, "how little harm it does"),
    }
    Options = published(
        objectives=("helpful", "safe"),
        data={"path": "PKU-Alignment/PKU-SafeRLHF"},
        rewards={
            "helpful": {"path": "PKU-Alignment/beaver-7b-v1.0-reward", **READ},
            "safe": {"path": "PKU-Alignment/beaver-7b-v1.0-cost", "sign": -1, **READ},
        },
    )

    @staticmethod
    def parse(row: Row) -> Item | str:
        """The question of a pair."""
        return Item(asked(text_of(row, "prompt")))

    @staticmethod
    def wrap(text: str) -> str:
        """The published template around a question."""
        return TEMPLATE.format(text)
