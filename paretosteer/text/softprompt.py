"""Virtual tokens before a text, so that any architecture takes them unchanged."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def with_vectors(network: Any, virtual: Tensor | None, ids: Tensor) -> dict[str, Tensor]:
    """Model inputs: token ids (rows, P) after virtual tokens (rows, V, width), if any."""
    if virtual is None:
        return {"input_ids": ids}
    text = network.get_input_embeddings()(ids)
    return {"inputs_embeds": torch.cat([virtual.to(text.dtype), text], dim=1)}
