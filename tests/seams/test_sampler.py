"""An engine from outside the package writes the responses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from seam_cells import TEXT, assert_resumes
from tiny_text import DECODING, PROMPTS, tiny_llama

from paretosteer.benchmarks.stories.benchmark import Stories
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.text.policy import TextPolicy
from paretosteer.text.sampler import Responses, Sampler


class Greedy:
    """A slow engine of its own: the likeliest token each time, by scoring whole sequences."""

    calls = 0

    def __init__(self, policy):
        self.policy = policy

    @torch.no_grad()
    def __call__(self, prompts, control, seed, samples, decoding):
        type(self).calls += 1
        policy, rows = self.policy, len(prompts)
        tokens = torch.zeros(rows, decoding.max_new_tokens, dtype=torch.int64)
        mask = torch.ones_like(tokens, dtype=torch.bool)
        log_probs = torch.zeros(tokens.shape)
        for t in range(decoding.max_new_tokens):
            (stream,) = policy.streams(prompts, control, decoding.max_new_tokens)
            logits = stream.logits(tokens[:, : t + 1], mask[:, : t + 1])
            scores = decoding.log_probs(logits, 0, policy.model.ends)[:, t]
            log_probs[:, t], tokens[:, t] = scores.max(dim=-1)
            done = (tokens[:, t] == policy.tokenizer.eos_token_id).unsqueeze(1)
            mask[:, t + 1 :] &= ~done & mask[:, t : t + 1]
        tokens = tokens.masked_fill(~mask, policy.tokenizer.pad_token_id)
        return Responses(tokens, mask, log_probs.masked_fill(~mask, 0.0))


def test_the_policy_gives_what_the_engine_wrote() -> None:
    engine: type[Sampler] = Greedy
    policy = TextPolicy(tiny_llama(), Banks(2, 2, 4.0), DECODING, seed=0, sampler=engine)
    control = Control.soup([[1.5, -0.5]] * 3)
    for layer in policy.layers.values():
        for bank in range(2):
            torch.nn.init.normal_(layer.parts(bank)["B"], std=0.3)
    samples = policy.sample(PROMPTS, control, 0, [0, 0, 0])
    scores = policy.log_probs(samples, control)
    torch.testing.assert_close(samples.log_probs, scores, atol=2e-5, rtol=1e-4)
    other = policy.sample(PROMPTS, control, 1, [0, 0, 0])  # greedy: the seed does not matter
    assert other.texts == samples.texts
    assert policy.answer(PROMPTS, control, 0, [0, 0, 0]).texts == samples.texts


def test_a_benchmark_trains_samples_and_resumes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Stories.__init__

    def with_engine(self, options, setting):
        made(self, options, setting)
        self.sampler = Greedy

    monkeypatch.setattr(Stories, "__init__", with_engine)
    Greedy.calls = 0
    assert_resumes(tmp_path, *TEXT, "method=rewarded_soup", "method.feedback=preference")
    assert Greedy.calls > 0
