"""Gradient checkpointing: the same gradients from fewer activations, and no dropout."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_layers import GradientCheckpointingLayer

from paretosteer.errors import UsageError
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.conditioning import Banks, Features, PromptText
from paretosteer.policies.control import Control
from paretosteer.text.generate import Decoding
from paretosteer.text.gradient_checkpointing import Recompute
from paretosteer.text.model import LanguageModel
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt

PROMPTS = [Prompt("a", "Once upon a time, there was Lily."), Prompt("b", "One day,")]
DECODING = Decoding(8)
CASES = {
    "soup": (Banks(3, 2, 4.0), Control.soup([[0.3, 0.9, -0.2], [1.0, 0.0, 0.5]])),
    "factors": (Banks(2, 2, 4.0, merge="factors"), Control.soup([[0.3, 0.7], [1.0, 0.5]])),
    "dropout": (Banks(2, 2, 4.0, dropout=0.5), Control.soup([[0.3, 0.7], [1.0, 0.5]])),
    "dropout of one": (Banks(2, 2, 4.0, dropout=0.5), Control.bank([1, 1])),
    "single bank": (Banks(3, 2, 4.0), Control.bank([1, 1])),
    "bank per row": (Banks(3, 2, 4.0), Control.bank([2, 0])),
    "text": (PromptText(2, 4.0), Control.text(["positive: 1; ", "varied: 1; "])),
    "features": (Features(2, 3, 4, 2, 4.0), Control.features([[0.3, 0.7], [1.0, 0.0]])),
}


def policies(model, conditioning):
    """The same policy without and with checkpointing, its banks not at zero."""
    found = []
    for on in (False, True):
        policy = TextPolicy(replace(model, recompute=on), conditioning, DECODING, seed=0)
        generator = torch.Generator().manual_seed(1)
        for p in policy.parameters():
            p.data += 0.1 * torch.randn(p.shape, generator=generator)
        found.append(policy)
    return found


def gradients(policy, samples, control):
    scores = policy.log_probs(samples, control)
    (scores.sum(dim=1) * torch.tensor([1.0, -0.5])).sum().backward()
    return scores.detach(), [p.grad for p in policy.parameters()]


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_the_same(model, case):
    conditioning, control = CASES[case]
    plain, checkpointed = policies(model, conditioning)
    samples = plain.sample(PROMPTS, control, 0, [0, 0])
    assert checkpointed.sample(PROMPTS, control, 0, [0, 0]).texts == samples.texts
    scores, expected = gradients(plain, samples, control)
    same, found = gradients(checkpointed, samples, control)
    assert torch.equal(scores, same)
    assert sum(g is not None and bool(g.abs().sum()) for g in expected) > 3
    for a, b in zip(expected, found, strict=True):
        assert (a is None and b is None) or torch.equal(a, b)


def test_gradients_do_not_depend_on_what_is_mixed_meanwhile(llama):
    """Two passes under different controls before either gradient, as with a KL or DPO margin."""
    conditioning, control = CASES["soup"]
    other = Control.soup([[-1.0, 0.0, 2.0], [0.0, 0.4, 0.0]])
    results = []
    for policy in policies(llama, conditioning):
        samples = policy.sample(PROMPTS, control, 0, [0, 0])
        loss = (
            policy.log_probs(samples, control).sum() - policy.log_probs(samples, other).sum() ** 2
        )
        with policy.mixed(Control.start(2)):
            loss.backward()
        results.append([p.grad for p in policy.parameters()])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


class Kept:
    """Bytes that a forward pass keeps for its gradients."""

    def __init__(self):
        self.tensors = {}

    def pack(self, x):
        self.tensors[x.data_ptr()] = x.nbytes
        return x

    def of(self, policy, samples, control):
        with torch.autograd.graph.saved_tensors_hooks(self.pack, lambda x: x):
            policy.log_probs(samples, control)
        return sum(self.tensors.values())


def test_fewer_activations_are_kept(llama):
    config = LlamaConfig(
        vocab_size=len(llama.tokenizer),
        hidden_size=16,
        intermediate_size=64,
        num_hidden_layers=8,
        num_attention_heads=2,
        max_position_embeddings=128,
    )
    torch.manual_seed(0)
    network = LlamaForCausalLM(config).eval().requires_grad_(False)
    conditioning, control = CASES["soup"]
    plain, checkpointed = policies(LanguageModel(network, llama.tokenizer, "deep"), conditioning)
    samples = plain.sample(PROMPTS, control, 0, [0, 0])
    assert Kept().of(checkpointed, samples, control) < 0.5 * Kept().of(plain, samples, control)


def test_nothing_drops_out_and_sampling_keeps_its_cache(model):
    """GPT-2 has dropout 0.1: in training mode two passes would differ."""
    conditioning, control = CASES["soup"]
    _, policy = policies(model, conditioning)
    samples = policy.sample(PROMPTS, control, 0, [0, 0])
    first, second = (policy.log_probs(samples, control) for _ in range(2))
    assert torch.equal(first, second)
    torch.testing.assert_close(first.detach(), samples.log_probs, rtol=1e-4, atol=1e-5)
    switched = (GradientCheckpointingLayer, nn.Dropout)
    modules = [module for module in policy.network.modules() if isinstance(module, switched)]
    assert modules and not any(module.training for module in modules)


class OwnDropout(GradientCheckpointingLayer):
    """A layer that applies dropout by itself, as BART's do."""

    def __init__(self):
        super().__init__()
        self.dropout = 0.5
        self.activation_dropout = 0.5

    def forward(self, x):
        x = nn.functional.dropout(x, self.activation_dropout, self.training)
        return nn.functional.dropout(x, self.dropout, self.training)


def with_enable(network):
    network.activation_checkpointing_enable = lambda kwargs: None
    return network


def test_layers_that_drop_out_by_themselves_do_not():
    network = with_enable(nn.Sequential(OwnDropout()).eval())
    with Recompute(network, ActiveBanks())():
        assert network[0].training
        assert torch.equal(network(torch.ones(50)), torch.ones(50))
    assert not network[0].training


def test_a_network_without_such_layers_is_refused():
    with pytest.raises(UsageError, match="gradient_checkpointing: Linear does not support it"):
        Recompute(nn.Linear(2, 2), ActiveBanks())
