"""NLI summary: summarise XSum articles, trading entailment for a preference reward.

The pair of objectives is from CLP (Wang et al., arXiv 2407.15762; cited from memory, not checked
against released code): the probability that the article entails the summary (Roit et al., arXiv
2306.00186) and a reward model of human-preferred summaries.

CLP's entailment model is an 11B-parameter T5, which generates its label as text. We use a
classifier instead, a DeBERTa trained on MNLI, FEVER and the same ANLI
(`MoritzLaurer/DeBERTa-v3-base-mnli-fever-anli`; it reads article and summary as a pair, label 0).
The preference reward is `Tristan/gpt2_reward_summarization` (it reads summary, bos, article).
Data, prompt and start model are those of `xsum`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paretosteer.benchmarks.papers.task_options import published
from paretosteer.benchmarks.papers.xsum import DATA, Articles
from paretosteer.objective import Objective


class NLISummary(Articles):
    """Summaries of news articles; an entailment model and a model of human preferences."""

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
