"""Samples of vLLM's stand-in are those of our own loop: the seam, without vLLM itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from engine_settings import engine_setting
from tiny_models import tiny_model
from tiny_text import PROMPTS, tiny_llama

from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.policies.conditioning import (
    Banks,
    Conditioning,
    Features,
    Mixture,
    PromptText,
    TiedBanks,
)
from paretosteer.policies.control import Control
from paretosteer.policies.prompt_tuning import prompt_tuning
from paretosteer.policies.shifts import Shifts
from paretosteer.text.engines import vllm_engine
from paretosteer.text.engines.vllm_engine import VLLM, randomise
from paretosteer.text.engines.vllm_limits import padded, refuse
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel
from paretosteer.text.policy import TextPolicy
from paretosteer.text.sampler import NativeSampler

DECODING = Decoding(6, min_new_tokens=2)
BANKS = Banks(2, (2, 3), (4.0, 4.0))
SOUP = Control.soup([[1.5, -0.5], [0.0, 0.0], [0.3, 0.7], [0.0, 1.0]])


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return tiny_llama()


@pytest.fixture(scope="module")
def folder(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("model")
    model.network.save_pretrained(place)
    return str(place)


@pytest.fixture
def engine(fake_vllm: type, model: LanguageModel, folder: str, tmp_path: Path) -> Iterator[VLLM]:
    with VLLM(model, folder, engine_setting(rollouts=True), PROMPTS, tmp_path) as engine:
        yield engine


def steered(
    model: LanguageModel, conditioning: Conditioning, decoding: Decoding = DECODING
) -> TextPolicy:
    policy = TextPolicy(model, conditioning, decoding, seed=0)
    randomise(policy)
    return policy


@pytest.mark.parametrize(
    ("conditioning", "control", "decoding"),
    [
        (BANKS, SOUP, DECODING),
        (BANKS, SOUP, replace(DECODING, temperature=0.7, top_k=9)),
        (BANKS, SOUP, replace(DECODING, temperature=0.0)),
        (BANKS, Control.bank([1, 0]), DECODING),
        (BANKS, Control.start(2), DECODING),
        (TiedBanks(2, 3, 2.0, always_on=1), SOUP, DECODING),
        (PromptText(2, 2.0), Control.text(["a: 1. ", "b: 2. "]), DECODING),
        (PromptText(0, 1.0), Control.text(["a: 1. ", "b: 2. "]), DECODING),
        (Features(2, 3, 4, 2, 2.0), Control.features([[1, 2], [0, 1]]), DECODING),
        (prompt_tuning(2)(2, 2, 2.0), Control.bank([1, 0]), DECODING),
    ],
)
def test_samples_are_those_of_our_own_loop(
    engine: VLLM,
    model: LanguageModel,
    conditioning: Conditioning,
    control: Control,
    decoding: Decoding,
) -> None:
    policy = steered(model, conditioning)
    prompts = [PROMPTS[i % 3] for i in range(control.rows)]
    numbers = list(range(control.rows))
    written = engine.sampler(policy)(prompts, control, 5, numbers, decoding)
    own = NativeSampler(policy)(prompts, control, 5, numbers, decoding)
    assert torch.equal(written.tokens, own.tokens) and torch.equal(written.mask, own.mask)
    torch.testing.assert_close(written.log_probs, own.log_probs, atol=1e-4, rtol=1e-4)


def test_adapters_are_written_once_in_order_and_forgotten_with_their_weights(
    engine: VLLM, model: LanguageModel, fake_vllm: type
) -> None:
    policy = steered(model, BANKS)
    engine.attach(policy, SOUP)
    rows = torch.tensor([2, 0, 1, 2, 0, 3])
    prompts = [PROMPTS[0]] * len(rows)
    policy.sample(prompts, SOUP.take(rows), 0, range(6))
    (process,) = fake_vllm.started
    first = [request.adapter for request in process.requests]
    assert first == sorted(first, key=lambda each: each or (0, ""))
    numbers = {adapter[0] for adapter in first if adapter}
    assert len(numbers) == 3  # the row of zeros has none
    policy.sample(prompts, SOUP.take(rows), 1, range(6))
    assert {r.adapter[0] for r in process.requests if r.adapter} == numbers
    policy.parameters()[0].data.mul_(2)
    policy.sample(prompts, SOUP.take(rows), 1, range(6))
    assert set(process.engine.removed) == numbers
    assert len({r.adapter for r in process.requests if r.adapter}) == 6
    folders = [Path(request.adapter[1]) for request in process.requests if request.adapter]
    assert folders[-1].is_dir()
    engine.__exit__()
    assert process.closed and not folders[-1].exists()


def test_settings_reach_vllm(engine: VLLM, model: LanguageModel, fake_vllm: type) -> None:
    engine.attach(policy := steered(model, BANKS), SOUP)
    policy.answer(PROMPTS, SOUP.take(torch.arange(3)), 0, [0] * 3)
    found = fake_vllm.started[0].settings
    assert found["max_lora_rank"] == 8 and found["max_loras"] == 4
    assert found["max_model_len"] == 128 and found["kv_cache_memory_bytes"] == 2**28
    assert found["enforce_eager"] and found["dtype"] == "float32"
    assert not found["enable_prompt_embeds"] and found["tensor_parallel_size"] == 1


def test_the_check_compares_the_models_once(
    model: LanguageModel, folder: str, fake_vllm: type, tmp_path: Path
) -> None:
    def check() -> None:
        with VLLM(model, folder, engine_setting(), PROMPTS, tmp_path) as engine:
            engine.check(steered(model, BANKS), None)
            assert engine._process is None  # training has the memory

    check()
    check()
    assert len(fake_vllm.started) == 1 and fake_vllm.started[0].closed


def test_other_precisions_are_checked_again(
    model: LanguageModel, folder: str, fake_vllm: type, tmp_path: Path
) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        setting = engine_setting()
        setting.dtype = dtype
        with VLLM(model, folder, setting, PROMPTS, tmp_path) as engine:
            engine.check(steered(model, BANKS), None)
    assert len(fake_vllm.started) == 2


@pytest.mark.parametrize(
    ("conditioning", "control"),
    [
        (BANKS, SOUP),
        (PromptText(2, 2.0), Control.text(["a: 1. ", "a long one: 2. "])),
        (Features(2, 3, 4, 2, 2.0), Control.features([[1, 2], [0, 1]])),
    ],
)
def test_a_context_that_would_cut_responses_is_refused(
    conditioning: Conditioning,
    control: Control,
    model: LanguageModel,
    folder: str,
    fake_vllm: type,
    tmp_path: Path,
) -> None:
    policy = steered(model, conditioning)
    longest, row = PROMPTS[2], control.take(torch.tensor([control.rows - 1]))
    ids, _, virtual = policy.inputs([longest], row, 6)
    needed = ids.shape[1] + (0 if virtual is None else 3) + DECODING.max_new_tokens
    with VLLM(model, folder, engine_setting(context=needed - 1), PROMPTS, tmp_path) as engine:
        with pytest.raises(UsageError, match=rf"engine\.context: found {needed - 1}.* {needed} "):
            engine.check(policy, control)
        assert not fake_vllm.started
        engine.attach(policy, control)  # trained by an earlier run
        with pytest.raises(ValueError, match=f"exceed its {needed - 1}"):
            policy.sample([longest], row, 0, [0])
    with VLLM(model, folder, engine_setting(context=needed), PROMPTS, tmp_path) as engine:
        engine.check(policy, control)


def test_the_check_reads_vectors(engine: VLLM, model: LanguageModel, fake_vllm: type) -> None:
    engine.check(steered(model, Features(2, 3, 4, 2, 2.0)), Control.features([[1, 2], [0, 1]]))
    (process,) = fake_vllm.started
    assert not process.closed and process.settings["enable_prompt_embeds"]


def test_another_model_fails_the_check(
    model: LanguageModel, fake_vllm: type, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    other = type(model.network)(model.network.config)
    other.save_pretrained(tmp_path / "other")
    with (
        VLLM(model, str(tmp_path / "other"), engine_setting(), PROMPTS, tmp_path) as engine,
        pytest.raises(UsageError, match=r"log-probabilities of vLLM differ.*set engine=native"),
    ):
        engine.check(steered(model, BANKS), SOUP)
    assert fake_vllm.started[0].closed


@pytest.mark.parametrize(
    ("conditioning", "control", "reason"),
    [
        (Mixture(2, 2, 2.0), None, "cannot mix the log-probabilities"),
        (BANKS, Control.mixture([[0.5, 0.5, 0.0]]), "cannot mix the log-probabilities"),
        (Banks(2, 2, 2.0, merge="factors"), None, "merge=factors"),
        (Shifts(2, 2, 2.0), None, "cannot shift the outputs of layers"),
        (Shifts(2, 2, 2.0), Control.soup([[0.5, 0.5]]), "cannot shift the outputs of layers"),
        (Banks(2, 260, 2.0), Control.soup([[1.0, 1.0]]), "rank 520, above its limit of 512"),
    ],
)
def test_what_it_cannot_write_is_refused(
    model: LanguageModel, conditioning: Conditioning, control: Control | None, reason: str
) -> None:
    policy = TextPolicy(model, conditioning, DECODING, seed=0)
    with pytest.raises(UnsupportedError, match=f"engine=vllm: .*{reason}.*; set engine=native"):
        refuse(policy, control)


def test_an_encoder_decoder_model_is_refused() -> None:
    policy = TextPolicy(tiny_model("t5"), BANKS, DECODING, seed=0)
    with pytest.raises(UnsupportedError, match=r"engine=vllm: .*causal models only; set"):
        refuse(policy, SOUP)


def test_a_rank_is_refused_where_the_control_follows_from_training(
    engine: VLLM, model: LanguageModel
) -> None:
    with pytest.raises(UnsupportedError, match="rank 520"):
        engine.check(steered(model, Banks(2, 260, 2.0)), None)


def test_one_bank_of_many_has_the_rank_of_one(model: LanguageModel) -> None:
    refuse(TextPolicy(model, Banks(3, 260, 2.0), DECODING, seed=0), Control.bank([0, 2]))


def test_a_slot_that_does_not_fit_is_refused(
    engine: VLLM, model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vllm_engine, "free_bytes", lambda device: 10_000)
    with pytest.raises(UsageError, match=r"adapter slot of rank 8 takes .* lower method\.rank"):
        engine.attach(steered(model, BANKS), SOUP)
    monkeypatch.setattr(vllm_engine, "free_bytes", lambda device: 280_000)
    assert engine._needs(steered(model, BANKS), SOUP).slots == 2


def test_ranks_are_padded_to_what_vllm_has_room_for() -> None:
    assert [padded(rank) for rank in (1, 2, 8, 9, 129, 512)] == [1, 8, 8, 16, 256, 512]
