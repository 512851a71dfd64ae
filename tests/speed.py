"""Speed claims as ratios measured in one run: `make speed`.

`MODEL=folder`, `ENGINE=vllm` and `OPTIONS="--dtype bfloat16"` are optional.

What is compared is sampling a whole grid: 21 preferences x 16 prompts x 32 tokens under three
rank-8 banks on all linear layers. Rounds are interleaved and medians taken, so that a machine whose
speed drifts slows every side alike.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from peak_memory import begin_peak, peak
from torch import Tensor

from paretosteer.benchmarks.stories.openings import prompts as openings
from paretosteer.policies.conditioning import Banks, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.simplex import lattice
from paretosteer.sweeps.compose import compose_cell
from paretosteer.text.engines.vllm_engine import VLLM
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel, load_model
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt
from paretosteer.text.write_peft import write_adapter

BANKS, RANK = 3, 8
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Side:
    """One way to write or to train: `run` returns the number of response tokens.

    `memory` returns the MB that the latest run took at its peak in another process.
    """

    label: str
    run: Callable[[], int]
    memory: Callable[[], float | None] | None = None


@dataclass(frozen=True)
class Speed:
    """Median tokens per second, and the memory in MB that a run took at its peak."""

    label: str
    rate: float
    memory: float | None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every side and print the ratios with the hardware."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--model", help="a Hugging Face folder or a GGUF file; without it an untrained small Llama"
    )
    parser.add_argument("--engine", default="native", help="compare it with our own loop")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="float32", choices=DTYPES)
    parser.add_argument("--threads", type=int, help="CPU threads of torch")
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trl", help="Python of an environment with TRL; without it, not compared")
    args = parser.parse_args(arguments)
    if args.threads:
        torch.set_num_threads(args.threads)
    device, dtype = torch.device(args.device), DTYPES[args.dtype]
    model = load_model(args.model, device, dtype) if args.model else small_llama(device, dtype)
    prompts = [Prompt(p.id, p.text) for p in openings("test")[: args.prompts]]
    compared = sides(model, prompts, args.tokens)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        if args.trl:
            training = trl_training(args.trl, model, prompts, args.tokens)
            compared["trl"] = stack.enter_context(training)
        if args.engine != "native":
            engine = stack.enter_context(started(args.engine, model, args.model, Path(folder)))
            compared[args.engine] = engine_side(args.engine, engine, model, prompts, args.tokens)
        speeds = measure(compared, args.rounds)
    report(model, device, args.dtype, speeds)
    if args.engine != "native":
        ratio = speeds[args.engine].rate / speeds["batch"].rate
        print(f"{args.engine} against one batch of our own loop: {ratio:.2f}")
    return 0


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


def sides(model: LanguageModel, prompts: list[Prompt], tokens: int) -> dict[str, Side]:
    """Ways to write the same number of tokens, or until an end token, and to train."""
    grid = lattice(3)  # (21, 3)
    rows = prompts * len(grid)
    control = Control.soup(np.repeat(grid, len(prompts), axis=0))
    start = Control.start(len(rows))
    # Every row writes all its tokens on every side: an end token would make the work differ.
    endless = without_end(model)
    policy = banked(endless, tokens)
    plain = TextPolicy(endless, Unconditioned(), Decoding(tokens), seed=0)
    natural = banked(model, tokens)
    name = "float32" if model.network.dtype == torch.bfloat16 else "bfloat16"
    cast = copy.deepcopy(endless.network).to(DTYPES[name])
    other = banked(replace(endless, network=cast), tokens)
    return {
        "batch": Side("all preferences in one batch", lambda: sampled(policy, rows, control)),
        "start": Side("plain start model, same loop", lambda: sampled(plain, rows, start)),
        "generate": Side(
            "plain start model, generate()", lambda: plain_generate(endless, rows, tokens)
        ),
        "peft": Side(
            "PEFT, one preference at a time", one_by_one(endless, policy, prompts, grid, tokens)
        ),
        "natural": Side("one batch, to the end token", lambda: sampled(natural, rows, control)),
        "natural_generate": Side(
            "generate(), to the end token", lambda: plain_generate(model, rows, tokens)
        ),
        name: Side(f"one batch, {name}", lambda: sampled(other, rows, control)),
        "training": Side("training, one step on the batch", trained(policy, rows, control)),
    }


def started(name: str, model: LanguageModel, path: str | None, folder: Path) -> VLLM:
    """Engine of this name with its default settings; it loads the model from a folder."""
    if path is None:
        path = str(folder)
        model.network.save_pretrained(path)
    network = model.network
    setting = SimpleNamespace(
        engine=compose_cell([f"engine={name}"]).engine,
        device=network.device,
        dtype=network.dtype,
        model_key=path,
    )
    return VLLM(model, path, setting, [], folder)


def engine_side(
    name: str, engine: VLLM, model: LanguageModel, prompts: list[Prompt], tokens: int
) -> Side:
    """The whole grid by an engine, log-probabilities included."""
    grid = lattice(3)
    rows = prompts * len(grid)
    control = Control.soup(np.repeat(grid, len(prompts), axis=0))
    policy = banked(without_end(model), tokens)
    engine.attach(policy, control)
    return Side(f"one batch, {name}", lambda: sampled(policy, rows, control))


def without_end(model: LanguageModel) -> LanguageModel:
    """The same model, weights shared, without tokens that end a response."""
    shared = {id(p): p for p in (*model.network.parameters(), *model.network.buffers())}
    endless = copy.deepcopy(model, shared)
    endless.network.generation_config.eos_token_id = endless.tokenizer.eos_token = None
    return endless


def banked(model: LanguageModel, tokens: int) -> TextPolicy:
    """A policy whose banks change every layer."""
    policy = TextPolicy(model, Banks(BANKS, RANK, 16.0), Decoding(tokens), seed=0)
    for layer in policy.layers.values():
        for b in layer.B:
            torch.nn.init.normal_(b, std=0.02)
    return policy


def sampled(policy: TextPolicy, rows: list[Prompt], control: Control) -> int:
    """Sample one response per row."""
    return int(policy.sample(rows, control, 0, [0] * len(rows)).mask.sum())


def trained(policy: TextPolicy, rows: list[Prompt], control: Control) -> Callable[[], int]:
    """Sample, score under the start model and with gradients, and take one step of Adam.

    The rewards are random, less a penalty on KL to the start model, as in TRL's default.
    """
    policy = copy.deepcopy(policy)
    optimiser = torch.optim.Adam([p for p in policy.network.parameters() if p.requires_grad], 1e-4)
    start = Control.start(len(rows))

    def run() -> int:
        samples = policy.sample(rows, control, 0, [0] * len(rows))
        with torch.no_grad():
            before = policy.log_probs(samples, start).sum(dim=1)  # (rows,)
        log_probs = policy.log_probs(samples, control).sum(dim=1)  # (rows,)
        kl = log_probs.detach() - before
        advantages = torch.randn(len(rows), device=policy.device) - 0.05 * kl
        optimiser.zero_grad()
        (-advantages * log_probs).mean().backward()
        optimiser.step()
        return int(samples.mask.sum())

    return run


@contextmanager
def trl_training(
    python: str, model: LanguageModel, prompts: list[Prompt], tokens: int
) -> Iterator[Side]:
    """TRL's RLOOTrainer on the same model and number of rows, in a process of another Python."""
    network, generations = model.network, len(lattice(3))
    arguments = {
        "generations": generations,
        "tokens": tokens,
        "rank": RANK,
        "dtype": str(network.dtype).removeprefix("torch."),
        "device": network.device.type,
        "threads": torch.get_num_threads(),
    }
    flags = [text for name, value in arguments.items() for text in (f"--{name}", str(value))]
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
        texts = json.dumps([prompt.text for prompt in prompts])
        (Path(folder) / "prompts.json").write_text(texts, encoding="utf-8")
        script = Path(__file__).with_name("speed_trl.py")
        with subprocess.Popen(
            [python, str(script), folder, *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin and process.stdout
            used = math.nan

            def run() -> int:
                nonlocal used
                with suppress(BrokenPipeError):
                    print(file=process.stdin, flush=True)
                answer = process.stdout.readline()
                if not answer:
                    raise SystemExit(f"{script.name} ended early; its error is above")
                used = float(answer)
                return len(prompts) * generations * tokens

            try:
                yield Side(
                    "training, TRL's RLOOTrainer", run, lambda: None if math.isnan(used) else used
                )
            finally:
                with suppress(BrokenPipeError):
                    process.stdin.close()


@torch.no_grad()
def plain_generate(model: LanguageModel, rows: list[Prompt], tokens: int) -> int:
    """The start model as most would run it: transformers' own loop, the whole batch at once."""
    inputs, ends = read(model, rows), list(model.ends)
    least = {} if ends else {"min_new_tokens": tokens}
    ids = model.network.generate(
        **inputs,
        do_sample=True,
        max_new_tokens=tokens,
        top_k=0,
        eos_token_id=ends or None,
        pad_token_id=model.tokenizer.pad_token_id,
        **least,
    )[:, inputs["input_ids"].shape[1] :]
    ended = torch.isin(ids, ids.new_tensor(ends)).cumsum(dim=1)
    ended[:, 1:] = ended[:, :-1].clone()  # the end token itself is written
    ended[:, 0] = 0
    return int((ended == 0).sum())


def read(model: LanguageModel, prompts: list[Prompt]) -> dict[str, Tensor]:
    """Padded prompts on the model's device."""
    batch = model.tokenizer([p.text for p in prompts], return_tensors="pt", padding=True)
    return {key: batch[key].to(model.network.device) for key in ("input_ids", "attention_mask")}


def one_by_one(
    model: LanguageModel, policy: TextPolicy, prompts: list[Prompt], grid: np.ndarray, tokens: int
) -> Callable[[], int]:
    """PEFT: mix the adapters for a preference (`cat`, the exact way), generate, next preference."""
    from peft import PeftModel

    network = copy.deepcopy(model.network)
    with tempfile.TemporaryDirectory() as folder:
        for i in range(BANKS):
            write_adapter(policy, torch.eye(BANKS)[i], Path(folder) / str(i), base="start")
        peft = PeftModel.from_pretrained(network, Path(folder) / "0", adapter_name="0")
        for i in range(1, BANKS):
            peft.load_adapter(Path(folder) / str(i), adapter_name=str(i))
    names = [str(i) for i in range(BANKS)]
    inputs = read(model, prompts)

    @torch.no_grad()
    def run() -> int:
        for mu in grid:
            peft.add_weighted_adapter(names, mu.tolist(), "mixed", combination_type="cat")
            peft.set_adapter("mixed")
            peft.generate(
                **inputs,
                do_sample=True,
                max_new_tokens=tokens,
                min_new_tokens=tokens,
                pad_token_id=model.tokenizer.pad_token_id,
            )
            peft.set_adapter("0")
            peft.delete_adapter("mixed")
        return len(grid) * len(prompts) * tokens

    return run


def measure(sides: dict[str, Side], rounds: int) -> dict[str, Speed]:
    """Speed of every side; its memory is that of a first round, whose seconds do not count."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    memory: dict[str, float | None] = {}
    for round_ in range(rounds + 1):
        for name, side in sides.items():
            held = None if round_ else begin_peak()
            began = time.perf_counter()
            tokens = side.run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if round_:
                rates[name].append(tokens / (time.perf_counter() - began))
            else:
                own = None if held is None else peak() - held
                memory[name] = side.memory() if side.memory else own
        print(f"round {round_}/{rounds}", file=sys.stderr, flush=True)
    return {
        name: Speed(side.label, statistics.median(rates[name]), memory[name])
        for name, side in sides.items()
    }


def report(
    model: LanguageModel, device: torch.device, dtype: str, speeds: dict[str, Speed]
) -> None:
    """Print the ratios, and what they were measured on."""
    chip = torch.cuda.get_device_name() if device.type == "cuda" else processor()
    threads = torch.get_num_threads()
    print(f"{model.name}, {dtype}, {chip}, {threads} threads, torch {torch.__version__}")
    for speed in speeds.values():
        used = "" if speed.memory is None else f" {speed.memory:8.0f} MB more at the peak"
        print(f"  {speed.label:32s} {speed.rate:10.0f} tokens/s{used}")
    rate = {name: speed.rate for name, speed in speeds.items()}
    other = next(name for name in speeds if name in DTYPES)
    print(f"one batch against PEFT one by one: {rate['batch'] / rate['peft']:.2f} times as fast")
    print(f"one batch against generate(): {rate['batch'] / rate['generate']:.2f}")
    print(
        f"one batch against the plain start model, same loop: {rate['batch'] / rate['start']:.2f}"
    )
    ended = rate["natural"] / rate["natural_generate"]
    print(f"one batch against generate(), to the end token: {ended:.2f}")
    print(f"{other} against {dtype}, one batch: {rate[other] / rate['batch']:.2f}")
    if "trl" in rate:
        print(f"training against TRL's RLOOTrainer: {rate['training'] / rate['trl']:.2f}")
    else:
        print("training against TRL's RLOOTrainer: not measured; set --trl")


def processor() -> str:
    """The CPU's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(x.split(":")[1].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
