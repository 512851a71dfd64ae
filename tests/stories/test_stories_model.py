"""Tokenizer and embedded model: round trips, offline loading, learning, determinism."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from paretosteer.benchmarks.stories.embedded import train_embedded
from paretosteer.benchmarks.stories.openings import prompts, splits
from paretosteer.benchmarks.stories.story import sample_story, story_entropy
from paretosteer.benchmarks.stories.tokenizer import CONTEXT, build_tokenizer
from paretosteer.plugins import registry

STEPS = 12
Trained = tuple[Path, dict[str, Any], list[float]]  # folder, facts, losses


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="module", params=["built", "loaded"])
def tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> PreTrainedTokenizerFast:
    built = build_tokenizer()
    if request.param == "built":
        return built
    folder = tmp_path_factory.mktemp("tokenizer")
    built.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("embedded")
    losses: list[float] = []
    before = torch.random.get_rng_state()
    facts = train_embedded(folder, 0, STEPS, lambda done, steps, loss: losses.append(loss))
    assert torch.equal(before, torch.random.get_rng_state())
    return folder, facts, losses


def test_text_survives_the_tokenizer(tokenizer: PreTrainedTokenizerFast) -> None:
    generator = np.random.default_rng(0)
    texts = [sample_story(generator).text for _ in range(100)]
    texts += [prompt.text for split in splits().values() for prompt in split]
    texts += ["positive: 0.3; varied: 0.75. dialogue: 1; readable: -2"]
    encoded = tokenizer(texts)["input_ids"]
    assert not any(tokenizer.unk_token_id in ids for ids in encoded)
    assert all(ids[0] == tokenizer.bos_token_id for ids in encoded)
    decoded = tokenizer.batch_decode(encoded, skip_special_tokens=True)
    assert decoded[:-1] == texts[:-1]
    assert decoded[-1] == texts[-1].replace("-2", "- 2")


def test_tokens_are_the_words_of_the_grammar(tokenizer: PreTrainedTokenizerFast) -> None:
    story = sample_story(np.random.default_rng(1))
    assert tokenizer.tokenize(story.text) == story.words[:-1]


def test_padding_is_on_the_left(tokenizer: PreTrainedTokenizerFast) -> None:
    batch = tokenizer(["Lily ran.", "Lily ran and ran."], padding=True)
    assert set(batch) == {"input_ids", "attention_mask"}
    assert batch["attention_mask"] == [[0, 0, 1, 1, 1, 1], [1] * 6]
    assert batch["input_ids"][0][:2] == [tokenizer.pad_token_id] * 2


def test_unknown_words_and_objective_names(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.tokenize("a zebra") == ["a", tokenizer.unk_token]
    for name in registry.names("objectives"):
        assert tokenizer.unk_token not in tokenizer.tokenize(f"{name}: 0.25;")


def test_training_lowers_the_loss(trained: Trained) -> None:
    _, facts, losses = trained
    assert len(losses) == facts["steps"] == STEPS
    assert losses[-1] < 0.8 * losses[0]
    assert facts["grammar_entropy"] == story_entropy().nats_per_word
    assert facts["cross_entropy"] > facts["held_out_entropy"]  # the entropy is a lower bound
    ratio = facts["cross_entropy"] / facts["held_out_entropy"] - 1
    assert facts["excess_ratio"] == pytest.approx(ratio)


def test_the_folder_is_a_plain_model_that_writes(
    trained: Trained,
) -> None:
    folder, _, _ = trained
    assert {"config.json", "model.safetensors", "tokenizer.json", "embedded.json"} <= {
        path.name for path in folder.iterdir()
    }
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    batch = tokenizer([p.text for p in prompts("test")[:4]], padding=True, return_tensors="pt")
    tokens = model.generate(**batch, max_new_tokens=3, do_sample=False)
    assert tokens.shape == (4, batch["input_ids"].shape[1] + 3)
    assert model.config.max_position_embeddings == tokenizer.model_max_length == CONTEXT


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    for name, disturbance in (("a", 1), ("b", 2)):
        torch.manual_seed(disturbance)
        train_embedded(tmp_path / name, seed=3, steps=2)
    a, b = ((tmp_path / name / "model.safetensors").read_bytes() for name in "ab")
    assert a == b
