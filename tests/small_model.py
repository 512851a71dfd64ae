"""A small start model in a folder, and adapters of it as PEFT writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from tiny_models import tiny_encoder_decoder
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
)

from paretosteer.benchmarks.stories.tokenizer import build_tokenizer

# Two prompts, two points of the grid: what a cell is made of, not what it measures.
SMALL = [
    *("budget=smoke", "budget.test_prompts=2", "preferences.divisions=2", "device=cpu"),
    *("benchmark.max_new_tokens=8", "benchmark.min_new_tokens=0", "budget.pool_samples=4"),
    *("budget.validation_prompts=2", "budget.calibration_samples=2"),
]


def errors(told: str) -> list[str]:
    """Own lines of a command on standard error, without progress bars of other libraries."""
    return [line for line in told.splitlines() if line.startswith("paretosteer: ")]


def write_model(folder: Path, width: int = 16, tied: bool = False) -> Path:
    """An untrained Llama with the tokenizer of the stories."""
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=128,
            tie_word_embeddings=tied,
            initializer_range=0.2,
        )
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_encoder_decoder(folder: Path) -> Path:
    """An untrained T5 with the tokenizer of the stories."""
    tokenizer = build_tokenizer()
    tiny_encoder_decoder("t5", tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_lora(folder: Path, model: Path, seed: int = 0, **settings: Any) -> Path:
    """A PEFT LoRA with random factors."""
    torch.manual_seed(seed)
    settings = {"r": 3, "target_modules": ["q_proj", "up_proj"]} | settings
    network = get_peft_model(AutoModelForCausalLM.from_pretrained(model), LoraConfig(**settings))
    for name, p in network.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(p, std=0.3)
    network.save_pretrained(folder)
    return folder
