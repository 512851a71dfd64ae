"""A start model beside a guide: a second language model, which carries the banks.

A control of the start policy runs the start model, any other the guide under its banks, and a
mixture both. Everything else is as if both were one model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

from paretosteer.errors import UnsupportedError
from paretosteer.policies.conditioning import Conditioning, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.text.generate import Decoding, Mixed, Stream, leaves
from paretosteer.text.model import LanguageModel
from paretosteer.text.policy import TextPolicy
from paretosteer.text.sampler import NativeSampler, Sampler
from paretosteer.text.samples import Prompt


class GuidedPolicy(TextPolicy):
    """A frozen start model and a frozen guide of the same tokens, which a conditioning changes.

    Parameters
    ----------
    model, guide
        The start model, and the one with the trainable conditioning.
    conditioning, decoding, seed, answering, sampler
        As those of `TextPolicy`.

    """

    def __init__(
        self,
        model: LanguageModel,
        guide: LanguageModel,
        conditioning: Conditioning,
        decoding: Decoding,
        seed: int,
        answering: Decoding | None = None,
        sampler: Callable[[TextPolicy], Sampler] = NativeSampler,
    ):
        super().__init__(model, Unconditioned(), decoding, seed, answering, sampler)
        self.guide = guide_policy = TextPolicy(guide, conditioning, decoding, seed)
        if guide_policy.reader is not None or guide_policy.prefix is not None:
            kind = type(conditioning).__name__
            raise UnsupportedError(f"{kind} puts vectors before a text, which a guide cannot read")
        self.conditioning, self.active = conditioning, guide_policy.active
        self.layers = guide_policy.layers
        self.recompute = partial(_both, self.recompute, guide_policy.recompute)

    @property
    def size(self) -> int:
        """Number of weights of both models and the banks."""
        return super().size + self.guide.size

    def weights_passed(self, control: Control) -> int:
        """Number of weights that a token passes under a control."""
        start = super().size
        return sum(start if leaf.kind == "start" else self.guide.size for leaf in leaves(control))

    def row_bytes(self, prompts: Sequence[Prompt]) -> int:
        """Estimated memory, in bytes, for answering the longest of these prompts with both."""
        return super().row_bytes(prompts) + self.guide.row_bytes(prompts)

    def _stream(
        self, prompts: Sequence[Prompt], control: Control, new_tokens: int, mixed: Mixed
    ) -> Stream:
        if control.kind == "start":
            return super()._stream(prompts, control, new_tokens, mixed)
        return self.guide._stream(prompts, control, new_tokens, mixed)


@contextmanager
def _both(*contexts: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    with ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context())
        yield
