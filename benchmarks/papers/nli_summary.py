"""NLI and a summary reward: summaries of XSum that follow from the article and that people like.

The pair is one of CLP's (Wang et al., arXiv 2407.15762, recalled, not read in released code): the
probability that the article entails the summary (Roit et al., arXiv 2306.00186) and a reward
trained on preferred summaries of posts; both from a T5. Their entailment model, a T5 of eleven
billion weights, is no classifier; in its place stands a DeBERTa trained on the same ANLI and on
MNLI and FEVER (`MoritzLaurer/DeBERTa-v3-base-mnli-fever-anli`: article and summary as a pair,
label 0). The summary reward is `Tristan/gpt2_reward_summarization` (summary, bos, article). Data,
prompt and start model as in `xsum`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paretosteer.benchmarks.papers.task_options import published
from paretosteer.benchmarks.papers.xsum import DATA, Articles
from paretosteer.interfaces import Objective


class NLISummary(Articles):
    """Entailment by the article, and a reward of preferred summaries."""

    name = "nli_summary"
    described: ClassVar[Mapping[str, Objective]] = {
        "entailed": Objective("entailed", "probability", 0.0, "the article entails the summary"),
        "preferred": Objective("preferred", "reward", -10.0, "a model of preferred summaries"),
    }
    Options = published(
        objectives=("entailed", "preferred"),
        data=DATA,
        rewards={
            "entailed": {
                "path": "MoritzLaurer/DeBERTa-v3-base-mnli-fever-anli",
                "form": "pair",
                "logit": 0,
                "probability": True,
                "truncation": "right",
            },
            "preferred": {
                "path": "Tristan/gpt2_reward_summarization",
                "form": "answer_prompt",
                "pad_token": "eos",
            },
        },
        max_new_tokens=48,
    )
