"""An encoder-decoder model (T5, BART) under one control, whole or token by token."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from paretosteer.text.attention import adds_masks
from paretosteer.text.generate import Mixed
from paretosteer.text.kv_cache import additive, encoder_decoder_cache
from paretosteer.text.softprompt import with_vectors


class EncoderDecoderStream:
    """Stream of an encoder-decoder: prompts are encoded once, responses grow in the decoder.

    Parameters
    ----------
    network
        A Hugging Face encoder-decoder LM.
    mixed
        Makes the context that sets the banks, encoder's and decoder's, for one forward pass.
    ids, mask
        Right-padded prompts, (rows, P): encoders with learned positions count from the left.
    begin
        The token with which the decoder begins every response.
    virtual
        Soft prompt vectors put before the encoder's input, (rows, V, width), or None.
    own_cache
        Whether to use the network's own cache and masks (rows, length) instead of faster ones.

    """

    def __init__(
        self,
        network: Any,
        mixed: Mixed,
        ids: Tensor,
        mask: Tensor,
        begin: int,
        virtual: Tensor | None = None,
        own_cache: bool = False,
    ):
        self.own_cache = own_cache
        self.network, self.mixed = network, mixed
        self.inputs = with_vectors(network, virtual, ids)
        if virtual is not None:
            mask = torch.cat([mask.new_ones(virtual.shape[:2]), mask], dim=1)
        self.mask = mask  # (rows, V + P)
        self.begin = ids.new_full((len(ids), 1), begin)

    def logits(self, response: Tensor, kept: Tensor) -> Tensor:
        """Logits (rows, T, vocabulary) at every place of the response (rows, T).

        Padding needs no mask: it stands after everything that is kept.
        """
        with self.mixed():
            out = self.network(
                **self.inputs,
                attention_mask=self.mask,
                decoder_input_ids=torch.cat([self.begin, response[:, :-1]], dim=1),
                use_cache=False,
            )
        logits: Tensor = out.logits
        return logits

    def start(self, width: int) -> Tensor:
        """Read the prompts; logits (rows, vocabulary) of the first response token.

        `width` is the most tokens that `step` will be given: room for them is made once.
        """
        with self.mixed():
            self._read = self.network.get_encoder()(**self.inputs, attention_mask=self.mask)
        plain = adds_masks(self.network) and not self.own_cache
        dtype = self._read[0].dtype
        self._seen = additive(self.mask, dtype) if plain else self.mask
        # All rows start together, so none needs a mask of its response.
        self._written = additive(self.mask.new_ones(1, 1 + width), dtype) if plain else None
        room = None if self.own_cache else 1 + width
        self._cache = encoder_decoder_cache(self.network, room)
        self._length = 0
        return self._forward(self.begin)

    def step(self, token: Tensor) -> Tensor:
        """Read one more token per row, (rows,); logits (rows, vocabulary) of the next."""
        return self._forward(token.unsqueeze(1))

    def select(self, rows: Tensor) -> bool:
        """False: all rows stay to the end."""
        return False

    def _forward(self, token: Tensor) -> Tensor:
        self._length += 1
        written = None if self._written is None else self._written[..., : self._length]
        with self.mixed():
            out = self.network(
                encoder_outputs=self._read,
                attention_mask=self._seen,
                decoder_input_ids=token,
                decoder_attention_mask=written,
                past_key_values=self._cache,
                use_cache=True,
            )
        logits: Tensor = out.logits[:, -1]
        return logits
