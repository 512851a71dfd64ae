"""LoRA of a reward model's backbone, trained with the head on its features."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import tiny_model

from paretosteer.text.dialogue import Turn
from paretosteer.text.pairs import Pair
from paretosteer.text.rewards import backbone_lora
from paretosteer.text.rewards.backbone import AdaptedBackbone, Backbone
from paretosteer.text.rewards.backbone_lora import train_lora
from paretosteer.text.rewards.backbone_reward import (
    BackboneReward,
    PairFeatures,
    SharedFeatures,
    train_head,
)
from paretosteer.training.snapshots import Journal

FILLER = ("the", "a", "old", "man", "cat", "and", "it", "there")


class KilledError(Exception):
    pass


def ordered_pairs(count, seed):
    """Pairs with the same kind of words; in the better side, boat comes before storm."""
    rng, made = np.random.default_rng(seed), []
    for i in range(count):
        sides = []
        for first, second in (("boat", "storm"), ("storm", "boat")):
            begin, *rest = rng.choice(FILLER, rng.integers(2, 5))
            sides.append(" ".join([begin, first, *rest, second]))
        made.append(Pair((Turn("user", f"tell me story {seed} {i}"),), *sides))
    return made


TRAIN, HELD_OUT = ordered_pairs(60, 0), ordered_pairs(40, 1)
PROMPTS = [pair.prompt for pair in HELD_OUT]
CHOSEN, REJECTED = ([getattr(p, side) for p in HELD_OUT] for side in ("chosen", "rejected"))


@pytest.fixture(params=["llama"])
def lower(request):
    return Backbone(tiny_model(request.param))


@pytest.fixture(autouse=True)
def training(monkeypatch):
    """A learning rate for two layers of width 16."""
    set_to(monkeypatch, epochs=2, lr=1e-2)


def set_to(monkeypatch, **values):
    changed = replace(backbone_lora.TRAINING, **values)
    monkeypatch.setattr(backbone_lora, "TRAINING", changed)


def train(lower, folder, pairs=TRAIN, rank=2, **how):
    folder.mkdir()
    features = [PairFeatures.of(lower, each) for each in (pairs, HELD_OUT)]
    return train_lora(pairs, HELD_OUT, *features, lower, rank, folder, **how)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("lower", ["llama", "gpt2"], indirect=True)
def test_a_new_lora_changes_nothing_and_the_model_under_it_stays(lower):
    adapted = AdaptedBackbone(lower.model, 2)
    before = lower.features(PROMPTS, CHOSEN)
    np.testing.assert_array_equal(adapted.features(PROMPTS, CHOSEN), before)
    for factor in adapted.factors.values():
        torch.nn.init.normal_(factor, std=0.3)
    assert not np.allclose(adapted.features(PROMPTS, CHOSEN), before, atol=1e-2)
    np.testing.assert_array_equal(lower.features(PROMPTS, CHOSEN), before)


@pytest.mark.parametrize("lower", ["llama", "gpt2"], indirect=True)
def test_training_reads_the_features_that_are_scored(lower):
    """A text read as a whole, with gradients, has the features of an answer after its prompt."""
    adapted = AdaptedBackbone(lower.model, 2)
    for factor in adapted.factors.values():
        torch.nn.init.normal_(factor, std=0.3)
    rows = [adapted.encode(*row) for row in zip(PROMPTS, CHOSEN, strict=True)]
    read = adapted.read(rows)
    np.testing.assert_allclose(
        read.detach(), adapted.features(PROMPTS, CHOSEN), rtol=1e-4, atol=1e-5
    )
    read.square().sum().backward()
    assert all(factor.grad.any() for factor in adapted.factors.values())
    assert all(weight.grad is None for weight in lower.model.network.parameters())


def test_it_learns_more_than_a_head_alone_and_scores_as_measured(lower, tmp_path):
    features = [PairFeatures.of(lower, pairs) for pairs in (TRAIN, HELD_OUT)]
    alone = train_head(TRAIN, HELD_OUT, *features, tmp_path)
    facts = train(lower, tmp_path / "lora", rank=4)
    assert facts.log_loss < 0.8 * alone.log_loss
    assert (facts.rank, facts.steps) == (4, 4 * facts.epochs) and facts.epochs > 0
    reward = BackboneReward.read(tmp_path / "lora", "good", SharedFeatures(lower))
    margins = reward.score(PROMPTS, CHOSEN) - reward.score(PROMPTS, REJECTED)
    assert margins.mean() == pytest.approx(facts.margin, rel=1e-4)
    assert np.mean(margins > 0) == pytest.approx(facts.accuracy)
    answers = [*(pair.chosen for pair in TRAIN), *(pair.rejected for pair in TRAIN)]
    scores = reward.score([pair.prompt for pair in TRAIN] * 2, answers)
    assert scores.mean() == pytest.approx(0, abs=1e-3 * scores.std())


def test_training_gives_the_same_files_again(lower, tmp_path):
    facts = train(lower, tmp_path / "one")
    torch.manual_seed(5)
    assert train(lower, tmp_path / "two") == facts
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert set(files(tmp_path / "one")) == {"head.safetensors", "lora.safetensors"}


def test_where_no_epoch_lowers_the_validation_loss_the_backbone_stays_frozen(
    lower, tmp_path, monkeypatch
):
    set_to(monkeypatch, lr=0.0)
    facts = train(lower, tmp_path / "lora")
    features = [PairFeatures.of(lower, pairs) for pairs in (TRAIN, HELD_OUT)]
    (tmp_path / "head").mkdir()
    alone = train_head(TRAIN, HELD_OUT, *features, tmp_path / "head")
    assert facts.epochs == facts.steps == 0 and facts.accuracy == alone.accuracy
    assert files(tmp_path / "lora") == files(tmp_path / "head")


def test_pairs_in_several_passes_train_as_in_one(lower, tmp_path, monkeypatch):
    several = train(lower, tmp_path / "several")
    monkeypatch.setattr(backbone_lora, "_AT_ONCE", 16)
    assert train(lower, tmp_path / "one").log_loss == pytest.approx(several.log_loss, rel=1e-3)


def test_a_killed_training_resumes_to_the_same_files(lower, tmp_path):
    def kill(text):
        if text.startswith("epoch 2 of 2, batch 2"):
            raise KilledError

    whole, said = train(lower, tmp_path / "whole"), []
    with pytest.raises(KilledError):
        train(lower, tmp_path / "killed", progress=kill, journal=Journal(tmp_path / "kept", 0))
    journal = Journal(tmp_path / "kept")
    resumed = train(lower, tmp_path / "resumed", progress=said.append, journal=journal)
    assert next(text for text in said if text.startswith("epoch")).startswith("epoch 2 of 2")
    assert resumed == whole and files(tmp_path / "resumed") == files(tmp_path / "whole")


def test_a_pair_without_features_is_left_out(lower, tmp_path, monkeypatch):
    """Its prompt is refused by the chat template."""
    text, refused = lower._text, TRAIN[7].prompt
    monkeypatch.setattr(Backbone, "_text", lambda _, p: None if p == refused else text(p))
    train(lower, tmp_path / "one")
    train(lower, tmp_path / "two", pairs=[*TRAIN[:7], *TRAIN[8:]])
    assert files(tmp_path / "one") == files(tmp_path / "two")
