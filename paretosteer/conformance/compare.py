"""Whether two tensors, or two controls, are the same."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from paretosteer.policies.control import Control


def differing(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> str | None:
    """The first tensor that is not the same bit for bit in both."""
    names = sorted(one.keys() | other.keys())
    unlike = (
        n for n in names if n not in one or n not in other or not torch.equal(one[n], other[n])
    )
    return next(unlike, None)


def same_rows(one: Control, other: Control, atol: float = 0.0) -> bool:
    """Whether two controls are the same, row by row."""
    plain = (one.kind, one.rows, one.words) == (other.kind, other.rows, other.words)
    tensors = [(one.values, other.values), (one.sharpness, other.sharpness)]
    return plain and all(
        (a is None and b is None)
        or (
            a is not None
            and b is not None
            and a.shape == b.shape
            and np.allclose(a.cpu().numpy(), b.cpu().numpy(), rtol=0, atol=atol, equal_nan=True)
        )
        for a, b in tensors
    )
