"""A run says when a policy has drifted so far that texts are usually damaged."""

from types import SimpleNamespace

import pandas as pd
import pytest
from accelerate import Accelerator

from paretosteer.cells.drift_warning import drift_warning, say_drift_warning
from paretosteer.policies.kl import damage
from paretosteer.runtime.progress import cell_of_sweep
from paretosteer.training.trainer import Trainer


@pytest.mark.parametrize(("kl", "tokens"), [(9.0, 16), (12.0, 48), (0.9, 1), (-20.0, 16)])
def test_moderate_drift_is_no_damage(kl, tokens):
    assert damage(kl, tokens) is None


def test_damage_is_described_per_answer_and_per_token():
    assert "is 44.0 nats per answer, 1.10 per token" in damage(44.0, 40.0)


def test_training_warns_once():
    said = []
    trainer = Trainer(Accelerator(cpu=True), steps=9, rows=4, samples=2, seed=0, say=said.append)
    parts = [SimpleNamespace(batch=SimpleNamespace(tokens=64, terms=4))]
    for kl in (1.0, 20.0, 30.0):
        trainer._warn_of_damage("bank 0", {"kl": kl}, parts)
    trainer._warn_of_damage("bank 1", {"kl": 20.0}, parts)
    trainer._warn_of_damage("imitation", {}, parts)
    (line,) = said
    assert line.startswith("warning: phase 'bank 0', step 1: the KL from the start model is 20.0")
    assert "lower method.learning_rate" in line and trainer.drift_warned


def test_later_cells_of_a_sweep_warn_in_one_line(tmp_path, capsys):
    drift = pd.DataFrame({"point": [0, 1], "kl": [20, 40], "tokens": 16})
    for number in (1, 2):
        with cell_of_sweep(number, 2, tmp_path):
            say_drift_warning(drift, trained=True)
    text = capsys.readouterr().err
    assert text.count("lower method.learning_rate") == 1
    assert text.endswith("[2/2] warning: KL 40.0 nats per answer, texts are usually damaged\n")


def test_another_machine_warns_in_full(tmp_path, capsys):
    drift = pd.DataFrame({"point": [0], "kl": [20], "tokens": 16})
    with cell_of_sweep(2, 2, tmp_path / "absent"):
        say_drift_warning(drift, trained=True)
    assert "learning_rate" in capsys.readouterr().err


def test_the_warning_of_a_cell_has_the_worst_point():
    drift = pd.DataFrame({"point": [0, 0, 1, 2], "kl": [1, 2, 20, 40], "tokens": 16})
    assert drift_warning(drift, trained=True) == (
        "texts are usually damaged at 2 of 3 points: the KL from the start model is up to 40.0 "
        "nats per answer, 2.50 per token; lower method.learning_rate, or raise method.kappa where "
        "the feedback is a reward"
    )


def test_a_cell_with_moderate_drift_has_no_warning():
    drift = pd.DataFrame({"point": [0, 1], "kl": [1.0, 2.0], "tokens": 16})
    assert drift_warning(drift, trained=True) is None


def test_advice_fits_a_method_that_trains_nothing():
    drift = pd.DataFrame({"point": [0], "kl": [221], "tokens": 16})
    warning = drift_warning(drift, trained=False)
    assert "use adapters that were trained for fewer steps" in warning
    assert "method." not in warning
