"""LoRA dropout: in passes that the trained policy learns from, and nowhere else."""

import pytest
import torch
from torch import nn

from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.banks import BankedLinear
from paretosteer.policies.conditioning import Banks, Features, PromptText
from paretosteer.policies.control import Control
from paretosteer.text.generate import Decoding
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt

PROMPTS = [Prompt("a", "Once upon a time, there was a bear."), Prompt("b", "One day,")]
SOUP = Control.soup(torch.tensor([[1.0, 0.5], [0.2, 0.8]]))


def trained(model, dropout: float, conditioning=None) -> TextPolicy:
    """A policy whose banks do something."""
    how = conditioning or Banks(2, 2, 4.0, dropout=dropout)
    policy = TextPolicy(model, how, Decoding(6), seed=0)
    torch.manual_seed(1)
    for layer in policy.layers.values():
        for b in layer.B:
            nn.init.normal_(b, std=0.3)
    return policy


def written(policy, control=SOUP):
    return policy.sample(PROMPTS, control, 5, [0, 0])


@pytest.mark.parametrize("control", [SOUP, Control.bank([0, 1]), Control.bank([1, 1])])
def test_what_is_sampled_or_measured_has_no_dropout(any_model, control):
    plain, dropping = trained(any_model, 0.0), trained(any_model, 0.5)
    one, two = written(plain, control), written(dropping, control)
    assert one.texts == two.texts and torch.equal(one.log_probs, two.log_probs)
    with torch.no_grad():
        assert torch.equal(plain.log_probs(one, control), dropping.log_probs(one, control))
    for a, b in zip(plain.drift(one, control).kl, dropping.drift(one, control).kl, strict=True):
        assert a == b


@pytest.mark.parametrize("control", [SOUP, Control.bank([0, 1]), Control.bank([1, 1])])
def test_a_training_pass_has_it_and_the_start_model_never(any_model, control):
    policy = trained(any_model, 0.5)
    samples = written(policy, control)
    with torch.no_grad():
        measured = policy.log_probs(samples, control)
    learning = policy.log_probs(samples, control)
    assert learning.requires_grad and not torch.allclose(learning, measured)
    assert not torch.allclose(learning, policy.log_probs(samples, control))  # drawn again
    start = Control.start(2)
    with torch.no_grad():
        expected = policy.log_probs(samples, start)
    assert torch.equal(policy.log_probs(samples, start), expected)


def test_draws_are_the_policys_own(llama):
    """Neither torch's global generator nor another policy changes what is dropped."""
    first, second = trained(llama, 0.3), trained(llama, 0.3)
    samples = written(first)
    one = first.log_probs(samples, SOUP)
    torch.manual_seed(99)
    torch.testing.assert_close(second.log_probs(samples, SOUP), one, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("conditioning", "control"),
    [
        (PromptText(2, 4.0, dropout=0.5), Control.text(["kind: 1; ", "kind: 0; "])),
        (Features(2, rank=2, alpha=4.0, dropout=0.5), Control.features(torch.eye(2))),
    ],
)
def test_banks_that_are_always_on_have_it_too(llama, conditioning, control):
    policy = trained(llama, 0.0, conditioning)
    samples = written(policy, control)
    with torch.no_grad():
        measured = policy.log_probs(samples, control)
    assert not torch.allclose(policy.log_probs(samples, control), measured)


def test_the_expected_output_is_that_without_dropout():
    """Inputs are kept with probability 1 - p and scaled by its inverse, as in LoRA."""
    base = nn.Linear(8, 3, bias=False).requires_grad_(False)
    active = ActiveBanks(dropout=0.25)
    layer = BankedLinear(base, [(2, 1.0), (2, 1.0)], active)
    layer.initialise(torch.Generator().manual_seed(0))
    for b in layer.B:
        nn.init.normal_(b)
    x, c = torch.randn(1, 1, 8), torch.tensor([[0.3, 0.7]])
    with torch.no_grad(), active.set(coefficients=c):
        plain = layer(x)
    many = x.expand(20000, 1, 8)
    with active.set(coefficients=c.expand(20000, 2)):
        drawn = layer(many).detach()
    torch.testing.assert_close(drawn.mean(dim=0, keepdim=True), plain, atol=0.03, rtol=0)
    assert drawn.std() > 0.1
