"""Human answers as tokens after their prompts, drawn by weight, scored by the start model."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_preferences_reading import byte_tokenizer, dialogue
from transformers import LlamaConfig, LlamaForCausalLM

from paretosteer.benchmarks.preferences.pair_answers import Answers
from paretosteer.benchmarks.preferences.rendering import Reader
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel
from paretosteer.text.pairs import Pair
from paretosteer.text.policy import TextPolicy

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model():
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "[pad]", "eos_token": "[end]"})
    tokenizer.padding_side = "left"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=256,
    )
    network = LlamaForCausalLM(config).eval().requires_grad_(False)
    return LanguageModel(network, tokenizer, "tiny")


@pytest.fixture(scope="module")
def answers(model):
    pairs = {
        "helpful": [Pair(dialogue(f"question {i}"), "yes" * (i + 1), "no") for i in range(5)],
        "harmless": [Pair(dialogue("a", "b", "c"), "kind", "unkind, and at length")],
    }
    reader = Reader(model.tokenizer, 100, None, "left")
    return Answers(pairs, reader, longest=12, end=model.tokenizer.eos_token_id)


def test_tokens_are_those_of_the_answer_after_its_prompt(model, answers):
    for prompt, text, ids in zip(answers.prompts, answers.texts, answers.ids, strict=True):
        whole = model.tokenizer(f"{prompt.text} {text}")["input_ids"]
        before = model.tokenizer(prompt.text)["input_ids"]
        assert [*before, *ids][: len(whole)] == whole[: len(before) + 12]
        assert (ids[-1] == model.tokenizer.eos_token_id) == (len(f" {text}") < 12)
    assert answers.cut == sum(len(f" {text}") >= 12 for text in answers.texts) == 3


@pytest.mark.parametrize("end", [7, None])
def test_answers_of_a_tokenizer_without_end_token(model, end):
    """They end as the generation settings say, or not at all."""
    pairs = {"helpful": [Pair(dialogue("question"), "yes", "no")]}
    reader = Reader(model.tokenizer, 100, None, "left")
    found = Answers(pairs, reader, longest=12, end=end).ids
    plain = Answers(pairs, reader, longest=12, end=model.tokenizer.eos_token_id).ids
    assert found == [[*ids[:-1], *([] if end is None else [end])] for ids in plain]


def test_start_scores_are_the_policy_s_own_row_by_row(model, answers, tmp_path, monkeypatch):
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path))
    policy = TextPolicy(model, Unconditioned(), Decoding(12), 0)
    setting = SimpleNamespace(say=print, device=CPU)
    start = answers.start_scores(policy, {"model": "tiny"}, setting)
    for row in range(len(answers.ids)):
        alone = policy.log_probs(answers.take([row], CPU), Control.start(1)).sum()
        torch.testing.assert_close(start[row], alone, atol=1e-4, rtol=1e-5)

    def fails(*_):
        raise AssertionError("made again")

    monkeypatch.setattr(answers, "_scored", fails)
    torch.testing.assert_close(answers.start_scores(policy, {"model": "tiny"}, setting), start)


def test_objectives_are_drawn_by_weight_and_pairs_evenly(answers):
    rng = np.random.default_rng(0)
    objective, pair = answers.draw(rng, np.tile([0.25, 0.75], (8000, 1)))
    assert abs((objective == 1).mean() - 0.75) < 0.02  # 4 standard errors
    assert set(pair[objective == 1]) == {5}
    share = np.bincount(pair[objective == 0], minlength=6) / (objective == 0).sum()
    np.testing.assert_allclose(share, [0.2] * 5 + [0], atol=0.04)
    assert (answers.draw(rng, np.tile([-1.0, 0.0], (50, 1)))[0] == 0).all()
    assert (answers.draw(rng, np.tile([0.0, 1.0], (50, 1)))[0] == 1).all()
