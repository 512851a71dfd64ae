"""Engine that writes responses. Ours is `paretosteer.text.generate`; another may replace it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from paretosteer.config.setting import SMALL
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.banks import LinearBanks, frozen
from paretosteer.policies.common_random_numbers import stream_keys
from paretosteer.policies.control import Control
from paretosteer.text.generate import Decoding, Stream, generate
from paretosteer.text.model import LanguageModel
from paretosteer.text.samples import Prompt


class Responses(NamedTuple):
    """Responses of a sampler, right-padded, on the device of the policy."""

    tokens: Tensor  # (rows, T) int64, padded with the tokenizer's padding token
    mask: Tensor  # (rows, T) bool, True up to and including the end token
    # (rows, T) float32, under the decoding's distribution, at temperature 1 if greedy; 0 outside
    # the mask. They must equal `TextPolicy.log_probs`, or policy gradients are biased.
    log_probs: Tensor


class Sampler(Protocol):
    """Writes one response per row.

    An engine of your own is built from a policy, `Engine(policy)`. A benchmark uses it for every
    policy once it is set as its `sampler`.
    """

    def __call__(
        self,
        prompts: Sequence[Prompt],
        control: Control,
        seed: int,
        samples: Sequence[int],
        decoding: Decoding,
    ) -> Responses:
        """Write responses to `prompts` (rows), each under its row of `control`.

        Noise may depend on the seed, the prompt's id, the sample number and the position alone:
        common random numbers make methods comparable.
        """
        ...


class SampledPolicy(Protocol):
    """Parts of a `paretosteer.text.policy.TextPolicy` that an engine uses."""

    model: LanguageModel
    tokenizer: Any  # transformers.PreTrainedTokenizerBase
    network: Any  # transformers.PreTrainedModel with banks in its linear layers
    active: ActiveBanks

    @property
    def layers(self) -> Mapping[str, LinearBanks]:
        """Layers with banks, by their names in the network."""
        ...

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        ...

    @property
    def size(self) -> int:
        """Number of weights of the network and its banks."""
        ...

    def mixed(self, control: Control) -> AbstractContextManager[Any]:
        """Set every layer's banks for the rows of a control."""
        ...

    def streams(
        self, prompts: Sequence[Prompt], control: Control, new_tokens: int, held: bool = False
    ) -> list[Stream]:
        """Models of a mixture, or the one under the control."""
        ...


class NativeSampler:
    """Our own loop: every control in one batch, common random numbers, mixtures of policies."""

    def __init__(self, policy: SampledPolicy):
        self.policy = policy

    @torch.no_grad()
    def __call__(
        self,
        prompts: Sequence[Prompt],
        control: Control,
        seed: int,
        samples: Sequence[int],
        decoding: Decoding,
    ) -> Responses:
        """Write responses; see `Sampler`."""
        policy = self.policy
        keys = stream_keys(seed, [p.id for p in prompts], samples).to(policy.device)
        # A single model keeps its banks set from the first token to the last, so that their slots
        # are computed once. Several take turns.
        alone = not control.participants
        with (
            frozen(policy.active, policy.layers.values()),
            policy.mixed(control) if alone else nullcontext(),
        ):
            streams = policy.streams(prompts, control, decoding.max_new_tokens, held=alone)

            def select(rows: Tensor) -> bool:
                """Go on with these rows alone; small models keep all, and their rounding."""
                if not alone or policy.size < SMALL or not streams[0].select(rows):
                    return False
                policy.active.select(rows)
                return True

            written = generate(
                streams,
                keys,
                decoding,
                ends=policy.model.ends,
                pad=policy.tokenizer.pad_token_id,
                control=control,
                select=select,
            )
        return Responses(*written)
