"""Common random numbers: sampling noise is a function of the sample's identity, not of its order.

A token (an action, a document) is drawn as argmax(log p + g) with standard Gumbel noise g (Gumbel
1954; Maddison et al., arXiv 1411.0030), and g hashes (seed, prompt, sample number, position, token)
alone. So another batch size, order of preferences or method meets the same noise, and differences
between two methods are differences between the methods.
"""

from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

_STEP = -7046029254386353131  # 2^64 / golden ratio, the increment of splitmix64
_TOKEN = -4417276706812531889  # another odd constant, so positions and tokens never line up


def stream_keys(seed: int, prompts: Sequence[str], samples: Sequence[int]) -> Tensor:
    """One 64-bit key for each row's (seed, prompt id, sample number): (rows,) int64."""
    keys = [
        int.from_bytes(
            blake2b(f"{seed}\0{prompt}\0{sample}".encode(), digest_size=8).digest(),
            "big",
            signed=True,
        )
        for prompt, sample in zip(prompts, samples, strict=True)
    ]
    return torch.tensor(keys, dtype=torch.int64)


def gumbel(keys: Tensor, position: int | Tensor, vocabulary: int) -> Tensor:
    """Standard Gumbel noise (rows, vocabulary) of one token position, the same on every device.

    Rows at different places of their responses give a position each, (rows,) int64.
    """
    step = (torch.as_tensor(position, device=keys.device) + 1) * _STEP  # wraps, as int64 does
    start = _mix(keys + step)  # (rows,)
    tokens = torch.arange(1, vocabulary + 1, device=keys.device) * _TOKEN
    bits = _mix(start[:, None] + tokens)
    uniform = (_shift(bits, 11).double() + 0.5) * 2.0**-53
    return -torch.log(-torch.log(uniform)).float()


def _mix(x: Tensor) -> Tensor:
    """Finaliser of splitmix64 (Steele, Lea and Flood 2014) on wrapping int64."""
    x = (x ^ _shift(x, 30)) * -4658895280553007687
    x = (x ^ _shift(x, 27)) * -7723592293110705685
    return x ^ _shift(x, 31)


def _shift(x: Tensor, bits: int) -> Tensor:
    """Logical right shift: torch's own keeps the sign."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
