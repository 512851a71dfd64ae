"""Log-probabilities in chunks: samples, scores and gradients are the same to the bit."""

import pytest
import torch

from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.text import generate
from paretosteer.text.generate import Decoding
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt

PROMPTS = [Prompt("a", "Once upon a time, there was a cat."), Prompt("b", "One day,")] * 3
WEIGHTS = torch.tensor([[1.0, -0.5], [0.2, 0.8], [0.0, 1.0]] * 2)
CONTROLS = {
    "single": Control.soup(WEIGHTS),
    "dial": Control("soup", 6, WEIGHTS, sharpness=torch.tensor([0.5, 1.0, 2.0] * 2)),
    "mixture": Control.mixture(WEIGHTS, [Control.bank([k] * 6) for k in range(2)]),
}
DECODINGS = {
    "plain": Decoding(7, min_new_tokens=3),
    "top-k": Decoding(7, temperature=0.7, top_k=5),
    "greedy": Decoding(7, temperature=0.0),
}


def outcome(model, control, decoding):
    """Responses, their log-probabilities twice, and the gradients of all banks."""
    policy = TextPolicy(model, Banks(2, 2, 4.0), decoding, seed=0)
    generator = torch.Generator().manual_seed(1)
    for layer in policy.layers.values():
        for b in layer.B:
            b.data = 0.3 * torch.randn(b.shape, generator=generator)
    samples = policy.sample(PROMPTS, control, 0, [0, 0, 1, 1, 2, 2])
    scores = policy.log_probs(samples, control)
    scores.square().sum().backward()
    gradients = [b.grad for layer in policy.layers.values() for b in layer.B]
    return [samples.response, samples.log_probs, scores.detach(), *gradients]


@pytest.mark.parametrize("decoding", DECODINGS)
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("rows", [1, 4, 18])
def test_chunks_change_no_bit(any_model, monkeypatch, control, decoding, rows):
    given = any_model, CONTROLS[control], DECODINGS[decoding]
    whole = outcome(*given)
    vocabulary = any_model.network.config.vocab_size
    monkeypatch.setattr(generate, "CHUNK", rows * vocabulary)
    for found, expected in zip(outcome(*given), whole, strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("chunk", [1, 2**23])
def test_chunks_keep_no_float32_copies_for_the_backward_pass(monkeypatch, chunk):
    monkeypatch.setattr(generate, "CHUNK", chunk)
    logits = torch.randn(4, 6, 50, dtype=torch.bfloat16, requires_grad=True)
    response = torch.randint(50, (4, 6))
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(saved.append, lambda x: x):
        generate.response_log_probs([logits], response, Decoding(6), (), Control.start(4)).sum()
    copies = [x for x in saved if x.dtype == torch.float32 and x.shape[-1] == 50]
    assert bool(copies) == (chunk > 1)
