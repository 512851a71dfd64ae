"""Virtual tokens before a text: Hyper Prompt Tuning, and plain prompt tuning beside banks."""

from pathlib import Path

import pytest
import torch
from seam_cells import TEXT, assert_resumes
from tiny_text import DECODING, PROMPTS, tiny_llama

from paretosteer import make_benchmark, make_method, make_trainer, restore_cell
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.policies.conditioning import Conditioning
from paretosteer.policies.control import Control
from paretosteer.policies.hyper_prompt import HyperPrompt, MaskedPrefix
from paretosteer.policies.prompt_tuning import PromptTuning
from paretosteer.text.policy import TextPolicy


def test_a_prefix_is_multiplied_by_a_mask_of_low_rank():
    embedding = torch.randn(20, 16, generator=torch.Generator().manual_seed(0))
    reader = MaskedPrefix(2, 8, 3, 5, embedding, torch.Generator().manual_seed(1))
    w = torch.tensor([[0.2, 0.8], [1.0, 0.0]])
    found = reader(w)
    assert found.shape == (2, 8, 16)
    for row, features in zip(found, w.double(), strict=True):
        factors = []
        for first, _, second in (reader.rows, reader.columns):
            h = torch.tanh(first.weight.double() @ features + first.bias.double())
            factors.append(second.weight.double() @ h + second.bias.double())
        mask = factors[0].view(8, 3) @ factors[1].view(3, 16)
        torch.testing.assert_close(row, (mask * reader.prefix).float())
        assert torch.linalg.matrix_rank(row / reader.prefix, rtol=1e-4) == 3
    assert not torch.allclose(found[0], found[1], atol=1e-2)


def test_a_language_model_trains_the_prefix_its_mask_and_a_bank():
    conditioning = HyperPrompt(2, tokens=8, hidden=4, rank=4, alpha=8.0)
    steered = TextPolicy(tiny_llama(), conditioning, DECODING, seed=0)
    rows = len(PROMPTS)
    control = Control.features(torch.tensor([[0.3, 0.7]]).expand(rows, 2))
    samples = steered.sample(PROMPTS, Control.start(rows), 0, [0] * rows)
    torch.testing.assert_close(
        samples.log_probs, steered.log_probs(samples, Control.start(rows)), atol=1e-5, rtol=1e-4
    )
    steered.log_probs(samples, control).sum().backward()
    names = {name.split(".")[1] for name in steered.state() if name.startswith("reader")}
    assert names == {"prefix", "rows", "columns"}
    assert any(name.startswith("banks.0.") for name in steered.state())
    moved = [p.grad is not None and p.grad.abs().sum() > 0 for p in steered.reader.parameters()]
    assert all(moved)


# -- plain prompt tuning ----------------------------------------------------------------------


def test_virtual_tokens_of_banks_are_mixed_like_the_banks():
    policy = TextPolicy(tiny_llama(), PromptTuning(2, 2, 4.0, tokens=3), DECODING, seed=0)
    assert policy.prefix is not None
    for bank in range(2):
        assert any(p.shape == (3, 16) for p in policy.parameters(bank))
    torch.manual_seed(0)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    first, second = (delta.detach() for delta in policy.prefix.deltas)
    with policy.mixed(Control.soup([[0.25, 0.75], [1.0, 0.0]])):
        soup = policy.prefix.virtual()
    torch.testing.assert_close(soup[0], policy.prefix.base + 0.25 * first + 0.75 * second)
    torch.testing.assert_close(soup[1], policy.prefix.base + first)
    rows = len(PROMPTS)
    samples = policy.sample(PROMPTS, Control.soup([[0.0, 1.0]] * rows), 0, [0] * rows)
    scores = policy.log_probs(samples, Control.bank([1] * rows))
    torch.testing.assert_close(samples.log_probs, scores, atol=2e-5, rtol=1e-4)
    plain = TextPolicy(tiny_llama(), Conditioning(), DECODING, seed=0)
    start = policy.log_probs(samples, Control.start(rows))
    torch.testing.assert_close(start, plain.log_probs(samples, Control.start(rows)))
    assert (scores - start).abs().max() > 0.1
    again = TextPolicy(tiny_llama(), PromptTuning(2, 2, 4.0, tokens=3), DECODING, seed=9)
    again.load_state(policy.state())
    torch.testing.assert_close(again.log_probs(samples, Control.bank([1] * rows)), scores)
    policy.keep_banks([1])
    torch.testing.assert_close(policy.log_probs(samples, Control.bank([0] * rows)), scores)


@pytest.mark.parametrize("method", ["rewarded_soup", "morl"])
def test_the_baselines_of_cos_dpo_train_virtual_tokens(tmp_path: Path, method: str) -> None:
    words = (f"method={method}", "method.feedback=preference", "method.prompt_tokens=2")
    cell = assert_resumes(tmp_path, *TEXT, *words)
    restored = restore_cell(cell)
    assert restored.method.policy.prefix.tokens == 2
    with pytest.raises(UsageError, match="virtual tokens combined with banks cannot be exported"):
        restored.export([0.5, 0.5], tmp_path / "out", form="peft")


def test_virtual_tokens_need_a_text() -> None:
    for benchmark in ("ranking", "bandit"):
        world = make_benchmark(benchmark, budget="smoke")
        method = make_method("rewarded_soup", prompt_tokens=2)
        with pytest.raises(UnsupportedError, match="no text, so it cannot use virtual tokens"):
            method.train(world, make_trainer(world, seed=0))
