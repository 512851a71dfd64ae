"""Default learning rates made for small models fall with the width of a larger one."""

import json

import pytest

from paretosteer.config.schema import Model
from paretosteer.plugins import registry
from paretosteer.text.model_source import model_width


def model(folder, **config):
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
    (folder / "model.safetensors").write_bytes((0).to_bytes(8, "little"))
    return Model(name="hf", path=str(folder), pad_token=None)


def defaults(benchmark, start):
    kind = registry.load("benchmarks", benchmark)
    own = kind.training_defaults(None)
    return own, kind.model_defaults(None, start)


@pytest.mark.parametrize("key", ["hidden_size", "n_embd", "d_model"])
def test_a_wide_model_learns_in_smaller_steps(tmp_path, monkeypatch, key):
    monkeypatch.setattr("paretosteer.text.model_source.check_weights", lambda *given: None)
    own, fitted = defaults("stories", model(tmp_path, **{key: 1024}))
    assert fitted == {**own, "learning_rate": own["learning_rate"] / 4}


def test_a_small_model_keeps_the_default(tmp_path, monkeypatch):
    monkeypatch.setattr("paretosteer.text.model_source.check_weights", lambda *given: None)
    own, fitted = defaults("preferences", model(tmp_path, hidden_size=64))
    assert fitted == own
    embedded = Model(name="embedded", path=None, pad_token=None)
    assert defaults("stories", embedded)[0] == defaults("stories", embedded)[1]


def test_published_rates_hold_for_any_model(tmp_path):
    own, fitted = defaults("helpful_assistant", model(tmp_path, hidden_size=4096))
    assert fitted == own


def test_the_width_may_be_that_of_the_text_part(tmp_path, monkeypatch):
    monkeypatch.setattr("paretosteer.text.model_source.check_weights", lambda *given: None)
    start = model(tmp_path, text_config={"hidden_size": 512})
    assert model_width(start.path) == 512
    assert model_width(model(tmp_path).path) is None
