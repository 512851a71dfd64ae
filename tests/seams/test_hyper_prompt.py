"""Hyper Prompt Tuning: a prefix under a mask of low rank, before the text of a language model."""

import torch
from tiny_text import DECODING, PROMPTS, tiny_llama

from paretosteer.policies.control import Control
from paretosteer.policies.hyper_prompt import HyperPrompt, MaskedPrefix
from paretosteer.text.policy import TextPolicy


def test_a_prefix_is_multiplied_by_a_mask_of_low_rank():
    embedding = torch.randn(20, 16, generator=torch.Generator().manual_seed(0))
    reader = MaskedPrefix(2, 8, 3, 5, embedding, torch.Generator().manual_seed(1))
    w = torch.tensor([[0.2, 0.8], [1.0, 0.0]])
    found = reader(w)
    assert found.shape == (2, 8, 16)
    for row, features in zip(found, w.double(), strict=True):
        factors = []
        for first, _, second in (reader.rows, reader.columns):
            h = torch.tanh(first.weight.double() @ features + first.bias.double())
            factors.append(second.weight.double() @ h + second.bias.double())
        mask = factors[0].view(8, 3) @ factors[1].view(3, 16)
        torch.testing.assert_close(row, (mask * reader.prefix).float())
        assert torch.linalg.matrix_rank(row / reader.prefix, rtol=1e-4) == 3
    assert not torch.allclose(found[0], found[1], atol=1e-2)


def test_a_language_model_trains_the_prefix_its_mask_and_a_bank():
    conditioning = HyperPrompt(2, tokens=8, hidden=4, rank=4, alpha=8.0)
    steered = TextPolicy(tiny_llama(), conditioning, DECODING, seed=0)
    rows = len(PROMPTS)
    control = Control.features(torch.tensor([[0.3, 0.7]]).expand(rows, 2))
    samples = steered.sample(PROMPTS, Control.start(rows), 0, [0] * rows)
    torch.testing.assert_close(
        samples.log_probs, steered.log_probs(samples, Control.start(rows)), atol=1e-5, rtol=1e-4
    )
    steered.log_probs(samples, control).sum().backward()
    names = {name.split(".")[1] for name in steered.state() if name.startswith("reader")}
    assert names == {"prefix", "rows", "columns"}
    assert any(name.startswith("banks.0.") for name in steered.state())
    moved = [p.grad is not None and p.grad.abs().sum() > 0 for p in steered.reader.parameters()]
    assert all(moved)
