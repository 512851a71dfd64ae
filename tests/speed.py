"""Speed claims as ratios measured in one run: `make speed [MODEL=folder]`.

What is compared is sampling a whole grid: 21 preferences x 16 prompts x 32 tokens under three
rank-8 banks on all linear layers. Rounds are interleaved and medians taken, so that a machine whose
speed drifts slows every side alike.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from paretosteer.benchmarks.stories.openings import prompts as openings
from paretosteer.policies.conditioning import Banks, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.simplex import lattice
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel, load_model
from paretosteer.text.policy import TextPolicy
from paretosteer.text.read_peft import write_adapter
from paretosteer.text.samples import Prompt

PROMPTS, TOKENS, BANKS, RANK = 16, 32, 3, 8


def main() -> None:
    """Print both ratios with the hardware."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--model", help="a Hugging Face folder; without it an untrained small Llama"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    device, dtype = torch.device(args.device), getattr(torch, args.dtype)
    model = load_model(args.model, device, dtype) if args.model else small_llama(device, dtype)
    # Every row writes all its tokens on every side: an end token would make the work differ.
    model.network.generation_config.eos_token_id = model.tokenizer.eos_token = None
    sides = contestants(model)
    taken = measure(sides, args.rounds)
    report(model, device, args.dtype, {name: statistics.median(t) for name, t in taken.items()})


def small_llama(device: torch.device, dtype: torch.dtype) -> LanguageModel:
    """A Llama of 260,000 untrained weights: speed does not depend on what they say."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from paretosteer.benchmarks.stories.tokenizer import build_tokenizer

    tokenizer = build_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=172,
        num_hidden_layers=5,
        num_attention_heads=8,
        num_key_value_heads=4,
    )
    network = LlamaForCausalLM(config).to(device, dtype).eval().requires_grad_(False)
    return LanguageModel(network, tokenizer, "untrained 5-layer Llama")


def contestants(model: LanguageModel) -> dict[str, Callable[[], object]]:
    """Four ways to write the same number of tokens."""
    prompts = [Prompt(p.id, p.text) for p in openings("test")[:PROMPTS]]
    grid = lattice(3)  # (21, 3)
    policy = TextPolicy(model, Banks(BANKS, RANK, 16.0), Decoding(TOKENS), seed=0)
    for layer in policy.layers.values():
        for b in layer.B:
            torch.nn.init.normal_(b, std=0.02)
    start = TextPolicy(model, Unconditioned(), Decoding(TOKENS), seed=0)
    rows = prompts * len(grid)
    control = Control.soup(np.repeat(grid, PROMPTS, axis=0))
    return {
        "batched": lambda: policy.sample(rows, control, 0, [0] * len(rows)),
        "start": lambda: start.sample(rows, Control.start(len(rows)), 0, [0] * len(rows)),
        "generate": lambda: plain_generate(model, rows),
        "peft": merged_one_by_one(model, policy, prompts, grid),
    }


@torch.no_grad()
def plain_generate(model: LanguageModel, rows: list[Prompt]) -> None:
    """The start model as most would run it: transformers' own loop, the whole batch at once."""
    batch = model.tokenizer([p.text for p in rows], return_tensors="pt", padding=True)
    inputs = {key: batch[key].to(model.network.device) for key in ("input_ids", "attention_mask")}
    model.network.generate(
        **inputs, do_sample=True, max_new_tokens=TOKENS, min_new_tokens=TOKENS, top_k=0
    )


def merged_one_by_one(
    model: LanguageModel, policy: TextPolicy, prompts: list[Prompt], grid: np.ndarray
) -> Callable[[], None]:
    """PEFT: mix the adapters for a preference (`cat`, the exact way), generate, next preference."""
    import copy

    from peft import PeftModel

    network = copy.deepcopy(model.network)
    with tempfile.TemporaryDirectory() as folder:
        for i in range(BANKS):
            write_adapter(policy, torch.eye(BANKS)[i], Path(folder) / str(i), base="start")
        peft = PeftModel.from_pretrained(network, Path(folder) / "0", adapter_name="0")
        for i in range(1, BANKS):
            peft.load_adapter(Path(folder) / str(i), adapter_name=str(i))
    names = [str(i) for i in range(BANKS)]
    batch = model.tokenizer([p.text for p in prompts], return_tensors="pt", padding=True).to(
        policy.device
    )
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}

    @torch.no_grad()
    def run() -> None:
        for mu in grid:
            peft.add_weighted_adapter(names, mu.tolist(), "mixed", combination_type="cat")
            peft.set_adapter("mixed")
            peft.generate(**inputs, do_sample=True, max_new_tokens=TOKENS, min_new_tokens=TOKENS)
            peft.set_adapter("0")
            peft.delete_adapter("mixed")

    return run


def measure(sides: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every side in every round, after one round that is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for round_ in range(rounds + 1):
        for name, run in sides.items():
            began = time.perf_counter()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if round_:
                taken[name].append(time.perf_counter() - began)
        print(f"round {round_}/{rounds}", file=sys.stderr, flush=True)
    return taken


def report(
    model: LanguageModel, device: torch.device, dtype: str, seconds: dict[str, float]
) -> None:
    """Print the ratios, and what they were measured on."""
    tokens = 21 * PROMPTS * TOKENS
    chip = torch.cuda.get_device_name() if device.type == "cuda" else processor()
    threads = torch.get_num_threads()
    print(f"{model.name}, {dtype}, {chip}, {threads} threads, torch {torch.__version__}")
    for name, label in (
        ("batched", "all preferences in one batch"),
        ("start", "plain start model, same loop"),
        ("generate", "plain start model, generate()"),
        ("peft", "PEFT, one preference at a time"),
    ):
        print(f"  {label:32s} {seconds[name]:8.3f} s {tokens / seconds[name]:10.0f} tokens/s")
    faster, share = seconds["peft"] / seconds["batched"], seconds["start"] / seconds["batched"]
    print(f"one batch against PEFT one by one: {faster:.1f} times as fast")
    print(f"share of the plain start model's tokens per second, same loop: {share:.0%}")
    share = seconds["generate"] / seconds["batched"]
    print(f"share of the plain start model's tokens per second, generate(): {share:.0%}")


def processor() -> str:
    """The CPU's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(x.split(":")[1].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
