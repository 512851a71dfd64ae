r"""Helpful Assistant: answer dialogues of HH-RLHF helpfully, harmlessly or with humour, at will.

Dialogues: Bai et al., arXiv 2204.05862 (`Anthropic/hh-rlhf`). Rewards, template and settings are
those of RiC's released code (Yang et al., arXiv 2402.10207) and its Rewarded Soups: dialogue up to
the last `\n\nAssistant:`; the normalisers of helpful and harmless that the models' author
published; humour from the answer alone, logit 1; temperature 0.7 in training, at least one token
and at most 128; answers are scored up to where they begin to speak for somebody else. Policy
gradient: step size 1e-5, 64 samples a step, KL coefficient 0.2; LoRA in
`experiment=helpful_assistant`. The start model is Llama-2-7B after supervised training on the
chosen answers (step size 1.4e-4).

The data's `test` is our test; calibration and validation are drawn from its `train` by prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paretosteer.benchmarks.papers.items import Item, Row, text_of
from paretosteer.benchmarks.papers.task import Task
from paretosteer.benchmarks.papers.task_options import published
from paretosteer.interfaces import Objective
from paretosteer.text.dialogue import parse_transcript, transcript
from paretosteer.text.truncate import Side

CUE = "\n\nAssistant:"


class HelpfulAssistant(Task):
    """Dialogues with an assistant; three reward models."""

    name = "helpful_assistant"
    published_start = "meta-llama/Llama-2-7b-hf"
    side: ClassVar[Side] = "left"
    stops = ("\n\nHuman:", "\nHuman:", CUE, "\nAssistant:", "\n\n\n")
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
        """What the chosen answer of a pair is given to."""
        turns = list(parse_transcript(text_of(row, "chosen")))
        while turns and turns[-1].role == "assistant":
            turns.pop()
        return Item(tuple(turns))

    @staticmethod
    def text(item: Item) -> str:
        """The dialogue as a transcript."""
        return transcript(item.dialogue).removesuffix(CUE)

    @staticmethod
    def wrap(text: str) -> str:
        """Ready for an answer."""
        return text + CUE
