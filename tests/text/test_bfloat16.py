"""Banks in float32 on a model in bfloat16: near the same banks on the model in float32."""

import copy

import pytest
import torch
from torch import nn

from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.banks import BankedLinear, frozen
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt

HALF = torch.bfloat16
NEAR = {"rtol": 0.02, "atol": 0.02}  # bfloat16 has 8 bits: a rounding is 0.4 % at most
PROMPTS = [Prompt("a", "Once upon a time, there was Lily."), Prompt("b", "One day,")]
CONTROL = Control.soup([[0.3, 0.9, -0.2], [1.0, 0.0, 0.5]])


def layers(merge="sum"):
    """A banked layer in float32 and the same one on a base in bfloat16, and input for both."""
    torch.manual_seed(0)
    base = nn.Linear(32, 24).requires_grad_(False).to(HALF)
    pair = [
        BankedLinear(copy.deepcopy(base).to(dtype), [(4, 2.0)] * 3, ActiveBanks(merge))
        for dtype in (torch.float32, HALF)
    ]
    for layer in pair:
        generator = torch.Generator().manual_seed(1)
        layer.initialise(generator)
        for b in layer.B:
            b.data = 0.2 * torch.randn(b.shape, generator=generator)
    return pair, torch.randn(2, 5, 32).to(HALF)


MIXTURES = {
    "soup": {"coefficients": CONTROL.values},
    "single": {"index": torch.tensor([1, 1])},
    "gathered": {"index": torch.tensor([2, 0])},
    "off": {},
}


@pytest.mark.parametrize("keep", [False, True], ids=["training", "sampling"])
@pytest.mark.parametrize("case", MIXTURES)
def test_outputs_are_near_float32(case, keep):
    (exact, half), x = layers()
    outputs = []
    for layer in (exact, half):
        with torch.no_grad(), layer.active.set(**MIXTURES[case]):
            if keep:
                with frozen(layer.active, [layer]):
                    outputs.append(layer(x.to(layer.base.weight.dtype)))
            else:
                outputs.append(layer(x.to(layer.base.weight.dtype)))
    assert outputs[1].dtype == HALF
    torch.testing.assert_close(outputs[1].float(), outputs[0], **NEAR)
    if case != "off":
        assert (outputs[1].float() - exact.base(x.float())).abs().max() > 0.3


def test_averaged_factors_are_near_float32():
    (exact, half), x = layers("factors")
    outputs = []
    for layer in (exact, half):
        with torch.no_grad(), layer.active.set(coefficients=CONTROL.values):
            outputs.append(layer(x.to(layer.base.weight.dtype)).float())
    torch.testing.assert_close(outputs[1], outputs[0], **NEAR)


@pytest.mark.parametrize("case", ["soup", "single", "gathered"])
def test_gradients_are_float32_and_near(case):
    (exact, half), x = layers()
    for layer in (exact, half):
        with layer.active.set(**MIXTURES[case]):
            layer(x.to(layer.base.weight.dtype)).float().square().mean().backward()
    for a, b in zip(exact.parameters(), half.parameters(), strict=True):
        if a.requires_grad and a.grad is not None:
            assert b.dtype == b.grad.dtype == torch.float32
            torch.testing.assert_close(b.grad, a.grad, rtol=0.05, atol=0.05 * a.grad.std().item())


def test_small_steps_of_training_are_not_lost():
    """A step of 1e-4 on a weight near 1 is below bfloat16's grain: banks must not be in it."""
    (_, half), x = layers()
    optimiser = torch.optim.Adam(list(half.B.parameters()), lr=1e-4)
    before = [b.detach().clone() for b in half.B]
    with half.active.set(coefficients=CONTROL.values):
        half(x).float().sum().backward()
    optimiser.step()
    for a, b in zip(before, half.B, strict=True):
        torch.testing.assert_close((b - a).abs(), torch.full_like(a, 1e-4), rtol=0.05, atol=1e-6)


@pytest.fixture
def half(model):
    network = copy.deepcopy(model.network).to(HALF)
    return LanguageModel(network, model.tokenizer, model.name)


def banked(model):
    policy = TextPolicy(model, Banks(3, 2, 4.0), Decoding(8), seed=0)
    generator = torch.Generator().manual_seed(1)
    for layer in policy.layers.values():
        for b in layer.B:
            b.data = 0.3 * torch.randn(b.shape, generator=generator)
    return policy


def test_a_policy_scores_near_float32(model, half):
    exact, policy = banked(model), banked(half)
    samples = exact.sample(PROMPTS, CONTROL, 0, [0, 0])
    with torch.no_grad():
        found, expected = policy.log_probs(samples, CONTROL), exact.log_probs(samples, CONTROL)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.03, atol=0.05)


def test_a_policy_scores_what_it_sampled(half):
    """Sampling mixes in bfloat16, scoring in float32: the ratio of the two must stay near 1."""
    policy = banked(half)
    samples = policy.sample(PROMPTS, CONTROL, 0, [0, 0])
    with torch.no_grad():
        scores = policy.log_probs(samples, CONTROL)
    torch.testing.assert_close(scores, samples.log_probs, rtol=0.03, atol=0.05)


def test_banks_off_is_the_start_model_itself(half):
    policy = banked(half)
    samples = policy.sample(PROMPTS, CONTROL, 0, [0, 0])
    plain = TextPolicy(half, Banks(1, 2, 4.0), Decoding(8), seed=0)
    with torch.no_grad():
        found = policy.log_probs(samples, Control.start(2))
        assert torch.equal(found, plain.log_probs(samples, Control.start(2)))
