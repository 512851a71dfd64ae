"""Tokenised answers of preference pairs, with their log-probabilities and DPO losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import softplus

from paretosteer.benchmarks.preferences.rendering import Reader
from paretosteer.policies.control import Control
from paretosteer.policies.protocols import Policy
from paretosteer.storage.cache import cached
from paretosteer.storage.digest import digest
from paretosteer.text.pairs import Pair
from paretosteer.text.samples import Prompt, TextSamples

if TYPE_CHECKING:
    from paretosteer.config.setting import Setting

ROWS = 64  # batch size of the start model's scoring


class Answers:
    """Answers of pairs: rows 2i and 2i + 1 are the chosen and rejected one of pair i.

    Parameters
    ----------
    pairs
        Pairs by objective, in the order of the objectives.
    reader
        Renders the prompts.
    longest
        Most tokens of an answer, its end token included. A longer answer is cut and has no end
        token; the attribute `cut` counts these.
    end
        End token of every answer; None for a model that has none.

    """

    def __init__(
        self,
        pairs: Mapping[str, Sequence[Pair]],
        reader: Reader,
        longest: int,
        end: int | None,
    ):
        flat = [pair for part in pairs.values() for pair in part]
        self.prompts = [p for pair in flat for p in [reader.prompt(pair.prompt)] * 2]  # (rows,)
        self.texts = [text for pair in flat for text in (pair.chosen, pair.rejected)]
        encoded = _encode(reader, self.prompts, self.texts, end)
        self.ids = [ids[:longest] for ids in encoded]
        self.cut = sum(len(ids) > longest for ids in encoded)
        self.sizes = np.array([len(part) for part in pairs.values()])  # (m,), pairs per objective
        self.firsts = np.cumsum(self.sizes) - self.sizes  # (m,), index of each one's first pair

    def draw(
        self, rng: np.random.Generator, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Objective and pair index for each row of weights (rows, m), both (rows,).

        The objective is drawn in proportion to |w|, the pair uniformly within it.
        """
        share = np.abs(weights) / np.abs(weights).sum(axis=1, keepdims=True)
        objective = (share.cumsum(axis=1) < rng.random((len(weights), 1))).sum(axis=1)
        # Rounding can leave the cumulative share just below 1, and the index one too high.
        objective = np.minimum(objective, weights.shape[1] - 1)
        return objective, self.firsts[objective] + rng.integers(self.sizes[objective])

    def take(self, rows: Sequence[int], device: torch.device) -> TextSamples:
        """Rows as samples; their log-probabilities are 0, since no policy sampled them."""
        width = max(len(self.ids[row]) for row in rows)
        response = torch.zeros(len(rows), width, dtype=torch.int64)
        mask = torch.zeros(len(rows), width, dtype=torch.bool)
        for i, row in enumerate(rows):
            ids = self.ids[row]
            response[i, : len(ids)] = torch.tensor(ids)
            mask[i, : len(ids)] = True
        return TextSamples(
            tuple(self.prompts[row] for row in rows),
            (0,) * len(rows),
            response.to(device),
            mask.to(device),
            torch.zeros(len(rows), width, device=device),
            tuple(self.texts[row] for row in rows),
        )

    def start_scores(self, policy: Policy, key: Mapping[str, Any], setting: Setting) -> Tensor:
        """Log-probability of every row under the start model, (rows,), cached on disk.

        `key` holds everything that the log-probabilities depend on apart from the texts.
        """

        def make(folder: Path) -> None:
            setting.say(f"scoring {len(self.ids)} human answers with the start model")
            scores = self._scored(policy, Control.start, setting.device)
            save_file({"start": scores}, folder / "start.safetensors")

        content = digest([[p.text for p in self.prompts], self.ids])
        folder = cached("start_scores", {**key, "content": content}, make)
        return load_file(folder / "start.safetensors")["start"]

    def dpo_losses(
        self, policy: Policy, control: Control, start: Tensor, beta: float, device: torch.device
    ) -> NDArray[np.float64]:
        """DPO loss of each objective, mean over its pairs, under every control row: (k, m).

        The loss of a pair is −log σ(β(ρ⁺ − ρ⁻)), ρ the log-ratio of policy and start model.
        `start` holds the start model's log-probabilities, (rows,).
        """
        losses = []
        for point in range(control.rows):

            def at_point(rows: int, point: int = point) -> Control:
                return control.take(torch.full((rows,), point))

            ratios = (self._scored(policy, at_point, device) - start).double().view(-1, 2)
            pairs = softplus(-beta * (ratios[:, 0] - ratios[:, 1])).numpy()  # (pairs,)
            losses.append([own.mean() for own in np.split(pairs, self.firsts[1:])])
        return np.array(losses)

    @torch.no_grad()
    def _scored(
        self, policy: Policy, control: Callable[[int], Control], device: torch.device
    ) -> Tensor:
        """Log-probability of every row, (rows,); `control` gives control rows by their number."""
        lengths = [len(p.text) + len(ids) for p, ids in zip(self.prompts, self.ids, strict=True)]
        order = np.argsort(lengths, kind="stable")  # batches of similar length need little padding
        found = torch.zeros(len(self.ids))
        for first in range(0, len(order), ROWS):
            rows = order[first : first + ROWS].tolist()
            scores = policy.log_probs(self.take(rows, device), control(len(rows)))
            found[rows] = scores.sum(dim=1).float().cpu()
        return found


def _encode(
    reader: Reader, prompts: Sequence[Prompt], texts: Sequence[str], end: int | None
) -> list[list[int]]:
    """Tokens of each answer after its prompt, with the end token, if any.

    Prompt and answer are tokenised together, because some tokenizers put a space before a text
    that stands alone.
    """
    tokenizer = reader.tokenizer
    joined = [reader.joined(prompt.text, text) for prompt, text in zip(prompts, texts, strict=True)]
    before = tokenizer([prompt.text for prompt in prompts])["input_ids"]
    whole = tokenizer(joined, verbose=False)["input_ids"]
    encoded, last = [], [] if end is None else [end]
    for first, ids, prompt, text in zip(before, whole, prompts, joined, strict=True):
        answer = ids[len(first) :]
        # The tokenizer merges across the boundary, or adds an end token to every text.
        if ids[: len(first)] != first:
            rest = text.removeprefix(prompt.text)
            answer = tokenizer(rest, add_special_tokens=False, verbose=False)["input_ids"]
        encoded.append([*answer, *last])
    return encoded
