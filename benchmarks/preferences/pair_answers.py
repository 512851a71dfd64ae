"""The answers that people compared, as tokens, with what the start model gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from paretosteer.benchmarks.preferences.rendering import Reader
from paretosteer.interfaces import Policy
from paretosteer.policies.control import Control
from paretosteer.storage.cache import cached
from paretosteer.storage.digest import digest
from paretosteer.text.pairs import Pair
from paretosteer.text.samples import Prompt, TextSamples

if TYPE_CHECKING:
    from paretosteer.config.setting import Setting

ROWS = 64  # scored at once by the start model


class Answers:
    """Both answers of every training pair: of pair i, row 2i was chosen and row 2i + 1 rejected.

    Parameters
    ----------
    pairs
        Training pairs of every objective, in the order of the objectives.
    longest
        Tokens of an answer, its end token included; a longer one is cut and has no end. `cut` says
        how many are.

    """

    def __init__(self, pairs: Mapping[str, Sequence[Pair]], reader: Reader, longest: int):
        every = [pair for part in pairs.values() for pair in part]
        self.prompts = [p for pair in every for p in [reader.prompt(pair.prompt)] * 2]  # (rows,)
        self.texts = [text for pair in every for text in (pair.chosen, pair.rejected)]
        written = _encoded(reader.tokenizer, self.prompts, self.texts)
        self.ids = [ids[:longest] for ids in written]
        self.cut = sum(len(ids) > longest for ids in written)
        self.sizes = np.array([len(part) for part in pairs.values()])  # pairs of each objective
        self.firsts = np.cumsum(self.sizes) - self.sizes  # number of its first pair

    def draw(
        self, rng: np.random.Generator, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each row of weights (rows, m) an objective, drawn by |w|, and one of its pairs."""
        share = np.abs(weights) / np.abs(weights).sum(axis=1, keepdims=True)
        objective = (share.cumsum(axis=1) < rng.random((len(weights), 1))).sum(axis=1)
        objective = np.minimum(objective, weights.shape[1] - 1)  # shares may sum to 1 - 1e-16
        return objective, self.firsts[objective] + rng.integers(self.sizes[objective])

    def take(self, rows: Sequence[int], device: torch.device) -> TextSamples:
        """These rows as samples; nobody drew them, so their log-probabilities are 0."""
        width = max(len(self.ids[row]) for row in rows)
        response = torch.zeros(len(rows), width, dtype=torch.int64)
        mask = torch.zeros(len(rows), width, dtype=torch.bool)
        for place, row in enumerate(rows):
            ids = self.ids[row]
            response[place, : len(ids)] = torch.tensor(ids)
            mask[place, : len(ids)] = True
        return TextSamples(
            tuple(self.prompts[row] for row in rows),
            (0,) * len(rows),
            response.to(device),
            mask.to(device),
            torch.zeros(len(rows), width, device=device),
            tuple(self.texts[row] for row in rows),
        )

    def start_scores(self, policy: Policy, key: Mapping[str, Any], setting: Setting) -> Tensor:
        """Log-probability of every row under the start model, (rows,); made once, then cached.

        `key` is what the start model's scores depend on beside the texts.
        """

        def make(folder: Path) -> None:
            setting.say(f"the start model reads {len(self.ids)} human answers")
            scores = self._scored(policy, setting.device)
            save_file({"start": scores}, folder / "start.safetensors")

        content = digest([[p.text for p in self.prompts], self.ids])
        folder = cached("start_scores", {**key, "content": content}, make)
        return load_file(folder / "start.safetensors")["start"]

    @torch.no_grad()
    def _scored(self, policy: Policy, device: torch.device) -> Tensor:
        lengths = [len(p.text) + len(ids) for p, ids in zip(self.prompts, self.ids, strict=True)]
        order = np.argsort(lengths, kind="stable")  # like lengths together: little is padding
        start = torch.zeros(len(self.ids))
        for place in range(0, len(order), ROWS):
            rows = order[place : place + ROWS].tolist()
            scores = policy.log_probs(self.take(rows, device), Control.start(len(rows)))
            start[rows] = scores.sum(dim=1).float().cpu()
        return start


def _encoded(tokenizer: Any, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[list[int]]:
    """Tokens of the answers as they follow their prompts, the end token last.

    Prompt and answer are tokenised together: alone, some tokenizers put a space before an answer.
    """
    joined = [_joined(prompt.text, text) for prompt, text in zip(prompts, texts, strict=True)]
    before = tokenizer([prompt.text for prompt in prompts])["input_ids"]
    whole = tokenizer(joined, verbose=False)["input_ids"]
    encoded = []
    for first, ids, prompt, text in zip(before, whole, prompts, joined, strict=True):
        answer = ids[len(first) :]
        if ids[: len(first)] != first:  # it merges across, or ends every text with a token
            own = text.removeprefix(prompt.text)
            answer = tokenizer(own, add_special_tokens=False, verbose=False)["input_ids"]
        encoded.append([*answer, tokenizer.eos_token_id])
    return encoded


def _joined(prompt: str, answer: str) -> str:
    """An answer one space after its prompt, or at once where that ends with a blank."""
    return prompt + answer if prompt[-1:].isspace() else f"{prompt} {answer}"
