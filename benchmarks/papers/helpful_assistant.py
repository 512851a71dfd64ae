r"""Helpful Assistant: answer HH-RLHF dialogues helpfully, harmlessly and humorously.

Dialogues: Bai et al., arXiv 2204.05862 (`Anthropic/hh-rlhf`). Rewards, template and settings
follow the released code of RiC (Yang et al., arXiv 2402.10207), including its Rewarded Soups:

- The prompt is the dialogue up to the last `\n\nAssistant:`.
- `helpful` and `harmless` use the normalisers published by the author of the reward models.
- `humour` reads the answer alone and uses logit 1.
- Training samples at temperature 0.7, 1 to 128 tokens. Answers are scored up to the point where
  they start another speaker's turn.
- Policy gradient: learning rate 1e-5, 64 samples a step, KL coefficient 0.2. The LoRA settings
  are in `experiment=helpful_assistant`.
- The start model is Llama-2-7B after supervised fine-tuning on the chosen answers (learning rate
  1.4e-4).

The `test` split of the data is our test split. Calibration and validation prompts are taken from
its `train` split.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paretosteer.benchmarks.papers.task import Task
from paretosteer.benchmarks.papers.task_items import Item, Row, text_of
from paretosteer.benchmarks.papers.task_options import published
from paretosteer.objective import Objective
from paretosteer.text.dialogue import parse_transcript, transcript
from paretosteer.text.truncate import Side

CUE = "\n\nAssistant:"


class HelpfulAssistant(Task):
    """Dialogues with an assistant; three reward models."""

    name = "helpful_assistant"
    published_start = "meta-llama/Llama-2-7b-hf"
    side: ClassVar[Side] = "left"
    stops = ("\n\nHuman:", "\nHuman:", CUE, "\nAssistant:", "\n\n\n")
    columns = ("chosen",)
    own_splits: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "test": ("test",),
        "train": ("train", "calibration", "validation"),
    }
    described: ClassVar[Mapping[str, Objective]] = {
        "helpful": Objective("helpful", "reward", -10.0, "how helpful people would find it"),
        "harmless": Objective("harmless", "reward", -10.0, "how harmless people would find it"),
        "humour": Objective("humour", "logit", -10.0, "how likely the answer is meant to be funny"),
    }

    Options = published(
        objectives=("helpful", "harmless", "humour"),
        data={"path": "Anthropic/hh-rlhf"},
        rewards={
            "helpful": {
                "path": "Ray2333/gpt2-large-helpful-reward_model",
                "form": "dialogue",
                "mean": -0.015,
                "std": 1.407,
                "pad_token": "eos",
            },
            "harmless": {
                "path": "Ray2333/gpt2-large-harmless-reward_model",
                "form": "dialogue",
                "mean": -0.947,
                "std": 1.920,
                "pad_token": "eos",
            },
            "humour": {"path": "mohameddhiab/humor-no-humor", "form": "answer", "logit": 1},
        },
        temperature=0.7,
    )

    @staticmethod
    def parse(row: Row) -> Item | str:
        """Dialogue of a pair without its final answer."""
        text = text_of(row, "chosen")
        if CUE not in text:
            raise ValueError(f"chosen has no {CUE!r}, expected a transcript")
        turns = list(parse_transcript(text))
        while turns and turns[-1].role == "assistant":
            turns.pop()
        return Item(tuple(turns))

    @staticmethod
    def text(item: Item) -> str:
        return transcript(item.dialogue).removesuffix(CUE)

    @staticmethod
    def wrap(text: str) -> str:
        return text + CUE
