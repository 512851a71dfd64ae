"""Scoring with a reward model, in float32 and in batches of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from paretosteer.text.dialogue import Dialogue
from paretosteer.text.rewards.input_forms import FORMS, Form
from paretosteer.text.rewards.loading import load_classifier
from paretosteer.text.rewards.reward_spec import RewardSpec
from paretosteer.text.rewards.segments import split_segments

Floats = NDArray[np.float64]

TOKENS = 16384  # per batch, including padding
# Placeholder (private-use character) for a separator while special tokens are removed from answers.
_MARK = "\ue000"


@dataclass
class RewardModel:
    """Classifier of prompts and answers, used according to `spec`; `truncated` counts cut texts."""

    spec: RewardSpec
    network: Any  # transformers.PreTrainedModel
    tokenizer: Any  # transformers.PreTrainedTokenizerBase
    truncated: int = field(default=0, init=False)

    @property
    def form(self) -> Form:
        return FORMS[self.spec.form]

    @property
    def max_length(self) -> int:
        """Maximum number of tokens of a text: the smallest of setting, tokenizer and positions."""
        positions = getattr(self.network.config, "max_position_embeddings", None)
        limits = [self.spec.max_length, self.tokenizer.model_max_length, positions]
        return int(min(limit for limit in limits if limit))

    def encode(self, prompt: Dialogue, answer: str) -> Mapping[str, list[int]]:
        """Tokenised input of the network for a prompt and an answer."""
        return self._cut(*self._texts(prompt, answer))

    def score(self, prompts: Sequence[Dialogue], answers: Sequence[str]) -> Floats:
        """Score per row, (rows,); higher is better, NaN where there is nothing to read."""
        if self.spec.form != "segments":
            raw = self._logits([self._texts(*row) for row in zip(prompts, answers, strict=True)])
        else:
            raw = self._segment_scores(prompts, answers)
        return (self.spec.sign * raw - self.spec.mean) / self.spec.std

    def _texts(self, prompt: Dialogue, answer: str) -> tuple[str, str | None]:
        return self.form.texts(prompt, answer, self.tokenizer, self.spec.template)

    def _logits(self, texts: Sequence[tuple[str, str | None]]) -> Floats:
        scores = np.full(len(texts), np.nan)
        for rows, _, outputs in self._outputs(texts):
            scores[rows] = self._taken(outputs).cpu().double().numpy()
        return np.where(np.isfinite(scores), scores, np.nan)

    def _segment_scores(self, prompts: Sequence[Dialogue], answers: Sequence[str]) -> Floats:
        parts = [split_segments(answer, self.spec.segment) for answer in answers]
        rows = list(zip(prompts, parts, strict=True))
        if "TokenClassification" in type(self.network).__name__:
            by_row = self._at_separators(rows)
        else:
            whole = self._logits(
                [self._texts(prompt, part) for prompt, segments in rows for part in segments]
            )
            by_row = np.split(whole, np.cumsum([len(segments) for segments in parts])[:-1])
        reduced = np.mean if self.spec.reduce == "mean" else np.sum
        return np.array([reduced(scores) if len(scores) else np.nan for scores in by_row])

    def _at_separators(self, rows: Sequence[tuple[Dialogue, Sequence[str]]]) -> list[Floats]:
        """Scores of a token classifier at each segment's separator, (segments,) per row."""
        mark = self.spec.separator or self.tokenizer.sep_token or self.tokenizer.eos_token
        mark_id = self.tokenizer.convert_tokens_to_ids(mark)
        # Insert the separators only after `_texts` has removed the answer's own special tokens.
        joined = ["".join(f"{_MARK} {part} " for part in parts) for _, parts in rows]
        texts = [self._texts(prompt, text) for (prompt, _), text in zip(rows, joined, strict=True)]
        marked = [(text.replace(_MARK, mark), None) for text, _ in texts]
        scores = [np.zeros(0)] * len(rows)
        for indices, ids, outputs in self._outputs(marked):
            for index, tokens, output in zip(indices, ids, outputs, strict=True):
                at = (tokens == mark_id).nonzero().ravel()[: len(rows[index][1])]
                scores[index] = self._taken(output[at]).cpu().double().numpy()
        return scores

    def _taken(self, outputs: torch.Tensor) -> torch.Tensor:
        """Reduce outputs (…, labels) to (…,): the chosen logit, its probability, or its sign.

        With `against`, the result is +1 if the chosen logit is larger than that one, else -1.
        """
        chosen = outputs[..., self.spec.logit]
        if self.spec.probability:
            return outputs.softmax(dim=-1)[..., self.spec.logit]
        if self.spec.against is None:
            return chosen
        return torch.where(chosen > outputs[..., self.spec.against], 1.0, -1.0)

    @torch.no_grad()
    def _outputs(
        self, texts: Sequence[tuple[str, str | None]]
    ) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor]]:
        """Row indices of each batch, with tokens (rows, T) and logits (rows, …, labels)."""
        encoded = [self._cut(*text) for text in texts]
        lengths = [len(row["input_ids"]) for row in encoded]
        for rows in batches(lengths, TOKENS):
            batch = self.tokenizer.pad([encoded[row] for row in rows], return_tensors="pt")
            batch = batch.to(self.network.device)
            yield rows, batch["input_ids"], self.network(**batch).logits.float()

    def _cut(self, text: str, second: str | None) -> Mapping[str, list[int]]:
        """Tokens of one text, truncated (and counted) if it is too long."""
        self.tokenizer.truncation_side = self.spec.truncation or self.form.truncation
        whole = self.tokenizer(text, second, verbose=False)
        if len(whole["input_ids"]) <= self.max_length:
            return whole
        self.truncated += 1
        return self.tokenizer(text, second, truncation=True, max_length=self.max_length)


def load_reward(spec: RewardSpec, device: torch.device) -> RewardModel:
    """Load the reward model that `spec` names; for errors see `load_classifier`."""
    return RewardModel(spec, *load_classifier(spec, device))


def batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Batches of rows of similar length, longest first, of at most `tokens` padded tokens.

    Rows of length 0 are left out.
    """
    order = sorted((row for row, length in enumerate(lengths) if length), key=lambda r: -lengths[r])
    while order:
        count = max(1, tokens // lengths[order[0]])
        yield order[:count]
        order = order[count:]
