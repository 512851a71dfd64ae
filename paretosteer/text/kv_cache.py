"""Preallocated key-value cache: the one of `transformers` is copied as a whole at every token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, EncoderDecoderCache


def roomy_cache(network: Any, room: int) -> RoomyCache | None:
    """Cache for `room` positions; None if a layer needs another kind, such as a sliding window."""
    layers = DynamicCache(config=network.config).layers
    if not layers or any(type(layer) is not DynamicLayer for layer in layers):
        return None
    return RoomyCache(len(layers), room)


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


class RoomyCache(Cache):  # type: ignore[misc]
    """Keys and values of every layer, with room for those to come."""

    def __init__(self, layers: int, room: int):
        super().__init__(layers=[RoomyLayer(room) for _ in range(layers)])

    def select(self, rows: Tensor) -> None:
        """Drop every row but these (n,)."""
        for layer in self.layers:
            layer.select(rows)

    @contextmanager
    def reading(self, rows: Tensor, total: int, places: slice) -> Iterator[None]:
        """Store what is read inside the block as `places` of these rows (n,) out of `total`."""
        for layer in self.layers:
            layer.part, layer.rows = (rows, places), total
        yield
        for layer in self.layers:
            layer.part = None

    def use(self, length: int) -> None:
        """Count the first `length` positions as read."""
        for layer in self.layers:
            layer.use(length)


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer, in buffers of fixed size (rows, heads, room, width)."""

    def __init__(self, room: int):
        super().__init__()
        self.room, self.used = room, 0
        self.part: tuple[Tensor, slice] | None = None  # rows and places that are read alone
        self.rows: int | None = None  # rows in all; None: those of the first keys

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        super().lazy_initialization(key_states, value_states)
        # Zeros: padding that is never read has no keys, and a mask does not hide NaN.
        self._keys, self._values = (
            x.new_zeros(self.rows or len(x), x.shape[1], self.room, x.shape[-1])
            for x in (key_states, value_states)
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
        if self.part is not None:
            rows, places = self.part
            self._keys[rows, :, places] = key_states
            self._values[rows, :, places] = value_states
            return key_states, value_states
        first, length = self.used, self.used + key_states.shape[-2]
        self._keys[:, :, first:length] = key_states
        self._values[:, :, first:length] = value_states
        self.use(length)
        return self.keys, self.values

    def use(self, length: int) -> None:
        """Count the first `length` positions as read."""
        self.used = length
        self.keys, self.values = self._keys[:, :, :length], self._values[:, :, :length]
