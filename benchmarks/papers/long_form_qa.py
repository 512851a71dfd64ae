"""Long-form QA: answers from passages that are relevant, factual and complete, at will.

Data and reward models: FineGrainedRLHF (Wu et al., arXiv 2306.01693), the released settings of
`tasks/qa_feedback`. Relevance reads `question: … answer: </s> clause </s> clause …` and judges
each sub-sentence (label 2 against 1) by +-0.3; factuality reads the whole prompt and judges each
sentence (label 2 against 0) by +-0.5; completeness reads prompt and answer and gives one number,
standardised by (-0.447, 8.301) and times 0.3. T5-large after supervised training on 1,000
examples; prompts of at most 1024 tokens, answers of 200; among the 20 likeliest tokens at
temperature 0.7 in training, greedy at test; step size 1e-5, KL coefficient 0.3, four samples of a
prompt, four clipped steps on each batch (`experiment=long_form_qa`). A causal start model reads
the same prompt.

Neither data nor reward models are on a hub: give `benchmark.data` (the folder with train.json,
dev.json and test.json, or one such file) and `benchmark.rewards.NAME.path`. Calibration is drawn
from `train` by prompt; `dev` is our validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from paretosteer.benchmarks.papers.items import Item, Row, asked, text_of
from paretosteer.benchmarks.papers.task import Task
from paretosteer.benchmarks.papers.task_options import published
from paretosteer.interfaces import Objective
from paretosteer.text.truncate import Side

SCALE = 0.3  # of relevance and completeness


class LongFormQA(Task):
    """Ambiguous questions with passages; rewards of clauses, sentences and whole answers."""

    name = "long_form_qa"
    published_start = "google-t5/t5-large"
    side: ClassVar[Side] = "right"
    own_splits: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "test": ("test",),
        "validation": ("validation",),
        "train": ("train", "calibration"),
    }
    described: ClassVar[Mapping[str, Objective]] = {
        "relevance": Objective(
            "relevance", "reward", -10.0, "clauses that are to the point, less those that are not"
        ),
        "factuality": Objective(
            "factuality", "reward", -10.0, "sentences that the passages support, less the others"
        ),
        "completeness": Objective(
            "completeness", "reward", -10.0, "how much of the passages' information is there"
        ),
    }
    kappa = 0.3
    Options = published(
        objectives=("relevance", "factuality", "completeness"),
        rewards={
            "relevance": {
                "path": None,
                "form": "segments",
                "segment": "clause",
                "logit": 2,
                "against": 1,
                "separator": "</s>",
                "std": 1 / SCALE,
            },
            "factuality": {
                "path": None,
                "form": "segments",
                "segment": "sentence",
                "logit": 2,
                "against": 0,
                "separator": "</s>",
                "std": 2.0,
            },
            "completeness": {
                "path": None,
                "form": "answer",
                "template": "{prompt} answer: {answer}",
                "mean": -0.44677690555995353,
                "std": 8.301160619054132 / SCALE,
            },
        },
        max_new_tokens=200,
        temperature=0.7,
        top_k=20,
        greedy=True,
        max_prompt_tokens=1024,
    )

    @staticmethod
    def parse(row: Row) -> Item | str:
        """A question with its passages; reward models read one line, or the question alone."""
        text = text_of(row, "text")
        question = asked(f"question: {_one_line(text_of(row, 'question'))}")
        whole = asked(_one_line(text))
        reads = {"relevance": question, "factuality": whole, "completeness": whole}
        return Item(asked(text), reads)

    @staticmethod
    def wrap(text: str) -> str:
        """The data's text is the prompt."""
        return text


def _one_line(text: str) -> str:
    return " ".join(text.split())
