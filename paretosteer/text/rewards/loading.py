"""Loading of a reward model's network and tokenizer from a folder or the hub, with checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from paretosteer.errors import UsageError, first_line
from paretosteer.text.model import check_source, set_padding
from paretosteer.text.rewards.reward_spec import RewardSpec


def load_classifier(spec: RewardSpec, device: torch.device) -> tuple[Any, Any]:
    """Load the network (float32, in eval mode, frozen) and tokenizer of a reward model.

    Raises
    ------
    UsageError
        If it cannot be loaded from safetensors, has no padding token, or lacks the chosen output.

    """
    from transformers import AutoTokenizer

    option = f"{spec.option}.path"
    check_source(spec.path, option)
    try:
        tokenizer = AutoTokenizer.from_pretrained(spec.path, trust_remote_code=False)
        network = _network(spec)
    except UsageError:
        raise
    except Exception as error:  # parsers of damaged or mismatched files raise arbitrary errors
        raise UsageError(_unloaded(spec, error)) from None
    set_padding(tokenizer, spec.path, spec.pad_token, spec.option)
    tokenizer.padding_side = "right"
    network.config.pad_token_id = tokenizer.pad_token_id
    labels = [index for index in (spec.logit, spec.against) if index is not None]
    if not all(0 <= index < network.config.num_labels for index in labels):
        raise UsageError(
            f"{spec.option}.logit: found {max(labels)}, but {spec.path!r} has outputs 0 to "
            f"{network.config.num_labels - 1}; use one of them"
        )
    network.requires_grad_(False)
    return network.eval().to(device), tokenizer


def _network(spec: RewardSpec) -> Any:
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
    )

    config = AutoConfig.from_pretrained(spec.path, trust_remote_code=False)
    per_token = spec.form == "segments" and _labels_tokens(config)
    kind = AutoModelForTokenClassification if per_token else AutoModelForSequenceClassification
    network, report = kind.from_pretrained(
        spec.path,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=False,
        output_loading_info=True,
        **_of_safe_rlhf(config),
    )
    missing = sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])})
    if missing:  # transformers initialises them at random, with only a warning
        raise UsageError(
            f"{spec.option}.path: {spec.path!r} has no weights for {', '.join(missing[:3])}; "
            "use a model that was saved with its classification head"
        )
    return network


def _of_safe_rlhf(config: Any) -> dict[str, Any]:
    """Loading arguments for a score model of Safe RLHF (Dai et al., arXiv 2310.12773).

    They rename its head. The bias of the head is dropped: standardisation removes a constant.
    """
    if not any(name.endswith("ForScore") for name in config.architectures or ()):
        return {}
    return {"num_labels": config.score_dim, "key_mapping": {r"^score_head\.": "score."}}


def _labels_tokens(config: Any) -> bool:
    return any("TokenClassification" in name for name in config.architectures or ())


def _unloaded(spec: RewardSpec, error: Exception) -> str:
    reason = first_line(error)
    if Path(spec.path).is_dir():
        return (
            f"{spec.option}.path: {spec.path!r} cannot be loaded as a classification model "
            f"({reason}); use a folder with config.json, model.safetensors and a tokenizer"
        )
    return (
        f"{spec.option}.path: the model {spec.path!r} cannot be loaded from the hub ({reason}); "
        f"without a network, use a folder: {spec.option}.path=/path/to/folder"
    )
