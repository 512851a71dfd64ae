"""Small models of four architectures, untrained but real, and a word tokenizer."""

import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from paretosteer.benchmarks.stories.tokenizer import build_tokenizer
from paretosteer.text.model import LanguageModel

CAUSAL = ["llama", "tied", "gpt2"]
ENCODER_DECODERS = ["t5", "t5-1.1", "bart"]


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


def tiny_encoder_decoder(kind: str, tokenizer):
    """T5 as first published, T5 1.1 (gated, head of its own), or BART; layers differ in number."""
    torch.manual_seed(0)
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    if kind == "bart":
        config = BartConfig(
            vocab_size=len(tokenizer),
            d_model=16,
            encoder_layers=1,
            decoder_layers=2,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=24,
            decoder_ffn_dim=24,
            max_position_embeddings=128,
            decoder_start_token_id=tokenizer.eos_token_id,
            forced_eos_token_id=None,
            init_std=0.3,
            **ids,
        )
        return BartForConditionalGeneration(config)
    newer = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=16,
        d_kv=4,
        d_ff=24,
        num_layers=2,
        num_decoder_layers=3,
        num_heads=2,
        relative_attention_num_buckets=8,
        decoder_start_token_id=tokenizer.pad_token_id,
        initializer_factor=1.0,
        **ids,
        **(newer if kind == "t5-1.1" else {}),
    )
    network = T5ForConditionalGeneration(config)
    if kind == "t5-1.1":  # as its checkpoints have it
        network.lm_head.weight = torch.nn.Parameter(torch.randn_like(network.lm_head.weight))
    return network


def tiny_model(kind: str) -> LanguageModel:
    tokenizer = build_tokenizer()
    if kind in ENCODER_DECODERS:
        network = tiny_encoder_decoder(kind, tokenizer)
    else:
        network = tiny_network(kind, len(tokenizer))
    return LanguageModel(network.eval().requires_grad_(False), tokenizer, kind)
