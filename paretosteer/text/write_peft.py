"""Write PEFT adapters: a soup as one LoRA adapter, soft prompts as prompt tuning.

A soup concatenates the factors of its banks and folds the coefficients into B, which is exact for
negative coefficients too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from paretosteer.text.policy import TextPolicy
from paretosteer.text.read_peft import CONFIG, PREFIX, WEIGHTS


def write_adapter(policy: TextPolicy, row: Tensor, folder: Path, base: str) -> None:
    """Write one coefficient row (banks,) as a PEFT LoRA folder on the base model named `base`."""
    tensors, ranks, whole = {}, {}, []
    redirected = _redirected(policy.network, policy.layers)
    for name, layer in policy.layers.items():
        a, b = (factor.detach() for factor in layer.factors(row))
        if len(a) and name in redirected:
            whole.append(name)
            tensors[f"{PREFIX}{name}.weight"] = layer.materialise(row.to(policy.device))
            if (bias := getattr(layer.base, "bias", None)) is not None:
                tensors[f"{PREFIX}{name}.bias"] = bias
        elif len(a):
            tensors[f"{PREFIX}{name}.lora_A.weight"] = a
            tensors[f"{PREFIX}{name}.lora_B.weight"] = b
            ranks[name] = len(a)
    usual = max(ranks.values(), default=1)
    other = {name: rank for name, rank in ranks.items() if rank != usual}
    config = {
        "peft_type": "LORA",
        "r": usual,
        "lora_alpha": usual,  # alpha = rank throughout, so that PEFT multiplies by 1
        "rank_pattern": other,
        "alpha_pattern": other,
        "target_modules": sorted(ranks),
        "fan_in_fan_out": any(policy.layers[name].transposed for name in ranks),
        "lora_dropout": 0.0,
        "bias": "none",
        **({"modules_to_save": whole} if whole else {}),
    }
    _write_peft(policy, tensors, config, folder, base)


def _redirected(network: Any, names: Iterable[str]) -> set[str]:
    """Layers that PEFT takes for experts of an earlier transformers, by the end of their names.

    In some mixtures of experts it looks for the factors of `gate_proj` inside the fused experts,
    so that a dense layer of that name would silently lose its own. Such layers are saved whole.
    """
    try:
        from peft.utils.transformers_weight_conversion import convert_peft_config_for_transformers
    except ImportError:  # versions that do not redirect
        return set()
    from peft import LoraConfig

    ends: dict[str, bool] = {}
    for end in {name.rpartition(".")[2] for name in names}:
        config = LoraConfig(target_modules={end})
        try:
            convert_peft_config_for_transformers(config, network, None)
            ends[end] = end not in config.target_modules
        except ValueError:  # it is one part of a fused weight
            ends[end] = True
    return {name for name in names if ends[name.rpartition(".")[2]]}


def write_soft_prompt(policy: TextPolicy, vectors: Tensor, folder: Path, base: str) -> None:
    """Write virtual tokens (tokens, width) as a PEFT prompt-tuning folder on `base`."""
    model = policy.network.config.get_text_config()
    config = {
        "peft_type": "PROMPT_TUNING",
        "num_virtual_tokens": len(vectors),
        "token_dim": vectors.shape[1],
        "num_transformer_submodules": 1,
        "num_attention_heads": model.num_attention_heads,
        "num_layers": model.num_hidden_layers,
        "prompt_tuning_init": "RANDOM",
    }
    _write_peft(policy, {"prompt_embeddings": vectors}, config, folder, base)


def _write_peft(
    policy: TextPolicy,
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    folder: Path,
    base: str,
) -> None:
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    arrays = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    save_file(arrays, folder / WEIGHTS, metadata={"format": "pt"})
    task = "SEQ_2_SEQ_LM" if policy.network.config.is_encoder_decoder else "CAUSAL_LM"
    common = {"task_type": task, "base_model_name_or_path": base, "inference_mode": True}
    if base == policy.model.hub_name:
        common["revision"] = policy.model.commit
    text = json.dumps({**config, **common}, indent=2)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")
