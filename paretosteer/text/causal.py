"""A causal language model under one control, whole or token by token."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import Tensor

from paretosteer.errors import UnsupportedError
from paretosteer.text.attention import adds_masks
from paretosteer.text.generate import Mixed
from paretosteer.text.kv_cache import RoomyCache, additive, roomy_cache
from paretosteer.text.softprompt import with_vectors

TOGETHER = 4096  # tokens of prompts that are read at once


class CausalStream:
    """One model under one control reading left-padded prompts, token by token.

    Parameters
    ----------
    network
        A Hugging Face causal LM.
    mixed
        Makes the context that sets the banks for one forward pass.
    ids, mask
        Left-padded prompts, (rows, P); 1 where there is text.
    virtual
        Soft prompt vectors put before everything, (rows, V, width), or None.
    own_cache
        Whether to use the network's own cache and masks (rows, length) instead of faster ones.

    """

    def __init__(
        self,
        network: Any,
        mixed: Mixed,
        ids: Tensor,
        mask: Tensor,
        virtual: Tensor | None = None,
        own_cache: bool = False,
    ):
        self.own_cache = own_cache
        parameters = signature(network.forward).parameters
        # Models without attention (Mamba) keep a state of what was read, padding left out.
        self._recurrent = "cache_params" in parameters
        self._cache = "cache_params" if self._recurrent else "past_key_values"
        self.network, self.mixed = network, mixed
        self.ids, self.virtual, self._order = ids, virtual, None
        if virtual is not None:
            mask = torch.cat([mask.new_ones(virtual.shape[:2]), mask], dim=1)
            if own_cache or _counts_padding(network):
                # Elsewhere the vectors stand before the padding, which is as good.
                self._order = mask.argsort(dim=1, stable=True)  # padding, vectors, text
                mask = mask.gather(1, self._order)
        self.mask = mask  # (rows, V + P)
        self.cache: Any = None

    def logits(self, response: Tensor, kept: Tensor) -> Tensor:
        """Logits (rows, T, vocabulary) at every place of the response (rows, T)."""
        mask = torch.cat([self.mask, kept.to(self.mask.dtype)], dim=1)
        ids = torch.cat([self.ids, response], dim=1)
        with self.mixed():
            out = self.network(
                **self._inputs(ids),
                attention_mask=mask,
                position_ids=_positions(mask),
                use_cache=False,
                logits_to_keep=response.shape[1] + 1,
            )
        logits: Tensor = out.logits[:, -response.shape[1] - 1 : -1]  # some return all places
        return logits

    def start(self, width: int) -> Tensor:
        """Read the prompts; logits (rows, vocabulary) of the first response token.

        `width` is the most tokens that `step` will be given: room for them is made once.
        """
        rows, self._read = self.mask.shape
        room = torch.cat([self.mask, self.mask.new_ones(rows, width)], dim=1)
        self.cache = None if self.own_cache else roomy_cache(self.network, room.shape[1])
        plain = self.cache is not None and adds_masks(self.network)
        self._room = additive(room, self.network.dtype) if plain else room
        positions = _positions(self.mask)
        self._position = positions[:, -1:]
        parts = _by_length(self.ids, self.mask.sum(dim=1))
        if self.cache is None or self.virtual is not None or len(parts) == 1:
            return self._forward(self._inputs(self.ids), self.mask, positions)
        return self._read_parts(parts, positions)

    def select(self, rows: Tensor) -> bool:
        """Go on with these rows (n,) alone, where the cache is ours; True if it is."""
        if not isinstance(self.cache, RoomyCache):
            return False
        self.cache.select(rows)
        self._room, self._position = self._room[rows], self._position[rows]
        return True

    def step(self, token: Tensor) -> Tensor:
        """Read one more token per row, (rows,); logits (rows, vocabulary) of the next."""
        self._read += 1
        self._position = self._position + 1
        mask = None if self._recurrent else self._room[..., : self._read]
        return self._forward({"input_ids": token.unsqueeze(1)}, mask, self._position)

    def _inputs(self, ids: Tensor) -> dict[str, Tensor]:
        """Model inputs for the prompts, with or without a response, (rows, P + T)."""
        inputs = with_vectors(self.network, self.virtual, ids)
        if self._order is not None:
            read = self._order.shape[1]
            vectors = inputs["inputs_embeds"]  # (rows, V + P + T, width)
            order = self._order.unsqueeze(-1).expand(-1, -1, vectors.shape[-1])
            ordered = vectors[:, :read].gather(1, order)
            inputs["inputs_embeds"] = torch.cat([ordered, vectors[:, read:]], dim=1)
        return inputs

    def _read_parts(self, parts: list[Tensor], positions: Tensor) -> Tensor:
        """Read the prompts of a part's rows (n,) without the padding that they share.

        `positions` are (rows, P); returns logits (rows, vocabulary) after the prompts.
        """
        rows, longest = self.mask.shape
        read = []
        for part in parts:
            places = slice(longest - int(self.mask[part].sum(dim=1).max()), longest)
            inputs = {"input_ids": self.ids[part, places]}
            with self.cache.reading(part, rows, places):
                mask, of_part = self.mask[part, places], positions[part, places]
                read.append(self._forward(inputs, mask, of_part, part))
        self.cache.use(longest)
        return torch.cat(read)[torch.cat(parts).argsort()]

    def _forward(
        self,
        inputs: dict[str, Tensor],
        mask: Tensor | None,
        positions: Tensor,
        *part: Tensor,
    ) -> Tensor:
        with self.mixed(*part):
            out = self.network(
                **inputs,
                attention_mask=mask,
                position_ids=positions,
                **{self._cache: self.cache},
                use_cache=True,
                logits_to_keep=1,
            )
        self.cache = getattr(out, self._cache, None)
        if self.cache is None:
            raise UnsupportedError(f"{type(self.network).__name__} returns no cache")
        logits: Tensor = out.logits[:, -1]
        return logits


def _counts_padding(network: Any) -> bool:
    """True if padding between two tokens can change how one sees the other.

    So it is where layers see a window or keep a state, and where a model numbers its tokens itself.
    """
    numbered = "position_ids" in signature(network.forward).parameters
    window = getattr(network.config.get_text_config(), "window_size", None)  # of GPT-Neo
    return not numbered or bool(window) or roomy_cache(network, 1) is None


def _positions(mask: Tensor) -> Tensor:
    """Position of every token in its own text, (rows, length): padding does not count."""
    return (mask.cumsum(dim=1) - 1).clamp(min=0)


def _by_length(ids: Tensor, lengths: Tensor) -> list[Tensor]:
    """Rows (n,) to read together: of like length, longest first, about `TOGETHER` tokens.

    Rows of one prompt, (rows, P), stay together in their order. Under a grid of preferences a part
    has thus the same prompts for each, and banks may be merged (see `ActiveBanks.blocks`).
    """
    _, prompt, count = torch.unique(ids, dim=0, return_inverse=True, return_counts=True)
    longest = torch.zeros_like(count).index_put((prompt,), lengths)  # (prompts,)
    order = longest.argsort(descending=True, stable=True)
    parts: list[Tensor] = []
    while len(order):
        most = max(1, TOGETHER // max(1, int(longest[order[0]])))  # rows of a part
        prompts = max(1, most // int(count[order[0]]))
        rows = torch.isin(prompt, order[:prompts]).nonzero().flatten()
        parts += torch.split(rows, most)
        order = order[prompts:]
    return parts
