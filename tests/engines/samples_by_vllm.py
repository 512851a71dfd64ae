"""Samples that a real vLLM writes: `make test-vllm`, in an environment of its own.

`MODEL=folder` uses that model; otherwise an untrained small one, whose heads are narrower than
those of vLLM's kernels.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from engine_settings import engine_setting
from tiny_text import PROMPTS, tiny_llama

from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Banks, Conditioning, Features, PromptText, TiedBanks
from paretosteer.policies.control import Control
from paretosteer.policies.prompt_tuning import prompt_tuning
from paretosteer.simplex import lattice
from paretosteer.text.engines.vllm_engine import VLLM, randomise
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel, load_model
from paretosteer.text.policy import TextPolicy
from paretosteer.text.sampler import NativeSampler, Responses, Sampler

SAMPLED = Decoding(24, min_new_tokens=2)
ENOUGH = 0.95  # share of tokens up to the first difference
BANKS = Banks(3, 8, 16.0)
GRID = Control.soup(lattice(3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the model."""
    if given := os.environ.get("MODEL"):
        return Path(given)
    model, folder = tiny_llama(), tmp_path_factory.mktemp("model")
    model.network.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> LanguageModel:
    torch.set_num_threads(1)
    return load_model(str(folder), torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def engine(
    model: LanguageModel, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VLLM]:
    """One vLLM with room for everything below; its check compares it with the model first."""
    log = tmp_path_factory.mktemp("cell")
    with VLLM(model, str(folder), engine_setting(rollouts=True), PROMPTS, log) as engine:
        engine.check(steered(model, Features(3, 4, 16, 24, 24.0)), Control.features(lattice(3)))
        engine.check(steered(model, BANKS), GRID)
        yield engine
        assert "vllm" in engine.log.read_text().lower()


def steered(model: LanguageModel, conditioning: Conditioning) -> TextPolicy:
    """A policy whose banks change every layer."""
    policy = TextPolicy(model, conditioning, SAMPLED, seed=0)
    randomise(policy)
    return policy


def rows(count: int) -> tuple[list, list[int]]:
    """Prompts and sample numbers."""
    chosen = [PROMPTS[i % len(PROMPTS)] for i in range(count)]
    return chosen, [i // len(PROMPTS) for i in range(count)]


def texts(responses: Responses) -> list[list[int]]:
    pairs = zip(responses.tokens, responses.mask, strict=True)
    return [ids[keep].tolist() for ids, keep in pairs]


def shared(one: Responses, other: Responses) -> float:
    """Share of tokens up to the first difference of each sample."""
    same = total = 0
    for a, b in zip(texts(one), texts(other), strict=True):
        pairs = list(zip(a, b, strict=False))
        same += next((i for i, (x, y) in enumerate(pairs) if x != y), len(pairs))
        total += max(len(a), len(b))
    return same / total


@pytest.mark.parametrize(
    ("conditioning", "control", "decoding"),
    [
        (BANKS, GRID.take(torch.arange(21).repeat(2)), SAMPLED),
        (BANKS, Control.soup([[1.5, -0.7, 0.2], [0, 0, 0], [-0.3, 1, 0.3]]), SAMPLED),
        (BANKS, GRID, replace(SAMPLED, temperature=0.7, top_k=20)),
        (BANKS, GRID, replace(SAMPLED, temperature=0.0)),
        (BANKS, Control.bank([0, 1, 2, 1]), SAMPLED),
        (BANKS, Control.start(6), SAMPLED),
        (TiedBanks(3, 4, 8.0, always_on=4), GRID, SAMPLED),
        (PromptText(8, 8.0), Control.text(["kind: 0.3. ", "kind: 0.7. "] * 3), SAMPLED),
        (Features(3, 4, 16, 8, 8.0), Control.features(lattice(3)), SAMPLED),
        (prompt_tuning(4)(3, 8, 8.0), Control.bank([0, 1, 2, 1]), SAMPLED),
    ],
    ids=[
        *("grid", "negative", "top_k", "greedy", "bank", "start"),
        *("tied", "text", "features", "prompt_tuning"),
    ],
)
def test_samples_are_those_of_our_own_loop(
    model: LanguageModel,
    engine: VLLM,
    conditioning: Conditioning,
    control: Control,
    decoding: Decoding,
) -> None:
    policy = steered(model, conditioning)
    prompts, numbers = rows(control.rows)
    written = engine.sampler(policy)(prompts, control, 3, numbers, decoding)
    own = NativeSampler(policy)(prompts, control, 3, numbers, decoding)
    assert (share := shared(written, own)) >= ENOUGH, share
    width = min(written.mask.shape[1], own.mask.shape[1])
    if texts(written) == texts(own):
        torch.testing.assert_close(
            written.log_probs[:, :width], own.log_probs[:, :width], atol=1e-4, rtol=1e-3
        )


def test_samples_depend_on_neither_batch_nor_order(model: LanguageModel, engine: VLLM) -> None:
    policy = steered(model, BANKS)
    write = engine.sampler(policy)
    prompts, numbers = rows(GRID.rows)
    whole = texts(write(prompts, GRID, 0, numbers, SAMPLED))
    order = torch.arange(GRID.rows).flip(0)
    back = texts(
        write(prompts[::-1], GRID.take(order), 0, numbers[::-1], SAMPLED),
    )[::-1]
    parts = [
        text
        for some in order.flip(0).split(5)
        for text in texts(
            write(
                [prompts[i] for i in some],
                GRID.take(some),
                0,
                [numbers[i] for i in some],
                SAMPLED,
            )
        )
    ]
    for other in (back, parts):
        assert sum(a == b for a, b in zip(whole, other, strict=True)) >= ENOUGH * len(whole)
    assert texts(write(prompts, GRID, 1, numbers, SAMPLED)) != whole  # another seed


def timed(sampler: Sampler, prompts: list, numbers: list[int]) -> tuple[float, Responses]:
    """Seconds of one call, and its responses."""
    began = time.perf_counter()
    responses = sampler(prompts, GRID, 0, numbers, SAMPLED)
    return time.perf_counter() - began, responses


def test_changed_weights_are_handed_over(model: LanguageModel, engine: VLLM) -> None:
    policy = steered(model, BANKS)
    prompts, numbers = rows(GRID.rows)
    before = engine.sampler(policy)(prompts, GRID, 0, numbers, SAMPLED)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(-1.5)
    new, after = timed(engine.sampler(policy), prompts, numbers)
    held, _ = timed(engine.sampler(policy), prompts, numbers)
    native, own = timed(NativeSampler(policy), prompts, numbers)
    print(
        f"\n21 responses under 21 adapters of rank 24: {new:.2f} s with new adapters, {held:.2f} s "
        f"with adapters held, {native:.2f} s by our own loop"
    )
    assert shared(after, own) >= ENOUGH > shared(after, before)


def test_its_process_ends(model: LanguageModel, folder: Path, engine: VLLM, tmp_path: Path) -> None:
    """After an error inside the block, as after Ctrl-C; the engine starts again when needed."""
    process = engine._process
    assert process is not None
    alive = psutil.Process(process._process.pid)
    engine.close()
    assert not alive.is_running()
    assert engine._process is None
    missing = VLLM(model, str(tmp_path), engine_setting(), PROMPTS, tmp_path)
    with missing, pytest.raises(UsageError, match=r"vLLM does not start.*engine\.log"):
        missing.check(steered(model, BANKS), GRID)
