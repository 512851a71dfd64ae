"""Heads padded with zeros attend as they would without."""

from __future__ import annotations

import pytest
import torch
from vllm_standin import installed

from paretosteer.text.engines.small_heads import pad_small_heads


@pytest.mark.parametrize("size", [8, 32, 48])
def test_padding_changes_no_output(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    from vllm.model_executor.layers.attention import Attention

    states = [torch.randn(5, 2 * size) for _ in range(3)]
    expected = Attention(2, size, 0.3).forward(*states)
    pad_small_heads()
    layer = Attention(2, size, 0.3)
    assert layer.head_size == (64 if size == 48 else 32)
    torch.testing.assert_close(layer.forward(*states), expected)
    assert layer.forward(*states).shape == (5, 2 * size)
