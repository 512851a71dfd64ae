"""Training steps of TRL's RLOOTrainer with one LoRA, for `speed.py`, which starts this script.

It runs in an environment with TRL and without this project. Each line on stdin asks for one step:
sampling `generations` answers per prompt and one update. The answer on stdout is the memory in MB
that the step took at its peak, or `nan`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peak_memory import begin_peak, peak
from peft import LoraConfig
from transformers import AutoTokenizer, TrainerCallback
from trl import RLOOConfig, RLOOTrainer


class StepByStep(TrainerCallback):  # type: ignore[misc]
    """Wait for a line before each step, and answer it afterwards."""

    def __init__(self) -> None:
        self.answers = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # whatever else is printed goes to stderr
        self.held: float | None = None

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        if not sys.stdin.readline():
            sys.exit()
        self.held = begin_peak()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        used = math.nan if self.held is None else peak() - self.held
        print(used, file=self.answers, flush=True)


def main() -> None:
    """Train until stdin is closed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="model, tokenizer and prompts.json")
    parser.add_argument("--generations", type=int, required=True)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    prompts = json.loads((args.folder / "prompts.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        trainer(args, prompts, folder).train()


def trainer(args: argparse.Namespace, prompts: list[str], folder: str) -> RLOOTrainer:
    """A trainer whose batches are all prompts; the other settings are TRL's defaults."""
    config = RLOOConfig(
        output_dir=folder,
        max_steps=10**6,
        learning_rate=1e-4,
        per_device_train_batch_size=len(prompts) * args.generations,
        num_generations=args.generations,
        max_completion_length=args.tokens,
        generation_kwargs={"min_new_tokens": args.tokens},
        gradient_checkpointing=False,
        model_init_kwargs={"dtype": args.dtype},
        bf16=args.dtype == "bfloat16",
        use_cpu=args.device == "cpu",
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    tokenizer = AutoTokenizer.from_pretrained(args.folder, padding_side="left")
    lora = LoraConfig(r=args.rank, lora_alpha=2 * args.rank, target_modules="all-linear")
    return RLOOTrainer(
        model=str(args.folder),
        reward_funcs=lambda completions, **_: [random.random() for _ in completions],
        args=config,
        train_dataset=Dataset.from_list([{"prompt": text} for text in prompts]),
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[StepByStep()],
    )


if __name__ == "__main__":
    main()
