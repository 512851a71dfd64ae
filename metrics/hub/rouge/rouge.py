"""`evaluate` module around `rouge-score`: the hub's own needs a network connection to load."""

import datasets
import evaluate
from rouge_score.rouge_scorer import RougeScorer

KINDS = ("rouge1", "rouge2", "rougeL", "rougeLsum")

_INPUTS = """
predictions: texts, one per reference.
references: texts. In `rougeLsum` line feeds part sentences.
rouge_types: which of rouge1, rouge2, …, rougeL and rougeLsum.
use_stemmer: compare stems (Porter) instead of words.
use_aggregator: the mean over all texts; without it a list with one F1 per text.
"""


class Rouge(evaluate.Metric):  # type: ignore[misc]
    """F1 of the words, word pairs or longest common subsequence that texts share, 0 to 1."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.__doc__,
            citation="Lin 2004, ROUGE: a package for automatic evaluation of summaries",
            inputs_description=_INPUTS,
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(
        self,
        predictions: list[str],
        references: list[str],
        rouge_types: tuple[str, ...] = KINDS,
        use_stemmer: bool = True,
        use_aggregator: bool = True,
    ) -> dict[str, float | list[float]]:
        scorer = RougeScorer(list(rouge_types), use_stemmer=use_stemmer)
        pairs = zip(references, predictions, strict=True)
        found = [scorer.score(reference, prediction) for reference, prediction in pairs]
        scores = {kind: [row[kind].fmeasure for row in found] for kind in rouge_types}
        if use_aggregator:
            return {kind: sum(values) / len(values) for kind, values in scores.items()}
        return dict(scores)
