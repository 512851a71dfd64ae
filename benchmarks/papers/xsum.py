"""XSum: summarise a news article in one sentence, trading ROUGE for faithfulness.

Articles: Narayan et al., arXiv 1808.08745 (`EdinburghNLP/xsum`). Reference summaries of XSum often
contain facts that are not in the article, so ROUGE and faithfulness conflict. CLP (Wang et al.,
arXiv 2407.15762; cited from memory, not checked against released code) steers a T5 between ROUGE
and entailment on these data.

`rouge` is ROUGE-Lsum F1 with stemming. `faithful` is the detector of unfaithful summaries trained
on XSum (Chen et al., NAACL 2021), which Rewarded Soups uses for news (arXiv 2306.04488); it reads
the summary as text and the article as its pair, logit 1. Prompts have T5's own prefix and articles
of at most 512 tokens. KL coefficient and learning rate are those of `helpful_assistant`.

The splits are those of the data; calibration articles are taken from `train`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paretosteer.benchmarks.papers.task import Task
from paretosteer.benchmarks.papers.task_items import Item, Row, asked, text_of
from paretosteer.benchmarks.papers.task_options import published
from paretosteer.objective import Objective
from paretosteer.text.truncate import Side

DATA = {
    "path": "EdinburghNLP/xsum",
    "folder": "default",
    "revision": "refs/convert/parquet",
}


class Articles(Task):
    """Base class of both tasks on XSum: news articles with a reference summary, for a T5."""

    published_start = "google-t5/t5-large"
    side: ClassVar[Side] = "right"
    columns = ("document", "summary")
    own_splits: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "test": ("test",),
        "validation": ("validation",),
        "train": ("train", "calibration"),
    }

    @staticmethod
    def parse(row: Row) -> Item | str:
        document, summary = text_of(row, "document"), text_of(row, "summary")
        return Item(asked(document), reference=summary) if summary.strip() else "reference"

    @staticmethod
    def wrap(text: str) -> str:
        # The prefix of T5's own summarisation training (Raffel et al., arXiv 1910.10683).
        return f"summarize: {text}"


class XSum(Articles):
    """Summaries of news articles; ROUGE against references and a faithfulness detector."""

    name = "xsum"
    described: ClassVar[Mapping[str, Objective]] = {
        "rouge": Objective("rouge", "F1", 0.0, "ROUGE-Lsum against the reference"),
        "faithful": Objective("faithful", "logit", -10.0, "how likely nothing is made up"),
    }
    Options = published(
        objectives=("rouge", "faithful"),
        data=DATA,
        rewards={
            "rouge": {"metric": "rouge", "key": "rougeLsum"},
            "faithful": {
                "path": "CogComp/bart-faithful-summary-detector",
                "form": "answer_pair",
                "logit": 1,
            },
        },
        max_new_tokens=48,
    )
