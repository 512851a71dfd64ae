"""The output head reads contiguous hidden states, and a small model in float32 scores as before."""

import copy

import pytest
import torch

from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.text import output_head
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt

PROMPTS = [Prompt("a", "Once upon a time, there was Lily."), Prompt("b", "One day,")]
CONTROL = Control.soup([[0.3, 0.9], [1.0, 0.0]])


def policy_of(model, dtype):
    network = copy.deepcopy(model.network).to(dtype)
    return TextPolicy(
        LanguageModel(network, model.tokenizer, "m"), Banks(2, 2, 4.0), Decoding(6), 0
    )


def inputs_of_head(policy):
    """Contiguity of every input of the head while two answers are written and scored."""
    seen = []
    head = policy.network.get_output_embeddings()
    head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].is_contiguous()))
    samples = policy.sample(PROMPTS, CONTROL, 0, [0, 0])
    policy.log_probs(samples, CONTROL).sum().backward()
    return seen


def test_half_precision_reads_contiguous_states(model):
    assert all(inputs_of_head(policy_of(model, torch.bfloat16)))


def test_large_float32_heads_read_contiguous_states(model, monkeypatch):
    monkeypatch.setattr(output_head, "_LARGE", 1)
    assert all(inputs_of_head(policy_of(model, torch.float32)))


def test_small_float32_heads_keep_their_rounding(model):
    assert not all(inputs_of_head(policy_of(model, torch.float32)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scores_do_not_change(model, dtype):
    results = []
    for hooked in (True, False):
        policy = policy_of(model, dtype)
        if not hooked:
            policy.network.get_output_embeddings()._forward_pre_hooks.clear()
        samples = policy.sample(PROMPTS, CONTROL, 0, [0, 0])
        with torch.no_grad():
            results.append((samples.log_probs, policy.log_probs(samples, CONTROL)))
    for found, expected in zip(*results, strict=True):
        assert torch.equal(found, expected)
