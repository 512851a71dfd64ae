"""Preallocated key-value cache: the one of `transformers` is copied as a whole at every token."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, EncoderDecoderCache


def roomy_cache(network: Any, room: int) -> Cache | None:
    """Cache for `room` positions; None if a layer needs another kind, such as a sliding window."""
    layers = DynamicCache(config=network.config).layers
    if not layers or any(type(layer) is not DynamicLayer for layer in layers):
        return None
    return Cache(layers=[RoomyLayer(room) for _ in layers])


def encoder_decoder_cache(network: Any, room: int | None) -> EncoderDecoderCache:
    """Cache for the decoder, and for its cross-attention to the encoder.

    With `room`, positions are preallocated where the decoder's layers allow it.
    """
    decoder = network.get_decoder()
    own = roomy_cache(decoder, room) if room else None
    return EncoderDecoderCache(own or DynamicCache(config=decoder.config), DynamicCache())


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Turn a mask (rows, length) into an additive one, (rows, 1, 1, length).

    Converting it once saves every layer from converting a Boolean mask at every step.
    """
    lowest = torch.finfo(dtype).min
    return torch.where(mask.bool(), 0.0, lowest).to(dtype)[:, None, None]


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, in buffers of fixed size (rows, heads, room, width)."""

    def __init__(self, room: int):
        super().__init__()
        self.room, self.used = room, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        super().lazy_initialization(key_states, value_states)
        self._keys, self._values = (
            x.new_empty(*x.shape[:2], self.room, x.shape[-1]) for x in (key_states, value_states)
        )

    def select(self, rows: Tensor) -> None:
        """Drop every row but these (n,)."""
        self._keys, self._values = self._keys[rows], self._values[rows]

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append keys and values; return all so far as views of the buffers."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        first, self.used = self.used, self.used + key_states.shape[-2]
        self._keys[:, :, first : self.used] = key_states
        self._values[:, :, first : self.used] = value_states
        self.keys, self.values = self._keys[:, :, : self.used], self._values[:, :, : self.used]
        return self.keys, self.values
