"""Number of tokens within which an architecture reads short and long texts alike.

Beyond it, a network reads every row of a batch in another way as soon as one of them is long, so
that a text would have other scores in a batch than alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ORIGINAL = "original_max_position_embeddings"


def uniform_context(config: Any) -> int | None:
    """Most tokens that are read alike; None if there is no such limit.

    Parameters
    ----------
    config
        Configuration of a network, or of its text part.

    """
    limits = []
    if getattr(config, "attention_type", None) == "block_sparse":
        # BigBird's: for a text of at most so many tokens, the network changes to full attention,
        # and does not change back.
        limits.append((5 + 2 * config.num_random_blocks) * config.block_size)
    given = getattr(config, "rope_parameters", None) or {}
    for rope in (given, *given.values()):  # for all layers, or by kind of layer
        if isinstance(rope, Mapping) and rope.get("rope_type") == "longrope":
            # Longer texts get other factors (Phi-3).
            stated = rope.get(_ORIGINAL) or getattr(config, _ORIGINAL, None)
            limits += [int(stated)] if stated else []
    return min(limits, default=None)
