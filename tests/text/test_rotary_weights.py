"""Rotary frequencies in checkpoints."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_model import write_model
from transformers import AutoModelForCausalLM

from paretosteer.errors import UsageError
from paretosteer.text.load_weights import load_weights

NAME = "model.layers.{}.self_attn.rotary_emb.inv_freq"


@pytest.mark.parametrize(
    ("scale", "dtype", "fine"),
    [
        (1.0, torch.float32, True),
        (1.0, torch.bfloat16, True),
        (1.1, torch.float32, False),
        (0.5, torch.float16, False),
    ],
)
def test_frequencies_are_those_of_the_configuration_or_refused(tmp_path, scale, dtype, fine):
    folder = write_model(tmp_path / "model")
    network = load_weights(AutoModelForCausalLM, str(folder), "model.path")
    (own,) = [
        each for name, each in network.named_buffers() if name.endswith("rotary_emb.inv_freq")
    ]
    weights = load_file(folder / "model.safetensors")
    layers = network.config.num_hidden_layers
    held = {NAME.format(layer): (own * scale).to(dtype) for layer in range(layers)}
    save_file({**weights, **held}, folder / "model.safetensors")
    if fine:
        load_weights(AutoModelForCausalLM, str(folder), "model.path")
    else:
        with pytest.raises(UsageError, match=r"rotary frequencies \(model\.layers\.0.*rope_theta"):
            load_weights(AutoModelForCausalLM, str(folder), "model.path")
