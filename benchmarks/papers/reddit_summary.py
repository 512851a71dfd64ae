"""Reddit summary: one sentence per post, trading two preference rewards and faithfulness.

Posts: Stiennon et al., arXiv 2009.01325 (`openai/summarize_from_feedback`, comparisons). Rewards,
template and settings follow the released code of RiC (Yang et al., arXiv 2402.10207):

- Posts have between 100 and 1200 characters, on one line.
- `preferred` reads summary, bos, post. `liked` reads prompt and summary as a pair. `faithful`
  reads the summary as text and the post as its pair, logit 1.
- Training samples at temperature 0.7, at most 48 tokens.
- Policy gradient: learning rate 1e-5, 64 samples a step, KL coefficient 0.2. The LoRA settings
  are in `experiment=reddit_summary`.
- The start model is Llama-2-7B after supervised fine-tuning on the chosen summaries (learning
  rate 1.4e-4).

The `validation` split of the data is our test split, as in RiC. Calibration and validation posts
are taken from its `train` split. The data are read from the hub's Parquet conversion.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paretosteer.benchmarks.papers.task import Task
from paretosteer.benchmarks.papers.task_items import Item, Row, asked, column
from paretosteer.benchmarks.papers.task_options import published
from paretosteer.objective import Objective
from paretosteer.text.truncate import Side

TEMPLATE = (
    "### Instruction: Generate a one-sentence summary of this post. ### Input: {} ### Response: "
)
SHORTEST, LONGEST = 100, 1200  # length of a post in characters, both bounds excluded


class RedditSummary(Task):
    """Posts from Reddit; two preference models and a detector of unfaithful summaries."""

    name = "reddit_summary"
    published_start = "meta-llama/Llama-2-7b-hf"
    side: ClassVar[Side] = "right"
    stops = ("###", "\n\n\n")
    columns = ("info",)
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
        """Post of a comparison, on one line."""
        info = column(row, "info")
        if not isinstance(info, Mapping):
            raise ValueError(f"info is {type(info).__name__}, expected a mapping with a post")
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
        return TEMPLATE.format(text)
