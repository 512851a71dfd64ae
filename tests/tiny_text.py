"""An untrained language model, its prompts and its decoding."""

from __future__ import annotations

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from paretosteer.benchmarks.stories.tokenizer import build_tokenizer
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel
from paretosteer.text.samples import Prompt

PROMPTS = [
    Prompt("a", "Once upon a time, there was a little girl named Lily."),
    Prompt("b", "One day,"),
    Prompt("c", "Tom was a small bear. He went for a walk in the park."),
]
DECODING = Decoding(8, min_new_tokens=2)


def tiny_llama() -> LanguageModel:
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    network = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=128,
        )
    )
    return LanguageModel(network.eval().requires_grad_(False), tokenizer, "tiny")
