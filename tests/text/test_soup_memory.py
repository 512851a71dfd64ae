"""Memory of the policy of a 7B model's soup, counted on the `meta` device."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from paretosteer.policies.banks import BankedLinear
from paretosteer.policies.conditioning import Banks
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel
from paretosteer.text.policy import TextPolicy

GB = 10**9
WIDTH, INNER, LAYERS, VOCABULARY, RANK = 4096, 11008, 32, 32000, 64
ATTENTION, PERCEPTRON = 4 * 2 * WIDTH, 3 * (WIDTH + INNER)  # in + out of a block's matrices
BANK = RANK * LAYERS * (ATTENTION + PERCEPTRON)  # weights of one bank on all linear layers
MODEL = (
    LAYERS * (4 * WIDTH**2 + 3 * WIDTH * INNER + 2 * WIDTH) + 2 * VOCABULARY * WIDTH + WIDTH
)  # 6.74 billion


@pytest.fixture(scope="module")
def llama_7b():
    config = LlamaConfig(  # the defaults are those of the first 7B
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=32,
        dtype=torch.bfloat16,
    )
    with torch.device("meta"):
        network = LlamaForCausalLM(config).to(torch.bfloat16)
    return LanguageModel(network.eval().requires_grad_(False), None, "7B")


@pytest.fixture(autouse=True)
def _nothing_drawn(monkeypatch):
    """The values of the banks do not matter here, and drawing them takes seconds."""
    monkeypatch.setattr(BankedLinear, "initialise", lambda layer, generator: None)


def held(*networks):
    """Bytes of all different tensors of the networks."""
    tensors = {id(p): p for n in networks for p in (*n.parameters(), *n.buffers())}
    assert all(p.is_meta for p in tensors.values())
    return sum(p.nbytes for p in tensors.values())


@pytest.mark.parametrize("objectives", [2, 3])
def test_a_soup_is_one_model_and_its_banks(llama_7b, objectives):
    model = held(llama_7b.network)
    assert sum(p.numel() for p in llama_7b.network.parameters()) == MODEL == 6_738_415_616
    assert model == pytest.approx(13.5 * GB, rel=0.01)
    policy = TextPolicy(llama_7b, Banks(objectives, RANK, 2.0 * RANK), Decoding(128), seed=0)
    assert len(policy.layers) == 7 * LAYERS
    banks = held(llama_7b.network, policy.network) - model
    assert banks == objectives * BANK * 4  # float32: what Adam's steps need
    assert sum(p.numel() for p in policy.parameters(0)) == BANK == 159_907_840
    assert banks < 0.15 * model


def test_stacks_for_sampling_are_half_as_large_as_their_banks(llama_7b):
    policy = TextPolicy(llama_7b, Banks(3, RANK, 2.0 * RANK), Decoding(128), seed=0)
    policy.active.frozen = True
    stacks = [x for layer in policy.layers.values() for x in layer._stacked()]
    assert sum(x.nbytes for x in stacks) == 3 * BANK * 2  # in the model's own bfloat16


def test_all_that_trains_a_soup_of_three_fits_beside_one_model(llama_7b):
    """Weights, gradients, Adam's two moments and the stacks for sampling: under one more model."""
    policy = TextPolicy(llama_7b, Banks(3, RANK, 2.0 * RANK), Decoding(128), seed=0)
    banks = sum(p.nbytes for p in policy.parameters())
    one = sum(p.nbytes for p in policy.parameters(0))
    assert 3 * one == banks
    everything = banks + 3 * one + banks // 2  # one bank trains at a time
    assert everything < held(llama_7b.network) / 2
    assert held(llama_7b.network) + everything < 24 * GB


def test_two_policies_of_one_model_share_it(llama_7b):
    policies = [TextPolicy(llama_7b, Banks(2, RANK, 1.0), Decoding(8), seed) for seed in (0, 1)]
    together = held(llama_7b.network, *(policy.network for policy in policies))
    assert together == held(llama_7b.network) + 4 * BANK * 4
