"""A pool of start-model samples with their scores: the source of offline feedback."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from paretosteer.errors import UsageError
from paretosteer.interfaces import Array, Lists
from paretosteer.text.samples import Prompt, TextSamples


@dataclass(frozen=True)
class Pool:
    """Samples with `count` rows per prompt, a prompt's rows together, and z-scores (rows, m)."""

    samples: TextSamples
    z: Array
    count: int

    def lists(self, rng: np.random.Generator, lists: int, size: int, temperature: float) -> Lists:
        """`lists` training prompts, `size` different samples of each, soft labels per objective."""
        if size > self.count:
            raise UsageError(
                f"method.list_size: {size} candidates, but the pool has {self.count} per prompt; "
                "lower it or raise budget.pool_samples"
            )
        prompts = rng.integers(len(self.samples) // self.count, size=lists)
        chosen = [rng.choice(self.count, size=size, replace=False) for _ in prompts]
        rows = (prompts[:, None] * self.count + np.array(chosen)).ravel()
        candidates = self.samples.take(rows.tolist())
        z = torch.as_tensor(self.z[rows].reshape(lists, size, -1), dtype=torch.float32)
        return Lists(
            candidates,
            labels=torch.softmax(z / temperature, dim=1),
            start_log_probs=candidates.log_probs.sum(dim=1).view(lists, size),
            tokens=candidates.tokens,
            score=lambda: z,
            label_scale=1 / temperature,
            keys=[tuple(each) for each in rows.reshape(lists, size).tolist()],
            ratings=z / temperature,
        )

    def demonstrations(
        self, rng: np.random.Generator, weights: Array, quantile: float
    ) -> TextSamples:
        """One row per row of weights, uniformly from the top quantile of w . z."""
        unique, index = np.unique(weights, axis=0, return_inverse=True)
        kept = max(1, round(quantile * len(self.z)))
        top = np.argsort(-self.z @ unique.T, axis=0, kind="stable")[:kept]  # (kept, draws)
        return self.samples.take(top[rng.integers(kept, size=len(weights)), index.ravel()].tolist())

    def write(self, folder: Path) -> None:
        """Write the pool as safetensors and JSON."""
        s = self.samples
        save_file(
            {
                "response": s.response.cpu().contiguous(),
                "mask": s.mask.cpu().contiguous(),
                "log_probs": s.log_probs.cpu().contiguous(),
                "z": torch.as_tensor(self.z),
            },
            folder / "pool.safetensors",
        )
        (folder / "texts.json").write_text(json.dumps(s.texts))

    @classmethod
    def read(cls, folder: Path, prompts: Sequence[Prompt], device: torch.device) -> Pool:
        """Read a pool that `write` wrote; `prompts` are those it was sampled from."""
        stored = load_file(folder / "pool.safetensors", device=str(device))
        texts = json.loads((folder / "texts.json").read_text())
        count = len(texts) // len(prompts)
        samples = TextSamples(
            tuple(prompt for prompt in prompts for _ in range(count)),
            tuple(range(count)) * len(prompts),
            stored["response"],
            stored["mask"],
            stored["log_probs"],
            tuple(texts),
        )
        return cls(samples, stored["z"].cpu().numpy(), count)
