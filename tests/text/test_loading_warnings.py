"""Warnings of transformers at the loading of a model."""

import json
import logging

import pytest
from safetensors.torch import load_file, save_file
from small_model import write_model
from transformers import AutoModelForCausalLM
from transformers.utils.logging import get_logger

from paretosteer.text.load_weights import load_weights
from paretosteer.text.loading_warnings import loading_warnings, warnings_collected
from paretosteer.text.model_notes import model_notes
from paretosteer.text.read_tokenizer import read_tokenizer


def notes(folder):
    tokenizer = read_tokenizer(str(folder), "model.path")
    network = load_weights(AutoModelForCausalLM, str(folder), "model.path")
    return model_notes("The start model", network, tokenizer, str(folder))


def test_a_head_that_contradicts_the_configuration_is_noted(tmp_path, capfd):
    folder = write_model(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": True}))
    weights = load_file(folder / "model.safetensors")
    embeddings = weights["model.embed_tokens.weight"]
    for head, expected in ((embeddings, 0), (embeddings + 1, 1), (embeddings - 1, 1)):
        save_file({**weights, "lm_head.weight": head.clone()}, folder / "model.safetensors")
        found = notes(folder)
        assert len(found) == expected
        for note in found:
            assert note.startswith("The start model: transformers warns: The tied weights mapping")
    assert "tied weights" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("say", ["warning", "warning_once"])
def test_every_loading_has_its_own_warnings_on_one_line(tmp_path, say):
    logger = get_logger("transformers.models.auto")
    long = "x" * 400
    for text, expected in (
        ("first\nline", ["first line"]),
        ("first\nline", ["first line"]),
        (long, [f"{long[:300]}…"]),
        (None, []),
    ):
        with warnings_collected(str(tmp_path), "network"):
            if text:
                getattr(logger, say)(text)
                logging.getLogger("transformers.generation").warning("a flag")
        expected = (
            []
            if text is None
            else [text.replace("\n", " ") if len(text) < 300 else "x" * 300 + "…"]
        )
        assert loading_warnings(str(tmp_path)) == expected
    assert loading_warnings(str(tmp_path / "other")) == []
