"""While small layers are frozen, equal blocks of rows share merged weights; outputs stay."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from tiny_text import PROMPTS, tiny_llama
from torch import Tensor, nn

from paretosteer.policies import banks
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.banks import BankedLinear, frozen
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.simplex import lattice
from paretosteer.text import causal
from paretosteer.text.generate import Decoding
from paretosteer.text.policy import TextPolicy

MU = torch.tensor([[0.2, 0.5, 0.3], [1.75, -0.75, 0.0], [0.0, 0.0, 1.0]])
BLOCKS = {
    "two rows each": {"coefficients": MU.repeat_interleave(2, dim=0)},
    "one row each": {"coefficients": MU.repeat(2, 1)},
    "one block": {"coefficients": MU[:1].repeat(6, 1)},
    "one row for all": {"coefficients": MU[:1]},
    "one bank": {"index": torch.tensor([1] * 6)},
    "banks": {"index": torch.tensor([2, 2, 0, 0, 1, 1])},
}
UNEQUAL = {"coefficients": MU[[0, 0, 0, 0, 1, 2]]}


def layer(
    bias: bool = True, trainable_scale: bool = False, dtype: torch.dtype = torch.float32
) -> BankedLinear:
    torch.manual_seed(0)
    base = nn.Linear(5, 7, bias=bias).to(dtype)
    made = BankedLinear(base, [(1, 2.0), (3, 1.0), (2, 0.5)], ActiveBanks(), trainable_scale)
    for parameter in [*made.A, *made.B]:
        nn.init.normal_(parameter)
    return made


@torch.no_grad()
def outputs(made: BankedLinear, x: Tensor, kept: bool, **given: Tensor) -> Tensor:
    """Output of a layer under these coefficients or banks, frozen or not."""
    with frozen(made.active, [made]) if kept else nullcontext(), made.active.set(**given):
        return made(x)


def merges(made: BankedLinear, x: Tensor, **given: Tensor) -> bool:
    """True if the layer does without its own weight."""
    calls = []
    handle = made.base.register_forward_hook(lambda *_: calls.append(1))
    outputs(made, x, kept=True, **given)
    handle.remove()
    return not calls


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("trainable_scale", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("given", BLOCKS.values(), ids=BLOCKS)
def test_merged_blocks_equal_row_by_row(
    given: dict[str, Tensor], bias: bool, trainable_scale: bool, flat: bool
) -> None:
    made, x = layer(bias, trainable_scale), torch.randn(6, 4, 5)
    x = x.flatten(0, 1) if flat else x
    assert merges(made, x, **given)
    separate = outputs(made, x, kept=False, **given)
    torch.testing.assert_close(outputs(made, x, kept=True, **given), separate)


def test_rows_in_unequal_blocks_and_large_or_half_layers_are_not_merged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = torch.randn(6, 4, 5)
    assert not merges(layer(), x, **UNEQUAL)
    half = layer(dtype=torch.bfloat16)  # a merged weight would round small changes away
    assert not merges(half, x.bfloat16(), **BLOCKS["one block"])
    monkeypatch.setattr(banks, "MERGED", 3 * 35 - 1)
    assert merges(layer(), x, **BLOCKS["one block"])
    assert not merges(layer(), x, **BLOCKS["two rows each"])


def test_merged_weights_follow_coefficients_and_banks() -> None:
    made, x = layer(), torch.randn(6, 4, 5)
    first, second = BLOCKS["one row each"], {"coefficients": MU.flip(0).repeat(2, 1)}
    with torch.no_grad(), frozen(made.active, [made]):
        for given in (first, second, first):
            with made.active.set(**given):
                now = made(x)
            torch.testing.assert_close(now, outputs(made, x, kept=False, **given))
    with torch.no_grad():
        made.B[0].add_(1.0)
    after = outputs(made, x, kept=True, **first)
    assert not torch.allclose(after, now)
    torch.testing.assert_close(after, outputs(made, x, kept=False, **first))


@pytest.mark.parametrize("together", [1, 60, 4096])
def test_a_grid_is_sampled_alike_with_merged_blocks(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(causal, "TOGETHER", together)
    policy = TextPolicy(tiny_llama(), Banks(2, 2, 4.0), Decoding(12), seed=0)
    torch.manual_seed(1)
    for parameter in policy.parameters():
        nn.init.normal_(parameter, std=0.3)
    grid = torch.as_tensor(lattice(2, 4), dtype=torch.float32)  # (5, 2)
    control = Control.soup(grid.repeat_interleave(len(PROMPTS), dim=0))
    rows = list(PROMPTS) * len(grid)
    calls: list[int] = []
    for made in policy.layers.values():
        made.base.register_forward_hook(lambda *_: calls.append(1))
    merged = policy.sample(rows, control, 5, [0] * len(rows))
    assert not calls
    monkeypatch.setattr(banks, "MERGED", 0)
    separate = policy.sample(rows, control, 5, [0] * len(rows))
    assert calls
    assert torch.equal(merged.response, separate.response)
    torch.testing.assert_close(merged.log_probs, separate.log_probs)


def test_rows_of_one_prompt_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = torch.tensor([[0, 7, 8], [5, 6, 7], [0, 0, 9]]).repeat(4, 1)  # four preferences
    lengths = torch.tensor([2, 3, 1]).repeat(4)

    def parts(together: int) -> list[list[int]]:
        monkeypatch.setattr(causal, "TOGETHER", together)
        return [part.tolist() for part in causal._by_length(ids, lengths)]

    first, second, third = [1, 4, 7, 10], [0, 3, 6, 9], [2, 5, 8, 11]  # longest first
    assert parts(12) == [first, second, third]
    assert parts(16) == [first, sorted(second + third)]
    assert parts(24) == [sorted(first + second), third]
    assert parts(6) == [[1, 4], [7, 10], [0, 3, 6], [9], third]
    assert parts(1000) == [list(range(12))]
