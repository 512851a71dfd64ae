"""Small models of two architectures, untrained but real, and a word tokenizer."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from paretosteer.benchmarks.stories.tokenizer import build_tokenizer
from paretosteer.text.model import LanguageModel


def tiny_network(kind: str, vocabulary: int):
    torch.manual_seed(0)
    if kind == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(vocab_size=vocabulary, n_positions=128, n_embd=16, n_layer=2, n_head=2)
        )
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=128,
            tie_word_embeddings=kind == "tied",
        )
    )


@pytest.fixture(params=["llama", "tied", "gpt2"])
def model(request):
    tokenizer = build_tokenizer()
    network = tiny_network(request.param, len(tokenizer)).eval().requires_grad_(False)
    return LanguageModel(network, tokenizer, request.param)


@pytest.fixture
def llama():
    tokenizer = build_tokenizer()
    network = tiny_network("llama", len(tokenizer)).eval().requires_grad_(False)
    return LanguageModel(network, tokenizer, "llama")
