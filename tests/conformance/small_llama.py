"""A small start model in a folder, and two adapters of it."""

from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from paretosteer.benchmarks.stories.tokenizer import build_tokenizer


def write_llama(folder: Path) -> Path:
    """An untrained Llama with the tokenizer of the stories."""
    tokenizer = build_tokenizer()
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=128,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def adapters_of(model: Path, place: Path) -> list[Path]:
    """Two PEFT LoRA folders with random factors."""
    folders = [place / "one", place / "two"]
    for seed, folder in enumerate(folders):
        torch.manual_seed(seed)
        network = get_peft_model(
            AutoModelForCausalLM.from_pretrained(model),
            LoraConfig(r=3, target_modules=["q_proj", "up_proj"]),
        )
        for name, p in network.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(p, std=0.3)
        network.save_pretrained(folder)
    return folders
