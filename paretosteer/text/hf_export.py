"""Export of a policy at one preference: a plain Hugging Face folder, or a PEFT adapter.

A soup is exported merged into the weights, or as one LoRA adapter. Soft prompts are exported as a
PEFT prompt-tuning adapter with fixed vectors on the merged model. If the preference is written into
the prompt, users have to prepend the text of `prefix` themselves.

Every export carries the decoding of the benchmark, and nothing of the start model's generation
settings. Forced tokens are no exception: neither BART's first token nor mBART's language code is
forced while a policy is trained and scored, so its export does not force them either.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from paretosteer.errors import UsageError
from paretosteer.policies.control import Control
from paretosteer.text.policy import TextPolicy
from paretosteer.text.write_peft import write_adapter, write_soft_prompt

Form = Literal["model", "peft"]
BASE = "base"  # subfolder with the merged model under a soft prompt


def check_form(policy: TextPolicy, control: Control, form: Form) -> None:
    """Raise UsageError if the control cannot be exported in this form, naming one that can."""
    if control.candidates is not None:
        raise UsageError(
            f"--as {form}: this method selects among several answers of a model that it does not "
            "change, so there is nothing to export; use `paretosteer sample`"
        )
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
    if policy.prefix is not None and control.kind != "start":
        raise UsageError(
            f"--as {form}: virtual tokens combined with banks cannot be exported; use "
            "`paretosteer sample`"
        )
    if not policy.low_rank:
        raise UsageError(
            f"--as {form}: this policy shifts the outputs of layers, which no plain model or "
            "adapter stores; use `paretosteer sample`"
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
        in the subfolder `base`. PEFT does not read the decoding settings beside an adapter:
        they have to be set as the model's `generation_config` before it is wrapped.
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
    if form == "peft":
        decoding_config(policy).save_pretrained(folder)


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
    # Fresh, since the start model's may force tokens, penalise repetition or search by beams.
    plain.generation_config = decoding_config(policy)
    plain.save_pretrained(folder)
    policy.tokenizer.save_pretrained(folder)


def _changed(policy: TextPolicy, control: Control) -> bool:
    """True if the banks change any layer by more than rank 0."""
    row = coefficients(policy, control)
    return row is not None and any(
        len(layer.factors(row)[0]) > 0 for layer in policy.layers.values()
    )


def decoding_config(policy: TextPolicy) -> Any:
    """Settings with which `generate` decodes answers as the benchmark does, and no others."""
    from transformers import GenerationConfig

    decoding, model = policy.answering or policy.decoding, policy.model
    sampling = {"temperature": decoding.temperature, "top_k": decoding.top_k or 0, "top_p": 1.0}
    return GenerationConfig(
        do_sample=not decoding.greedy,
        max_new_tokens=decoding.max_new_tokens,
        min_new_tokens=decoding.min_new_tokens,
        bos_token_id=model.tokenizer.bos_token_id,
        eos_token_id=list(model.ends),
        pad_token_id=model.tokenizer.pad_token_id,
        **({} if decoding.greedy else sampling),
        **({"decoder_start_token_id": model.begin} if model.encoder_decoder else {}),
    )
