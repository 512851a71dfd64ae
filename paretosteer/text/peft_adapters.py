"""PEFT LoRA adapters as banks.

Any sum of low-rank deltas of linear layers comes in: any rank, alpha, rank-stabilised scale,
patterns of both, target modules. What is not such a sum (DoRA, trained biases, whole modules) is
refused by name. `paretosteer.text.hf_export` writes the way back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from paretosteer.errors import UsageError
from paretosteer.policies.banks import BankedLinear
from paretosteer.storage.digest import digest, file_digest
from paretosteer.storage.weights import read_model_json, read_tensors

if TYPE_CHECKING:
    from paretosteer.text.policy import TextPolicy

PREFIX = "base_model.model."
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
FACTORS = (".lora_A.weight", ".lora_B.weight")
# Keys of a PEFT configuration that make of a LoRA what is no sum of deltas of the model's weights.
REFUSED = {
    "use_dora": "DoRA",
    "use_qalora": "QA-LoRA",
    "use_bdlora": "block-diagonal LoRA",
    "lora_bias": "a bias in lora_B (lora_bias)",
    "alora_invocation_tokens": "activated LoRA",
    "arrow_config": "Arrow routing",
    "kasa_config": "KaSA",
    "monteclora_config": "MonteCLoRA",
    "layer_replication": "layer replication",
    "modules_to_save": "whole modules (modules_to_save)",
    "target_parameters": "target_parameters",
    "trainable_token_indices": "trained tokens (trainable_token_indices)",
}
# Ways to initialise that leave the model's own weights as they are; PiSSA, OLoRA and others do not.
INITIAL = {"gaussian", "eva", "orthogonal"}


@dataclass(frozen=True)
class Adapter:
    """One adapter: per layer name the factors A (r, in), B (out, r) and their scale.

    `source` is what errors call it. `whole` holds weights that PEFT saved in full beside the
    factors, as it does for embedding and head if one of them is adapted or the vocabulary grew.
    """

    source: str
    layers: Mapping[str, tuple[Tensor, Tensor, float]]
    whole: Mapping[str, Tensor]


def read_adapter(folder: Path) -> Adapter:
    """Read a PEFT LoRA folder; UsageError where it is not low-rank deltas in safetensors."""
    config = _read_config(folder)
    tensors = read_tensors(_weights(folder))
    names = [key.removesuffix(FACTORS[0]) for key in sorted(tensors) if key.endswith(FACTORS[0])]
    factors = {name + end for name in names for end in FACTORS}
    whole = {
        _layer(key.removesuffix(".weight").removesuffix(".base_layer")): value
        for key, value in tensors.items()
        if key.endswith(".weight") and ".lora_" not in key
    }
    if embedded := [key for key in sorted(tensors) if ".lora_embedding_" in key]:
        raise _refusal(
            folder,
            f"{_layer(embedded[0])!r} changes an embedding, and only linear layers can be mixed; "
            "train it without that layer in target_modules",
        )
    foreign = sorted(key for key in tensors.keys() - factors if _layer(key) not in _saved(whole))
    if foreign or not names or not factors <= tensors.keys():
        found = repr(_layer(foreign[0])) if foreign else f"{sorted(tensors)[:1]}"
        raise _refusal(folder, f"{found} is not a pair of low-rank factors; give a plain LoRA")
    layers = {}
    for name in names:
        a, b = (tensors[name + end].float() for end in FACTORS)
        if a.dim() != 2 or b.dim() != 2 or len(a) != b.shape[1]:
            raise _refusal(folder, f"the factors of {_layer(name)!r} do not fit each other")
        if not (a.isfinite().all() and b.isfinite().all()):
            raise _refusal(folder, f"the factors of {_layer(name)!r} hold NaN or infinity")
        layers[_layer(name)] = a, b, _scale(config, _layer(name), len(a))
    return Adapter(str(folder), layers, whole)


def adapter_digest(folder: Path) -> str:
    """Digest of an adapter's content, wherever it lies; UsageError where it is no plain LoRA."""
    config = _read_config(folder)
    scale = {key: config.get(key) for key in ("lora_alpha", "use_rslora", "alpha_pattern")}
    return digest({"scale": scale, "weights": file_digest(_weights(folder))})


def check_adapters(network: Any, adapters: Iterable[Adapter]) -> None:
    """UsageError where an adapter was trained on another model than `network`, naming shapes."""
    for adapter in adapters:
        _check_whole(network, adapter)
        for name, (a, b, _) in adapter.layers.items():
            own = _shape(network, name)
            found = f"{len(b)} x {a.shape[1]}"
            if own is None:
                raise _refusal(
                    adapter.source,
                    f"its layer {name!r} ({found}) is not in {_described(network)}; it was "
                    "trained on another architecture",
                )
            if own != (len(b), a.shape[1]):
                raise _refusal(
                    adapter.source,
                    f"layer {name!r} is {found} in the adapter and {_times(own)} in the model; it "
                    "was trained on another model",
                )


