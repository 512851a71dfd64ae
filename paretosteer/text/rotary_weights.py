"""Rotary frequencies that a checkpoint holds beside its weights, as early Llama models do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from paretosteer.errors import UsageError
from paretosteer.storage.safetensors_only import read_weights_files

_BUFFER = "inv_freq"
_ROUNDED = 0.02  # relative, of frequencies saved in half precision


def check_frequencies(network: Any, folder: str, option: str) -> None:
    """Raise UsageError if a checkpoint holds other frequencies than config.json states.

    transformers computes them from the configuration, whatever the checkpoint holds.

    Parameters
    ----------
    network
        The network that was built.
    folder
        Folder of its checkpoint.
    option
        Name of the option that holds the folder, for errors.

    """
    used = [buffer for name, buffer in network.named_buffers() if name.endswith(_BUFFER)]
    rotary = getattr(network.config.get_text_config(), "rope_parameters", None) or {}
    scaled = rotary.get("rope_type", "default") != "default"  # checkpoints hold those without
    if scaled or not (used and Path(folder).is_dir()):
        return
    for file in sorted(read_weights_files(Path(folder))):
        with safe_open(Path(folder) / file, framework="pt") as weights:
            names = weights.keys()
            for name in sorted(names):
                if name.endswith(_BUFFER) and not any(
                    _alike(weights.get_tensor(name), each) for each in used
                ):
                    raise UsageError(
                        f"{option}: {folder!r} holds rotary frequencies ({name}) that differ from "
                        "those of its config.json; set rope_theta to the base it was trained with"
                    )


def _alike(held: torch.Tensor, used: torch.Tensor) -> bool:
    held, used = held.float(), used.float().cpu()
    return held.shape == used.shape and torch.allclose(held, used, rtol=_ROUNDED, atol=1e-6)
