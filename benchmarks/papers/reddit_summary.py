"""Reddit summary: one sentence about a post, liked by two preference models, and faithful to it.

Posts: Stiennon et al., arXiv 2009.01325 (`openai/summarize_from_feedback`, comparisons). Rewards,
template and settings are those of RiC's released code (Yang et al., arXiv 2402.10207): posts of
100 to 1200 characters on one line; `preferred` reads summary, bos, post; `liked` reads the prompt
and the summary as a pair; `faithful` the summary as text and the post as its pair, logit 1;
temperature 0.7 in training, at most 48 tokens. Policy gradient: step size 1e-5, 64 samples a step,
KL coefficient 0.2; LoRA in `experiment=reddit_summary`. The start model is Llama-2-7B after
supervised training on the chosen summaries (step size 1.4e-4).

The data's `validation` is our test, as it was theirs; calibration and validation are drawn from
its `train` by post. The data are read in the form to which the hub converted them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paretosteer.benchmarks.papers.items import Item, Row, asked, column
from paretosteer.benchmarks.papers.task import Task
from paretosteer.benchmarks.papers.task_options import published
from paretosteer.interfaces import Objective
from paretosteer.text.truncate import Side

TEMPLATE = (
    "### Instruction: Generate a one-sentence summary of this post. ### Input: {} ### Response: "
)
SHORTEST, LONGEST = 100, 1200  # characters of a post, both excluded


class RedditSummary(Task):
    """Posts from Reddit; two preference models and a detector of unfaithful summaries."""

    name = "reddit_summary"
    published_start = "meta-llama/Llama-2-7b-hf"
    side: ClassVar[Side] = "right"
    stops = ("###", "\n\n\n")
    own_splits: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "validation": ("test",),
        "train": ("train", "calibration", "validation"),
    }
    described: ClassVar[Mapping[str, Objective]] = {
        "preferred": Objective("preferred", "reward", -10.0, "a model of preferred summaries"),
        "liked": Objective("liked", "reward", -10.0, "a model of preferred answers in general"),
        "faithful": Objective("faithful", "logit", -10.0, "how likely nothing is made up"),
    }
    Options = published(
        objectives=("preferred", "liked", "faithful"),
        data={
            "path": "openai/summarize_from_feedback",
            "folder": "comparisons",
            "revision": "refs/convert/parquet",
        },
        rewards={
            "preferred": {
                "path": "Tristan/gpt2_reward_summarization",
                "form": "answer_prompt",
                "pad_token": "eos",
            },
            "liked": {
                "path": "OpenAssistant/reward-model-deberta-v3-large-v2",
                "form": "pair",
                "template": TEMPLATE.format("{prompt}").strip(),
            },
            "faithful": {
                "path": "CogComp/bart-faithful-summary-detector",
                "form": "answer_pair",
                "logit": 1,
            },
        },
        max_new_tokens=48,
        temperature=0.7,
    )

    @staticmethod
    def parse(row: Row) -> Item | str:
        """The post of a comparison, on one line."""
        info = column(row, "info")
        if not isinstance(info, Mapping):
            raise ValueError(f"info is {type(info).__name__}, expected columns with a post")
        post = column(info, "post")
        if post is None:
            return "absent"
        if not isinstance(post, str):
            raise ValueError(f"info.post is {type(post).__name__}, expected text")
        if not SHORTEST < len(post) < LONGEST:
            return "length"
        return Item(asked(post.replace("\n", " ")))

    @staticmethod
    def wrap(text: str) -> str:
        """The published instruction around a post."""
        return TEMPLATE.format(text)
