"""Export of a policy at one preference: a plain Hugging Face folder, or a PEFT adapter.

A soup is exported merged into the weights, or as one LoRA adapter that concatenates the factors of
the banks and folds the coefficients into B, which is exact for negative coefficients too. Soft
prompts are exported as a PEFT prompt-tuning adapter with fixed vectors on the merged model. If the
preference is written into the prompt, users have to prepend the text of `prefix` themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from paretosteer.errors import UsageError
from paretosteer.policies.control import Control
from paretosteer.text.peft_adapters import CONFIG, PREFIX, WEIGHTS
from paretosteer.text.policy import TextPolicy

Form = Literal["model", "peft"]
BASE = "base"  # subfolder with the merged model under a soft prompt


def check_form(policy: TextPolicy, control: Control, form: Form) -> None:
    """Raise UsageError if the control cannot be exported in this form, naming one that can."""
    if control.sharpness is not None:
        raise UsageError(
            "--dial: a temperature other than 1 mixes the next-token scores of two models, which "
            "a single model cannot do; omit --dial, or use `paretosteer sample`"
        )
    if control.participants:
        raise UsageError(
            f"--as {form}: this policy mixes the next-token scores of several models, which no "
            "single model does; use `paretosteer sample`"
        )
    if control.kind == "features" and form == "model":
        raise UsageError(
            "--as model: this policy reads the preference as soft prompt vectors, which a plain "
            "model cannot store; use --as peft for a prompt-tuning adapter"
        )
    if control.kind == "features" and policy.network.config.is_encoder_decoder:
        raise UsageError(
            "--as peft: PEFT cannot reproduce the soft prompts of an encoder-decoder model; "
            "use `paretosteer sample`"
        )
    if form == "peft" and control.kind != "features" and not _changed(policy, control):
        raise UsageError(
            "--as peft: at this preference the policy equals the start model, so the adapter "
            "would be empty; use --as model"
        )


def write_policy(
    policy: TextPolicy, control: Control, form: Form, folder: Path, base: str, final: Path
) -> None:
    """Write a policy under one control.

    Parameters
    ----------
    policy
        The policy to export.
    control
        A control of one row, accepted by `check_form`.
    form
        `model`: a folder for `AutoModelForCausalLM.from_pretrained`, with tokenizer and decoding
        settings. `peft`: an adapter on the start model, or, for soft prompts, on the merged model
        in the subfolder `base`.
    folder
        An existing empty folder.
    base
        Path or name of the start model, recorded in the adapter.
    final
        Final path of the folder, recorded in an adapter on a model inside it.

    """
    row = coefficients(policy, control)
    if form == "model":
        write_model(policy, row, folder)
    elif control.kind != "features":
        assert row is not None  # `check_form` refused the start model
        write_adapter(policy, row, folder, base)
    else:
        assert policy.reader is not None and control.values is not None
        if policy.layers:
            write_model(policy, row, folder / BASE)
            base = str(final.resolve() / BASE)
        with torch.no_grad():
            vectors = policy.reader(control.values.to(policy.device))[0]
        write_soft_prompt(policy, vectors, folder, base)


def prefix(control: Control) -> str:
    """Text that users must prepend to every prompt; empty unless the preference is text."""
    return control.words[0] if control.words else ""


def coefficients(policy: TextPolicy, control: Control) -> Tensor | None:
    """Coefficient of every bank under a control of one row, (banks,); None for the start model."""
    count = next((layer.count for layer in policy.layers.values()), 0)
    if control.kind == "start":
        return None
    if control.kind == "soup":
        assert control.values is not None
        return control.values[0].cpu()
    if control.kind == "bank":
        assert control.values is not None
        return torch.eye(count)[int(control.values[0])]
    return torch.ones(count)  # text and soft-prompt controls have a single bank, always active


def write_model(policy: TextPolicy, row: Tensor | None, folder: Path) -> None:
    """Merge one coefficient row (banks,) into a Hugging Face folder that is ready to generate.

    The sum is rounded to the start model's dtype only once.
    """
    plain = policy.materialise(row)
    plain.generation_config.update(**_decoding(policy))
    plain.save_pretrained(folder)
    policy.tokenizer.save_pretrained(folder)


def write_adapter(policy: TextPolicy, row: Tensor, folder: Path, base: str) -> None:
    """Write one coefficient row (banks,) as a PEFT LoRA folder on the base model named `base`."""
    tensors, ranks = {}, {}
    for name, layer in policy.layers.items():
        a, b = (factor.detach() for factor in layer.factors(row))
        if len(a):
            tensors[f"{PREFIX}{name}.lora_A.weight"] = a
            tensors[f"{PREFIX}{name}.lora_B.weight"] = b
            ranks[name] = len(a)
    usual = max(ranks.values())
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
    }
    _write_peft(policy, tensors, config, folder, base)


def write_soft_prompt(policy: TextPolicy, vectors: Tensor, folder: Path, base: str) -> None:
    """Write virtual tokens (tokens, width) as a PEFT prompt-tuning folder on `base`."""
    model = policy.network.config
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
    text = json.dumps({**config, **common}, indent=2)
    (folder / CONFIG).write_text(text + "\n", encoding="utf-8")


def _changed(policy: TextPolicy, control: Control) -> bool:
    """True if the banks change any layer by more than rank 0."""
    row = coefficients(policy, control)
    return row is not None and any(
        len(layer.factors(row)[0]) > 0 for layer in policy.layers.values()
    )


def _decoding(policy: TextPolicy) -> dict[str, Any]:
    """Generation settings for `generate` that reproduce the benchmark's decoding of answers."""
    decoding, tokenizer = policy.answering or policy.decoding, policy.tokenizer
    return {
        "do_sample": not decoding.greedy,
        "temperature": decoding.temperature or 1.0,  # ignored by greedy decoding
        "top_k": decoding.top_k or 0,
        "top_p": 1.0,
        "max_new_tokens": decoding.max_new_tokens,
        "min_new_tokens": decoding.min_new_tokens,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