def add_adapters(policy: TextPolicy, adapters: Sequence[Adapter]) -> None:
    """Make each adapter one bank of a policy that has none yet.

    Raises
    ------
    UsageError
        If an adapter's layer is not in the model or has another shape.

    """
    check_adapters(policy.network, adapters)
    names = list(dict.fromkeys(name for adapter in adapters for name in adapter.layers))
    # An adapter without a layer has a bank of rank 0 there.
    add_layouts(policy, {name: [_layout(a, name) for a in adapters] for name in names})
    with torch.no_grad():
        for bank, adapter in enumerate(adapters):
            for name, (a, b, _) in adapter.layers.items():
                parts = policy.layers[name].parts(bank)
                parts["A"].copy_(a)
                parts["B"].copy_(b)


def add_layouts(policy: TextPolicy, layouts: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    """Put banks of these (rank, scale) pairs around the named layers, values to be set."""
    policy.add_banks(
        list(layouts), lambda name, layer: BankedLinear(layer, layouts[name], policy.active)
    )


def _read_config(folder: Path) -> dict[str, Any]:
    """The adapter's configuration; UsageError where it says that it is no plain LoRA."""
    try:
        config = read_model_json(folder / CONFIG)
        kind = config.get("peft_type")
    except (OSError, ValueError, AttributeError):
        found = f"has no readable {CONFIG}" if folder.is_dir() else "is not a folder"
        raise _refusal(folder, f"{found}; give a PEFT LoRA folder") from None
    initial, bias = config.get("init_lora_weights", True), config.get("bias", "none")
    refused = {
        f"peft_type={kind}": kind != "LORA",
        f"bias={bias}": bias != "none",
        f"init_lora_weights={initial}": isinstance(initial, str) and initial not in INITIAL,
        **{name: config.get(key) for key, name in REFUSED.items()},
    }
    for name, present in refused.items():
        if present:
            raise _refusal(
                folder,
                f"{name} is not a sum of low-rank deltas of the model and cannot be mixed; give a "
                "plain LoRA (rank-stabilised is fine)",
            )
    return dict(config)


def _weights(folder: Path) -> Path:
    if not (folder / WEIGHTS).is_file():
        raise _refusal(
            folder,
            f"no {WEIGHTS}; pickled adapters are not loaded, save it again with "
            "save_pretrained(…, safe_serialization=True)",
        )
    return folder / WEIGHTS


def _scale(config: Mapping[str, Any], layer: str, rank: int) -> float:
    """alpha / r, or alpha / sqrt(r) if rank-stabilised; the first pattern that ends a name holds.

    PEFT's rule: a pattern is a regular expression for the last parts of a layer's name.
    """
    patterns = config.get("alpha_pattern") or {}
    own = (a for key, a in patterns.items() if re.match(rf"(.*\.)?({key})$", layer))
    alpha = next(own, config.get("lora_alpha", 8))  # 8 is PEFT's default
    return float(alpha / (rank**0.5 if config.get("use_rslora") else rank))


def _layout(adapter: Adapter, name: str) -> tuple[int, float]:
    if name not in adapter.layers:
        return 0, 1.0
    a, _, scale = adapter.layers[name]
    return len(a), scale


def _check_whole(network: Any, adapter: Adapter) -> None:
    """Weights saved in full must be the model's own: else another vocabulary, or trained ones."""
    for name, weight in adapter.whole.items():
        own, found = _shape(network, name), tuple(weight.shape)
        if own is not None and own != found:
            raise _refusal(
                adapter.source,
                f"it holds {name!r} in full, {_times(found)}, and the model's is {_times(own)}; it "
                "was trained with another vocabulary",
            )
        if own is None or not _same(network.get_submodule(name).weight, weight):
            raise _refusal(
                adapter.source,
                f"it holds {name!r} in full ({_times(found)}) and not as the model has it, which "
                "is no low-rank delta; train it without modules_to_save",
            )


def _same(own: Tensor, saved: Tensor) -> bool:
    """Equal up to the type in which one of them was kept."""
    return torch.equal(own.cpu(), saved.to(own.dtype))


def _shape(network: Any, name: str) -> tuple[int, ...] | None:
    """A layer's (out, in), of an embedding (entries, width); None where there is no such layer."""
    try:
        layer = network.get_submodule(name)
        shape = tuple(layer.weight.shape)
    except AttributeError:
        return None
    return shape[::-1] if type(layer).__name__ == "Conv1D" else shape


def _described(network: Any) -> str:
    config = network.config
    return (
        f"{type(network).__name__} (hidden size {getattr(config, 'hidden_size', '?')}, "
        f"vocabulary {getattr(config, 'vocab_size', '?')})"
    )


def _layer(key: str) -> str:
    return key.removeprefix(PREFIX)


def _saved(whole: Mapping[str, Tensor]) -> set[str]:
    """Keys under which PEFT keeps weights in full."""
    return {name + end for name in whole for end in (".weight", ".base_layer.weight")}


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _refusal(folder: Path | str, what: str) -> UsageError:
    return UsageError(f"method.paths: adapter {str(folder)!r}: {what}")
