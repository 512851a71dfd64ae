"""Rows answered at once: estimated, halved when memory runs out, and no concern of the samples."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from transformers import BartConfig, GPT2Config, LlamaConfig, Qwen2Config, T5Config

from paretosteer.benchmarks.bandit.policy import BanditPolicy
from paretosteer.cells.plan import plan_cell
from paretosteer.cells.runner import run_cell
from paretosteer.policies.conditioning import Banks, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.runtime.batch_size import MOST, EvalRows, free_bytes, rows_that_fit
from paretosteer.sweeps.compose import compose_cell
from paretosteer.text.generate import Decoding
from paretosteer.text.policy import TextPolicy
from paretosteer.text.row_bytes import row_bytes
from paretosteer.text.samples import Prompt
from paretosteer.tracking.tracker import NoTracker
from paretosteer.training.rollout import roll_out

PROMPTS = [Prompt(str(i), text) for i, text in enumerate(["Lily ran", "Once upon a time", "Tom"])]
CONTROL = Control.soup([[1.0, 0.0], [0.3, 0.7], [-0.2, 1.2]])


def work_with(room, tried, error=torch.cuda.OutOfMemoryError):
    """Work that runs out of memory above `room` rows, as a GPU would."""

    def work(start, stop):
        tried.append(stop - start)
        if stop - start > room:
            raise error("CUDA out of memory. Tried to allocate 1.00 GiB")
        return range(start, stop)

    return work


def test_rows_are_a_power_of_two_within_half_of_memory():
    assert [rows_that_fit(10, free) for free in (10, 79, 80, 159, 160)] == [1, 2, 4, 4, 8]
    assert rows_that_fit(0, 10**9) == rows_that_fit(1, 10**9) == MOST
    assert rows_that_fit(10**12, 10**9) == 1


def test_rows_are_halved_until_they_fit_and_stay_so():
    said, tried = [], []
    rows = EvalRows(None, say=said.append)
    found = list(rows.batches(300, 0, work_with(100, tried)))
    assert tried == [512, 256, 128, 64, 64, 64, 64, 64]
    assert [i for part in found for i in part if i < 300] == list(range(300))
    assert said[0] == "out of memory at 512 rows at once, continuing with 256"
    assert rows.used == 64
    tried.clear()
    list(rows.batches(64, 0, work_with(100, tried)))
    assert tried == [64]


def test_memory_that_runs_out_later_halves_only_what_is_left():
    starts = []

    def work(start, stop):
        starts.append((start, stop))
        if start >= 512 and stop - start > 200:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return start

    assert list(EvalRows(None).batches(700, 0, work)) == [0, 512, 640]
    assert starts == [(0, 512), (512, 1024), (512, 768), (512, 640), (640, 768)]


def test_the_cpu_allocator_also_runs_out():
    tried = []
    message = "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you …"

    def work(start, stop):
        tried.append(stop - start)
        if stop - start > 256:
            raise RuntimeError(message)

    list(EvalRows(None).batches(10, 0, work))
    assert tried == [512, 256]


def test_a_given_number_is_kept_and_its_failure_shown():
    tried = []
    with pytest.raises(torch.cuda.OutOfMemoryError):
        list(EvalRows(128).batches(300, 0, work_with(100, tried)))
    assert tried == [128]
    assert EvalRows(7).used == 7


def test_a_single_row_that_does_not_fit_is_a_failure():
    tried = []
    with pytest.raises(torch.cuda.OutOfMemoryError):
        list(EvalRows(None).batches(3, 0, work_with(0, tried)))
    assert tried[-1] == 1


def test_other_errors_pass():
    def work(start, stop):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(EvalRows(None).batches(3, 0, work))


def test_a_long_row_starts_with_few(monkeypatch):
    monkeypatch.setattr("paretosteer.runtime.batch_size.free_bytes", lambda device: 64_000)
    tried = []
    list(EvalRows(None).batches(20, 2_000, work_with(99, tried)))
    assert tried == [16, 16]


def test_free_memory_of_the_cpu_is_the_systems():
    assert free_bytes(torch.device("cpu")) == pytest.approx(
        psutil.virtual_memory().available, rel=0.2
    )


def test_free_memory_of_a_gpu_counts_what_torch_keeps(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 5000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 400)
    assert free_bytes(torch.device("cuda")) == 1300


class Scarce(TextPolicy):
    """A policy on a device that holds few rows at once."""

    room = 4
    failed = 0

    def answer(self, prompts, control, seed, samples):
        if len(prompts) > self.room:
            self.failed += 1
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return self.sample(prompts, control, seed, samples)


def texts_of(policy, batch_rows):
    found = {}
    for cells, _, samples in roll_out(
        policy, PROMPTS, CONTROL, seed=5, samples=3, batch_rows=batch_rows
    ):
        for key, text in zip(
            zip(cells.point, cells.prompt, cells.sample, strict=True), samples.texts, strict=True
        ):
            found[tuple(int(i) for i in key)] = text
    return found


def test_samples_do_not_depend_on_the_batch(model):
    policy = Scarce(model, Banks(2, 4, 8.0), Decoding(6), seed=0)
    with torch.no_grad():
        for p in policy.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    limit = EvalRows(None)
    shrunk = texts_of(policy, limit)
    assert policy.failed and limit.used == 4
    policy.room = 99
    assert len(shrunk) == len(CONTROL.values) * len(PROMPTS) * 3
    assert shrunk == texts_of(policy, EvalRows(None)) == texts_of(policy, 5)


def test_what_follows_an_answer_may_run_out_too(llama):
    policy = TextPolicy(llama, Unconditioned(), Decoding(4), seed=0)

    def then(cells, control, samples):
        if len(cells) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return policy.drift(samples, control).kl

    rolls = roll_out(
        policy,
        PROMPTS,
        Control.start(1),
        seed=0,
        samples=1,
        batch_rows=EvalRows(None),
        then=then,
    )
    assert np.concatenate(list(rolls)).shape == (3,)


def test_a_row_counts_what_a_model_holds(llama):
    """Keys and values of a real pass, which the estimate must not fall short of."""
    policy = TextPolicy(llama, Unconditioned(), Decoding(20), seed=0)
    ids = torch.zeros(1, 44, dtype=torch.int64)
    cache = policy.network(ids, use_cache=True).past_key_values
    held = sum(x.nbytes for layer in cache.layers for x in (layer.keys, layer.values))
    prompts = [Prompt("a", " ".join(["ran"] * 23))]
    assert len(llama.tokenizer(prompts[0].text).input_ids) == 24
    logits = 20 * policy.network.config.vocab_size * 4
    assert held + 2 * logits < policy.row_bytes(prompts) < 50 * (held + logits)
    assert policy.row_bytes(PROMPTS) < policy.row_bytes(prompts)


@pytest.mark.parametrize(
    "config", [T5Config(), BartConfig(), GPT2Config(), LlamaConfig(), Qwen2Config()], ids=type
)
def test_a_longer_row_and_a_larger_type_take_more(config):
    def taken(prompt, response, dtype):
        return row_bytes(SimpleNamespace(config=config, dtype=dtype), prompt, response)

    half = taken(100, 50, torch.bfloat16)
    assert 0 < half < taken(101, 50, torch.bfloat16) < taken(101, 51, torch.bfloat16)
    assert half < taken(100, 50, torch.float32) <= 2 * half


def test_a_cell_shrinks_records_it_and_scores_the_same(tmp_path, monkeypatch):
    """A whole cell, its policy short of memory: other batches, the same record otherwise."""

    def run(name):
        config = compose_cell(
            ["benchmark=bandit", "method=morl", "budget=smoke", f"sweep_dir={tmp_path / name}"]
        )
        record = run_cell(plan_cell(config), NoTracker())
        assert record.status == "ok"
        (scores,) = (tmp_path / name).rglob("scores.parquet")
        return record, pd.read_parquet(scores)

    whole, expected = run("whole")
    answer = BanditPolicy.answer

    def short(policy, prompts, *others):
        if len(prompts) > 16:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return answer(policy, prompts, *others)

    monkeypatch.setattr(BanditPolicy, "answer", short)
    shrunk, found = run("shrunk")
    assert whole.batch_size["eval"] == 512
    assert shrunk.batch_size["eval"] == 16
    assert shrunk.stages == whole.stages
    pd.testing.assert_frame_equal(found, expected)
