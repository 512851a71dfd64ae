"""The training loop against one written out by hand, and the stories model through it."""

import copy
import math

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from paretosteer.benchmarks.stories.embedded import train_embedded
from paretosteer.benchmarks.stories.story import sample_story
from paretosteer.benchmarks.stories.tokenizer import CONTEXT, build_tokenizer
from paretosteer.text.scratch.train_language_model import (
    Labelled,
    Recipe,
    cross_entropy,
    fast_products,
    fit,
    fresh_llama,
)


def by_hand(seed, steps):
    """The stories model as it was before the loop was shared: plain steps on padded stories."""
    tokenizer = build_tokenizer()
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    generator = np.random.default_rng([seed, 0])
    optimiser = torch.optim.AdamW(model.parameters(), 5e-3, betas=(0.9, 0.98), weight_decay=0.01)
    warm = max(1, round(0.05 * steps))
    for step in range(steps):
        done = (step - warm) / (steps - warm)
        rate = (step + 1) / warm if step < warm else 0.5 * (1 + math.cos(math.pi * done))
        optimiser.param_groups[0]["lr"] = 5e-3 * rate
        words = [sample_story(generator).words for _ in range(32)]
        rows = [
            torch.tensor([tokenizer.bos_token_id, *tokenizer.convert_tokens_to_ids(w)])
            for w in words
        ]
        ids = torch.nn.utils.rnn.pad_sequence(rows, True, tokenizer.pad_token_id)
        learnt = ids[:, 1:] != tokenizer.pad_token_id
        labels = ids[:, 1:].masked_fill(~learnt, -100).flatten()
        logits = model(ids[:, :-1]).logits.flatten(0, 1)
        loss = torch.nn.functional.cross_entropy(logits, labels, reduction="sum") / learnt.sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model


def test_the_stories_model_is_bit_for_bit_what_it_was(tmp_path):
    expected = by_hand(3, 4)
    train_embedded(tmp_path, seed=3, steps=4)
    found = LlamaForCausalLM.from_pretrained(tmp_path).state_dict()
    assert found.keys() == expected.state_dict().keys()
    for name, tensor in expected.state_dict().items():
        assert torch.equal(found[name], tensor), name


@pytest.fixture
def model():
    config = LlamaConfig(
        vocab_size=11,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=16,
    )
    return fresh_llama(config, 0)


ROWS = [[1, 5, 6, 2], [1, 7, 2], [1, 3, 4, 8, 9, 2]]
LABELS = [[1, 5, 6, 2], [1, -100, 2], [1, -100, -100, 8, 9, 2]]


def test_padding_and_other_rows_change_no_loss(model):
    together = cross_entropy(model, [Labelled.of(ROWS, LABELS, 0)])
    alone = [
        cross_entropy(model, [Labelled.of([row], [labels], 0)])
        for row, labels in zip(ROWS, LABELS, strict=True)
    ]
    assert together == pytest.approx(np.average(alone, weights=[3, 1, 3]), rel=1e-5)


def test_the_loss_is_that_of_transformers(model):
    batch = Labelled.of(ROWS, LABELS, 0)
    found = model(input_ids=batch.ids, labels=batch.labels).loss.item()
    assert cross_entropy(model, [batch]) == pytest.approx(found, rel=1e-5)


def test_training_stops_after_its_steps_and_counts_its_tokens(model):
    seen = []
    batch = Labelled.of(ROWS, LABELS, 0)
    before = copy.deepcopy(model.state_dict())
    tokens = fit(model, iter([batch] * 9), Recipe(5, 1e-2), lambda *x: seen.append(x))
    assert tokens == 5 * 7
    assert [(done, steps) for done, steps, _ in seen] == [(i, 5) for i in range(1, 6)]
    assert seen[-1][2] < seen[0][2]
    assert not torch.equal(before["lm_head.weight"], model.state_dict()["lm_head.weight"])


def test_the_rate_rises_and_falls_to_nothing():
    recipe = Recipe(100, 1.0)
    rates = [recipe.rate(step) for step in range(101)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[100] == pytest.approx(0)


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")
def test_products_are_bfloat16_on_a_gpu_that_can(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for can in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *a, can=can, **k: can)
        found = fast_products(torch.device("cuda"))
        assert isinstance(found, torch.autocast) == can
        if can:
            assert (found.device, found.fast_dtype) == ("cuda", torch.bfloat16)
    assert not isinstance(fast_products(torch.device("cpu")), torch.autocast)
