"""PKU-SafeRLHF: answer questions, many of them harmful, helpfully and safely.

Questions: Ji et al., arXiv 2406.15513 (`PKU-Alignment/PKU-SafeRLHF`). Template, start model
(the authors' reproduction of Alpaca-7B), reward model and cost model are those of Safe RLHF (Dai
et al., arXiv 2310.12773). `safe` is minus the cost. The weights of these two models name their
head differently from transformers; the names are mapped on loading. Temperature 1 and at most 128
tokens are the paper's PPO settings (cited from memory); learning rate, KL coefficient and LoRA are
those of `helpful_assistant`.

The `test` split of the data is our test split. Calibration and validation prompts are taken from
its `train` split. To train on its preference pairs, use `benchmark=preferences`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paretosteer.benchmarks.papers.task import Task
from paretosteer.benchmarks.papers.task_items import Item, Row, asked, text_of
from paretosteer.benchmarks.papers.task_options import published
from paretosteer.objective import Objective
from paretosteer.text.truncate import Side

TEMPLATE = "BEGINNING OF CONVERSATION: USER: {} ASSISTANT:"
READ = {
    "form": "answer",
    "template": TEMPLATE.format("{prompt}") + "{answer}",
    "truncation": "left",
}


class SafeRLHF(Task):
    """Harmful and harmless questions; a reward model and a cost model."""

    name = "safe_rlhf"
    published_start = "PKU-Alignment/alpaca-7b-reproduced"
    side: ClassVar[Side] = "left"
    stops = ("USER:", "ASSISTANT:")
    columns = ("prompt",)
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
        return Item(asked(text_of(row, "prompt")))

    @staticmethod
    def wrap(text: str) -> str:
        return TEMPLATE.format(text)
