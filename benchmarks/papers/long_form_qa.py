"""Long-form QA: answer questions from passages, trading relevance, factuality and completeness.

Data, reward models and settings follow FineGrainedRLHF (Wu et al., arXiv 2306.01693), as released
in `tasks/qa_feedback`:

- Relevance reads `question: … answer: </s> clause </s> clause …` and gives +-0.3 to each clause
  (label 2 against label 1).
- Factuality reads the whole prompt and gives +-0.5 to each sentence (label 2 against label 0).
- Completeness reads prompt and answer and gives one number, standardised with mean -0.447 and
  standard deviation 8.301 and multiplied by 0.3.
- The start model is T5-large after supervised fine-tuning on 1,000 examples. Prompts have at most
  1024 tokens, answers at most 200. A causal start model reads the same prompt.
- Training samples with top-k 20 at temperature 0.7; test prompts are answered greedily.
- Learning rate 1e-5, KL coefficient 0.3, four samples per prompt and four clipped steps per batch
  (`experiment=long_form_qa`).

Neither the data nor the reward models are on the Hugging Face hub. Set `benchmark.data` to the
folder with train.json, dev.json and test.json (or to one such file, or to dev_feedback.json) and
`benchmark.rewards.NAME.path` to each reward model. `dev` is our validation split; calibration
prompts are taken from `train`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from paretosteer.benchmarks.papers.task import Task
from paretosteer.benchmarks.papers.task_items import Item, Row, asked, column, text_of
from paretosteer.benchmarks.papers.task_options import published
from paretosteer.objective import Objective
from paretosteer.text.truncate import Side

SCALE = 0.3  # weight of relevance and completeness in the released settings


class LongFormQA(Task):
    """Ambiguous questions with passages; rewards per clause, per sentence and per answer."""

    name = "long_form_qa"
    published_start = "google-t5/t5-large"
    side: ClassVar[Side] = "right"
    columns = ("text", "question", "passages")
    own_splits: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "test": ("test",),
        "validation": ("validation",),
        "train": ("train", "calibration"),
    }
    described: ClassVar[Mapping[str, Objective]] = {
        "relevance": Objective(
            "relevance", "reward", -10.0, "relevant clauses minus irrelevant ones"
        ),
        "factuality": Objective(
            "factuality", "reward", -10.0, "sentences that the passages support minus the others"
        ),
        "completeness": Objective(
            "completeness", "reward", -10.0, "coverage of the passages' information"
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
        """A question with its passages, also in the form of the authors' human feedback."""
        # Relevance reads the question alone; the other reward models read the prompt on one line.
        # `train_feedback.json` and `dev_feedback.json` hold passages instead of finished prompts.
        text = text_of(row, "text") if "text" in row else _prompt(row)
        own = _one_line(text_of(row, "question"))
        if own not in _one_line(text):
            raise ValueError(
                "text does not contain the question, so it is not the finished prompt; to write "
                "that from question and passages, set columns: {unused: text}"
            )
        question = asked(f"question: {own}")
        whole = asked(_one_line(text))
        reads = {"relevance": question, "factuality": whole, "completeness": whole}
        return Item(asked(text), reads)

    @staticmethod
    def wrap(text: str) -> str:
        return text  # the data hold the finished prompt


def _prompt(row: Row) -> str:
    """Prompt as in the released supervised data, from a question and its passages.

    A passage is a list of its title and its sentences.
    """
    passages = column(row, "passages")
    if not isinstance(passages, list) or not all(map(_is_passage, passages)):
        raise ValueError("passages is malformed, expected lists of a title and sentences")
    context = [f"wikipage: {title} text: {' '.join(rest)}" for title, *rest in passages]
    return _one_line(" ".join(["question:", text_of(row, "question"), "context:", *context]))


def _is_passage(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)


def _one_line(text: str) -> str:
    return " ".join(text.split())
