"""What vLLM can write, and the ranks of adapters that it has room for."""

from __future__ import annotations

from paretosteer.errors import UnsupportedError
from paretosteer.policies.control import Control
from paretosteer.text.engines.lora_adapters import largest_rank
from paretosteer.text.policy import TextPolicy

RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)  # smaller adapters are padded with zeros


def refuse(policy: TextPolicy, control: Control | None) -> None:
    """Raise UnsupportedError where vLLM cannot write a policy's samples."""
    if policy.model.encoder_decoder:
        reason = "it writes with causal models only"
    elif policy.conditioning.steered_by == "mixture" or (control and control.participants):
        reason = "it cannot mix the log-probabilities of several policies at every token"
    elif policy.conditioning.merge == "factors":
        reason = "averages of factors (merge=factors) are of another rank than their sum"
    elif not policy.low_rank:
        reason = "it cannot shift the outputs of layers (method.condition=shifts)"
    elif control and (largest := largest_rank(policy, control)) > RANKS[-1]:
        reason = (
            f"with this method.rank, adapters have rank {largest}, above its limit of {RANKS[-1]}"
        )
    else:
        return
    raise UnsupportedError(f"engine=vllm: {reason}; set engine=native")


def padded(rank: int) -> int:
    """Smallest rank that vLLM makes room for and that holds this one."""
    return next((room for room in RANKS if room >= rank), rank)


def has_vectors(policy: TextPolicy, control: Control) -> bool:
    """True if prompts begin with virtual tokens."""
    return control.kind == "features" or (policy.prefix is not None and control.kind != "start")
