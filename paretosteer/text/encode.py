"""Encoding of prompts into padded batches, and decoding of responses into text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor

from paretosteer.errors import UsageError
from paretosteer.text.model import LanguageModel
from paretosteer.text.samples import Prompt

SPACE = "\u2581"  # SentencePiece's symbol for a space, at the front of the following word


class PromptEncoder:
    """Tokenises prompts into padded batches, caching the tokens of each text."""

    def __init__(self, model: LanguageModel):
        self.model = model
        self._ids: dict[str, list[int]] = {}

    def __call__(
        self, texts: Sequence[str], prompts: Sequence[Prompt], virtual: int, new_tokens: int
    ) -> tuple[Tensor, Tensor]:
        """Padded ids and mask, (rows, P), of `texts`, which were made from `prompts`.

        Padding is on the left for a causal model, so that all responses start in the same column,
        and on the right for an encoder.

        Raises
        ------
        UsageError
            If the longest text does not fit the context together with `virtual` tokens before it
            and `new_tokens` after it.

        """
        rows = [self._encode(text) for text in texts]
        width, room = max(map(len, rows)), self.model.room(new_tokens) - virtual
        if width > room:
            prompt = max(zip(map(len, rows), prompts, strict=True), key=lambda pair: pair[0])[1]
            raise UsageError(
                f"benchmark.max_new_tokens: prompt {prompt.id!r} needs {width} tokens, but "
                f"{new_tokens} new tokens leave room for only {max(room, 0)}; lower it, or shorten "
                "the prompt"
            )
        return self.pad(rows)

    def pad(self, rows: Sequence[list[int]]) -> tuple[Tensor, Tensor]:
        """Padded ids and mask, (rows, P), of encoded texts."""
        width, pad = max(map(len, rows)), self.model.tokenizer.pad_token_id
        ids = [self._padded(row, [pad] * (width - len(row))) for row in rows]
        mask = [self._padded([1] * len(row), [0] * (width - len(row))) for row in rows]
        device = self.model.network.device
        return torch.tensor(ids).to(device), torch.tensor(mask).to(device)

    def length(self, text: str) -> int:
        """Number of tokens of a text."""
        return len(self._encode(text))

    def _encode(self, text: str) -> list[int]:
        if text not in self._ids:
            ids = self.model.tokenizer(text)["input_ids"]
            self.model.check_embedded(ids)
            self._ids[text] = ids
        return self._ids[text]

    def _padded(self, row: list[int], padding: list[int]) -> list[int]:
        return row + padding if self.model.encoder_decoder else padding + row


def response_texts(model: LanguageModel, response: Tensor, mask: Tensor) -> list[str]:
    """Decode responses (rows, T) without special tokens.

    A SentencePiece tokenizer drops the space before the first word that it decodes. The response of
    a causal model continues its prompt, so the space is kept. The response of an encoder-decoder
    model is a separate text, so it is dropped.
    """
    tokenizer = model.tokenizer
    rows = [ids[keep].tolist() for ids, keep in zip(response.cpu(), mask.cpu(), strict=True)]
    heads: list[int | None] = [None] * len(rows)
    if not model.encoder_decoder:
        special = set(tokenizer.all_special_ids)
        heads = [_head(tokenizer, row, special) for row in rows]
    # The space survives behind another token: prepend a copy of the first token, then cut its text.
    doubled = [row if head is None else [head, *row] for head, row in zip(heads, rows, strict=True)]
    texts = tokenizer.batch_decode(doubled, skip_special_tokens=True)
    before = {head: "" if head is None else tokenizer.decode([head]) for head in set(heads)}
    return [text.removeprefix(before[head]) for head, text in zip(heads, texts, strict=True)]


def _head(tokenizer: Any, row: Sequence[int], special: Collection[int]) -> int | None:
    """First token of a row, if decoding would drop its space."""
    first = next((token for token in row if token not in special), None)
    if first is None or not str(tokenizer.convert_ids_to_tokens(first)).startswith(SPACE):
        return None
    return first
