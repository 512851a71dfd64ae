"""A run says when a policy has drifted so far that texts are usually damaged."""

from types import SimpleNamespace

import pandas as pd
import pytest
from accelerate import Accelerator

from paretosteer.cells import evaluation
from paretosteer.policies.kl import TRAIN_LESS, damage
from paretosteer.training.trainer import Trainer


@pytest.mark.parametrize(("kl", "tokens"), [(9.0, 16), (12.0, 48), (0.9, 1), (-20.0, 16)])
def test_moderate_drift_is_no_damage(kl, tokens):
    assert damage(kl, tokens, TRAIN_LESS) is None


def test_damage_is_described_per_answer_and_per_token():
    warning = damage(44.0, 40.0, TRAIN_LESS)
    assert "is 44.0 nats per answer, 1.10 per token" in warning
    assert "lower method.learning_rate" in warning


def test_training_warns_once_in_each_phase():
    said = []
    trainer = Trainer(Accelerator(cpu=True), steps=9, rows=4, samples=2, seed=0, say=said.append)
    parts = [SimpleNamespace(batch=SimpleNamespace(tokens=64, terms=4))]
    for kl in (1.0, 20.0, 30.0):
        trainer._warn_of_damage("bank 0", {"kl": kl}, parts)
    trainer._warn_of_damage("bank 1", {"kl": 20.0}, parts)
    trainer._warn_of_damage("imitation", {}, parts)
    assert [line.split(":")[0] for line in said] == [
        "phase 'bank 0', step 1",
        "phase 'bank 1', step 1",
    ]


def test_sampling_warns_with_the_worst_point(monkeypatch):
    said = []
    monkeypatch.setattr(evaluation, "say", said.append)
    table = pd.DataFrame({"point": [0, 0, 1, 2], "kl": [1, 2, 20, 40], "tokens": 16})
    evaluation.Evaluation._warn_of_damage(SimpleNamespace(trained=True), table)
    assert len(said) == 1
    assert said[0].startswith("at 2 of 3 points: the KL from the start model is 40.0 nats")


def test_advice_fits_a_method_that_trains_nothing(monkeypatch):
    said = []
    monkeypatch.setattr(evaluation, "say", said.append)
    table = pd.DataFrame({"point": [0], "kl": [221], "tokens": 16})
    evaluation.Evaluation._warn_of_damage(SimpleNamespace(trained=False), table)
    assert "use adapters that were trained for fewer steps" in said[0]
    assert "method." not in said[0]
