"""Check of an export: loaded again by transformers and PEFT, it scores text as the policy does."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from paretosteer.errors import UsageError, first_line
from paretosteer.policies.control import Control
from paretosteer.text.hf_export import (
    BASE,
    Form,
    check_form,
    decoding_config,
    prefix,
    write_policy,
)
from paretosteer.text.load_check import (
    LIMITS,
    ordinary_tokens,
    plain_logits,
    relative_difference,
)
from paretosteer.text.load_weights import load_weights
from paretosteer.text.policy import TextPolicy
from paretosteer.text.read_tokenizer import read_alike

LENGTHS = (15, 10)  # tokens of the texts that both read
SCORED = 4  # of them, the last: their logits are compared
LIMIT = 1e-4  # of `relative_difference` in float32


def check_export(policy: TextPolicy, control: Control, form: Form, folder: Path, base: str) -> None:
    """Load what `write_policy` wrote to `folder`, tokenizer included, and compare with the policy.

    `base` is the folder or name from which the start model was loaded.

    Raises
    ------
    UsageError
        If the export cannot be loaded, decodes by other settings, reads or writes texts as other
        tokens, or gives other logits.

    """
    if problem := _problem(policy, control, form, folder, base):
        remedy = _remedy(policy, control, "peft" if form == "model" else "model", folder, base)
        raise UsageError(f"--as {form}: the export, loaded again, {problem}; {remedy}")


def _problem(policy: TextPolicy, control: Control, form: Form, folder: Path, base: str) -> str:
    """Difference between an export and its policy; empty if they agree."""
    try:
        network = _loaded(policy, form, folder, base)
        if form == "model":
            _check_decoding(policy, network)
        if not _same_texts(policy, form, folder):
            return "reads or writes texts as other tokens than the policy"
        difference = _difference(policy, control, network)
    except (torch.OutOfMemoryError, UsageError):
        raise
    except Exception as error:  # the code of any architecture may raise anything
        return f"cannot be used ({first_line(error)})"
    limit = LIMITS.get(policy.network.dtype, (LIMIT, LIMIT))[1]
    if difference <= limit:
        return ""
    return (
        f"gives other logits than the policy (they differ by {difference:.2g} of their spread, "
        f"more than {limit:g})"
    )


def _remedy(policy: TextPolicy, control: Control, other: Form, folder: Path, base: str) -> str:
    """Advice to use the other form, if that one agrees with the policy."""
    try:
        check_form(policy, control, other)
        with TemporaryDirectory(dir=folder) as draft:
            write_policy(policy, control, other, Path(draft), base, final=Path(draft))
            agrees = not _problem(policy, control, other, Path(draft), base)
    except Exception:  # a remedy must not hide the problem
        agrees = False
    return f"use --as {other}, which agrees" if agrees else "use `paretosteer sample`"


def _loaded(policy: TextPolicy, form: Form, folder: Path, base: str) -> Any:
    """Network of the export in the policy's dtype, on its device."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    kind = AutoModelForSeq2SeqLM if policy.model.encoder_decoder else AutoModelForCausalLM
    inside = folder / BASE
    path = str(folder if form == "model" else inside if inside.is_dir() else base)
    network = load_weights(kind, path, "--out", dtype=policy.network.dtype)
    if form == "peft":
        from peft import PeftModel

        network = PeftModel.from_pretrained(network, folder)
    return network.eval().to(policy.device)


def _same_texts(policy: TextPolicy, form: Form, folder: Path) -> bool:
    """True if the tokenizer that was written, if any, is the policy's when loaded again."""
    from transformers import AutoTokenizer

    written = folder if form == "model" else folder / BASE
    if not written.is_dir():  # an adapter on the start model, whose tokenizer is in its own folder
        return True
    return read_alike(
        policy.tokenizer, AutoTokenizer.from_pretrained(written, trust_remote_code=False)
    )


def _check_decoding(policy: TextPolicy, network: Any) -> None:
    """Raise UsageError if `generate` would decode by settings that are not the policy's."""
    found, expected = (
        {name: value for name, value in each.to_diff_dict().items() if name not in _NOT_DECODING}
        for each in (network.generation_config, decoding_config(policy))
    )
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            raise UsageError(
                f"--as model: the start model sets {name}={found.get(name)!r} for generation, the "
                f"policy {expected.get(name)!r}; remove {name} from the start model's config.json"
            )


_NOT_DECODING = {"transformers_version", "_from_model_config"}


@torch.no_grad()
def _difference(policy: TextPolicy, control: Control, network: Any) -> float:
    """Largest relative difference between the logits of the policy and those of the export."""
    ids = ordinary_tokens(policy.model)
    instruction = policy.tokenizer(prefix(control))["input_ids"] if prefix(control) else []
    differences = []
    for length in LENGTHS:
        tokens = [*instruction, *(ids[(31 * i + 7 * length) % len(ids)] for i in range(length))]
        read = torch.tensor([tokens], device=policy.device)  # (1, P + SCORED)
        text, response = read[:, :-SCORED], read[:, -SCORED:]
        with policy.mixed(control):
            expected = plain_logits(
                policy.model, policy.network, policy.read(control), text, response
            )
        found = plain_logits(policy.model, network, None, text, response)
        differences.append(relative_difference(found[0], expected[0]))
    return max(differences)
