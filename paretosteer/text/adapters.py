"""PEFT LoRA adapters in and out of banks.

Any sum of low-rank deltas comes in: any rank, alpha, rank-stabilised scale, target modules. What is
not such a sum (DoRA, trained biases, whole modules) is refused by name. Out goes one adapter per
coefficient row: the banks' factors side by side with the coefficients folded into B, which is exact
for negative coefficients too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretosteer.errors import UsageError
from paretosteer.text.policy import TextPolicy

PREFIX = "base_model.model."
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


@dataclass(frozen=True)
class Adapter:
    """One adapter: per layer name the factors A (r, in), B (out, r) and their scale."""

    layers: Mapping[str, tuple[Tensor, Tensor, float]]


def read_adapter(folder: Path) -> Adapter:
    """Read a PEFT LoRA folder; UsageError where it is not low-rank deltas in safetensors."""
    from safetensors.torch import load_file

    config = _read_config(folder)
    if not (folder / WEIGHTS).is_file():
        raise UsageError(
            f"adapter {str(folder)!r}: no {WEIGHTS}; pickled adapters are not loaded, save it "
            "again with save_pretrained(…, safe_serialization=True)"
        )
    tensors = load_file(folder / WEIGHTS)
    names = sorted(key.split(".lora_A.")[0] for key in tensors if ".lora_A." in key)
    foreign = [key for key in tensors if not key.endswith((".lora_A.weight", ".lora_B.weight"))]
    if foreign or not names:
        found = foreign[0] if foreign else "no lora_A tensors"
        raise UsageError(
            f"adapter {str(folder)!r}: {found!r} is not a low-rank delta; give a plain LoRA"
        )
    layers = {}
    for name in names:
        a, b = tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"]
        layer = name.removeprefix(PREFIX)
        layers[layer] = (a.float(), b.float(), _scale(config, layer, len(a)))
    return Adapter(layers)


def add_adapters(policy: TextPolicy, adapters: Sequence[Adapter]) -> None:
    """Make each adapter one bank of a policy that has none yet.

    Raises
    ------
    UsageError
        If an adapter's layer is not in the model or has another shape.

    """
    names = list(dict.fromkeys(name for adapter in adapters for name in adapter.layers))
    for name in names:
        _check_shapes(policy, name, adapters)
    # An adapter that leaves a layer alone has a bank of rank 0 there.
    policy.add_banks({name: [_layout(adapter, name) for adapter in adapters] for name in names})
    with torch.no_grad():
        for bank, adapter in enumerate(adapters):
            for name, (a, b, _) in adapter.layers.items():
                policy.layers[name].A[bank].copy_(a)
                policy.layers[name].B[bank].copy_(b)


def write_adapter(policy: TextPolicy, coefficients: Tensor, folder: Path, base: str) -> None:
    """Write one coefficient row (banks,) as a PEFT LoRA folder on the base model named `base`."""
    from safetensors.torch import save_file

    tensors, ranks = {}, {}
    for name, layer in policy.layers.items():
        scaled = [
            b.detach() * float(c) * scale
            for b, c, (_, scale) in zip(layer.B, coefficients, layer.layout, strict=True)
        ]
        a = torch.cat([a.detach() for a in layer.A]).cpu().contiguous()
        tensors[f"{PREFIX}{name}.lora_A.weight"] = a
        tensors[f"{PREFIX}{name}.lora_B.weight"] = torch.cat(scaled, dim=1).cpu().contiguous()
        ranks[name] = len(a)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(_peft_config(ranks, base), indent=2))


def _peft_config(ranks: Mapping[str, int], base: str) -> dict[str, Any]:
    """alpha = rank throughout, so that PEFT multiplies by 1."""
    usual = max(ranks.values())
    other = {name: rank for name, rank in ranks.items() if rank != usual}
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": usual,
        "lora_alpha": usual,
        "rank_pattern": other,
        "alpha_pattern": other,
        "target_modules": sorted(ranks),
        "lora_dropout": 0.0,
        "bias": "none",
        "inference_mode": True,
    }


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text())
    except (OSError, ValueError):
        raise UsageError(
            f"adapter {str(folder)!r}: no readable {CONFIG}; give a PEFT folder"
        ) from None
    refused = {
        f"peft_type={config.get('peft_type')}": config.get("peft_type") != "LORA",
        "DoRA": config.get("use_dora"),
        f"bias={config.get('bias')}": config.get("bias", "none") != "none",
        "modules_to_save": config.get("modules_to_save"),
    }
    for name, present in refused.items():
        if present:
            raise UsageError(
                f"adapter {str(folder)!r}: {name} is not a sum of low-rank deltas and cannot be "
                "mixed; give a plain LoRA (rank-stabilised is fine)"
            )
    return config


def _scale(config: Mapping[str, Any], layer: str, rank: int) -> float:
    """alpha / r, or alpha / sqrt(r) if rank-stabilised; a pattern matches the end of a name."""
    alpha = config["lora_alpha"]
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        if fnmatch(layer, pattern) or layer.endswith(f".{pattern}"):
            alpha = value
    return float(alpha / (rank**0.5 if config.get("use_rslora") else rank))


def _layout(adapter: Adapter, name: str) -> tuple[int, float]:
    if name not in adapter.layers:
        return 0, 1.0
    a, _, scale = adapter.layers[name]
    return len(a), scale


def _check_shapes(policy: TextPolicy, name: str, adapters: Sequence[Adapter]) -> None:
    try:
        layer = policy.network.get_submodule(name)
        weight = layer.weight
    except AttributeError:
        kind = type(policy.network).__name__
        raise UsageError(
            f"adapter: its layer {name!r} is not in {kind}; it was trained on another model"
        ) from None
    own = tuple(weight.shape if isinstance(layer, torch.nn.Linear) else weight.shape[::-1])
    for adapter in adapters:
        if name in adapter.layers:
            a, b, _ = adapter.layers[name]
            if (len(b), a.shape[1]) != own:
                raise UsageError(
                    f"adapter: layer {name!r} is {len(b)} x {a.shape[1]} in the adapter and "
                    f"{own[0]} x {own[1]} in the model; it was trained on another model"
                )
