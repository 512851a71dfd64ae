"""Size and training length of an embedded start model, by budget or as configured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from paretosteer.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Size:
    """Size of a small Llama and its tokenizer, and length of its training."""

    vocabulary: int  # upper limit
    width: int
    layers: int
    heads: int
    steps: int
    learning_rate: float
    batch_tokens: int = 512  # tokens per batch, including padding
    context: int = 256  # tokens

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise UsageError(
                f"start model: found width {self.width} with {self.heads} heads; set the width to "
                f"a multiple of {2 * self.heads}, twice the number of heads"
            )


# On one idle core, `quick` takes three to four minutes and `full` about twenty-five.
SIZES: Mapping[str, Size] = {
    "smoke": Size(512, 32, 1, 2, steps=30, learning_rate=1e-2, batch_tokens=4096),
    "quick": Size(2048, 128, 3, 4, steps=3600, learning_rate=3e-3),
    "full": Size(4096, 256, 4, 4, steps=8000, learning_rate=1.5e-3),
}

SHARES = (4, 2, 1)  # of the width, for sizes to choose from


def smaller_sizes(size: Size) -> tuple[Size, ...]:
    """Sizes to choose from, smallest first: a quarter and half of the width, and the size itself.

    The learning rate rises as the width falls, as it does in `SIZES`.
    """
    return tuple(
        replace(
            size,
            width=size.width // share,
            layers=max(1, size.layers // share),
            heads=max(1, size.heads // share),
            learning_rate=size.learning_rate * share,
        )
        for share in SHARES
    )


def size_for(budget: str, **given: float | None) -> Size:
    """Size for a budget; keyword arguments other than None override its fields.

    Raises
    ------
    UsageError
        If the budget has no size, or the fields are inconsistent.

    """
    if budget not in SIZES:
        raise UsageError(f"budget: no start model for {budget!r}; {did_you_mean(budget, SIZES)}")
    overrides = {name: value for name, value in given.items() if value is not None}
    return replace(SIZES[budget], **overrides)  # type: ignore[arg-type]
