"""XSum: one sentence about a news article, near the reference (ROUGE) and faithful to the article.

Articles: Narayan et al., arXiv 1808.08745 (`EdinburghNLP/xsum`). References of XSum say much that
the article does not, so that nearness to them and faithfulness conflict: CLP (Wang et al., arXiv
2407.15762) steers a T5 between ROUGE and entailment there, which is recalled, not read in released
code. Here ROUGE-Lsum F1 with stemming, and the detector of unfaithful summaries that was trained
on XSum (Chen et al., NAACL 2021) and with which Rewarded Soups summarises news (arXiv 2306.04488):
summary as text, article as its pair, logit 1. T5's own prefix; articles of at most 512 tokens; KL
coefficient and step size as in `helpful_assistant`.

The data's splits are ours; calibration is drawn from its `train` by article.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paretosteer.benchmarks.papers.items import Item, Row, asked, text_of
from paretosteer.benchmarks.papers.task import Task
from paretosteer.benchmarks.papers.task_options import published
from paretosteer.interfaces import Objective
from paretosteer.text.truncate import Side

DATA = {
    "path": "EdinburghNLP/xsum",
    "folder": "default",
    "revision": "refs/convert/parquet",
}


class Articles(Task):
    """News articles with a reference, for a T5: what both tasks on XSum share."""

    published_start = "google-t5/t5-large"
    side: ClassVar[Side] = "right"
    own_splits: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "test": ("test",),
        "validation": ("validation",),
        "train": ("train", "calibration"),
    }

    @staticmethod
    def parse(row: Row) -> Item | str:
        """An article and its summary."""
        return Item(asked(text_of(row, "document")), reference=text_of(row, "summary"))

    @staticmethod
    def wrap(text: str) -> str:
        """The prefix with which T5 learnt to summarise (Raffel et al., arXiv 1910.10683)."""
        return f"summarize: {text}"


class XSum(Articles):
    """ROUGE against references, and faithfulness to the article."""

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
