"""Loading of a reward model's network and tokenizer from a folder or the hub, with checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from paretosteer.errors import UsageError, did_you_mean, first_line
from paretosteer.storage import opened_files
from paretosteer.storage.origin import note_code
from paretosteer.text.chat_template import has_template
from paretosteer.text.load_weights import load_weights, placed
from paretosteer.text.model import set_padding
from paretosteer.text.model_source import model_folder
from paretosteer.text.read_tokenizer import read_tokenizer
from paretosteer.text.rewards.remote_code import is_trusted, refuse_foreign_code
from paretosteer.text.rewards.reward_spec import RewardSpec
from paretosteer.text.stated_config import is_foreign


def load_classifier(spec: RewardSpec, device: torch.device) -> tuple[Any, Any]:
    """Load the network (float32, in eval mode, frozen) and tokenizer of a reward model.

    Raises
    ------
    UsageError
        If it cannot be loaded from safetensors, has no padding token, or needs code of its own
        that nobody trusts.

    """
    option = f"{spec.option}.path"
    folder = model_folder(spec.path, option, spec.revision)
    try:
        tokenizer = _tokenizer(spec, folder)
        network = _network(spec, folder)
    except UsageError:
        raise
    except Exception as error:  # parsers of damaged or mismatched files raise arbitrary errors
        raise UsageError(_unloaded(spec, error)) from None
    for loaded in (network, tokenizer):
        note_code(loaded)
    set_padding(tokenizer, spec.path, spec.pad_token, spec.option)
    network.requires_grad_(False)
    return placed(network.eval(), device), tokenizer


def load_tokenizer(spec: RewardSpec) -> Any:
    """Tokenizer of a reward model, without its network; UsageError if it cannot be loaded."""
    folder = model_folder(spec.path, f"{spec.option}.path", spec.revision)
    try:
        return _tokenizer(spec, folder)
    except UsageError:
        raise
    except Exception as error:  # parsers of damaged or mismatched files raise arbitrary errors
        raise UsageError(_unloaded(spec, error)) from None


def resolve_form(spec: RewardSpec, tokenizer: Any) -> str:
    """Input form: the one that is set, else the tokenizer's chat template, else the dialogue.

    Raises
    ------
    UsageError
        If the form is `chat` and the tokenizer has no chat template.

    """
    if spec.form is not None:
        if spec.form == "chat" and not has_template(tokenizer):
            raise UsageError(
                f"{spec.option}.form: found 'chat', but the tokenizer of {spec.path!r} has no "
                "chat template; use another form"
            )
        return spec.form
    return "chat" if has_template(tokenizer) and spec.template is None else "dialogue"


def resolve_spec(spec: RewardSpec, network: Any, tokenizer: Any) -> RewardSpec:
    """Specification with its form, and with the indices of its outputs.

    Raises
    ------
    UsageError
        If the form has no chat template, an output does not exist, or the model has several and
        none is named.

    """
    names = {int(index): str(name) for index, name in (network.config.id2label or {}).items()}
    count = network.config.num_labels
    logit = 0 if spec.logit is None else _index(spec, "logit", names, network.config)
    if spec.logit is None and count > 1:
        outputs = ", ".join(f"{index} {names.get(index, '')}".strip() for index in range(count))
        raise UsageError(
            f"{spec.option}.logit: missing, and {spec.path!r} has {count} outputs; set it to a "
            f"name or an index of: {outputs}"
        )
    against = None if spec.against is None else _index(spec, "against", names, network.config)
    if against == logit:
        raise UsageError(
            f"{spec.option}.against: found output {against}, which is the chosen one; name another"
        )
    if per_token(network):
        _check_separator(spec, tokenizer)
    return replace(spec, form=resolve_form(spec, tokenizer), logit=logit, against=against)


def per_token(network: Any) -> bool:
    """True if the network classifies tokens, not whole texts."""
    return "TokenClassification" in type(network).__name__


def _index(spec: RewardSpec, key: str, names: Mapping[int, str], config: Any) -> int:
    """Index of an output that is given by index or by name."""
    value, count = getattr(spec, key), config.num_labels
    found = [index for index, name in names.items() if name == value]
    found = found or [i for i, name in names.items() if name.lower() == str(value).lower()]
    if isinstance(value, str) and len(found) == 1:
        other = (config.label2id or {}).get(names[found[0]], found[0])
        if int(other) != found[0]:
            raise UsageError(
                f"{spec.option}.{key}: {value!r} is output {found[0]} in id2label of config.json "
                f"and {other} in label2id; use the index"
            )
        return found[0]
    index = int(value) if isinstance(value, int) or value.isdecimal() else None
    if index is not None and 0 <= index < count:
        return index
    if index is None:
        remedy = f"matches {len(found)}" if found else did_you_mean(value, list(names.values()))
        raise UsageError(f"{spec.option}.{key}: {value!r} is not an output of its model; {remedy}")
    raise UsageError(
        f"{spec.option}.{key}: found {value}, but {spec.path!r} has outputs 0 to {count - 1}; "
        "use one of them"
    )


def _check_separator(spec: RewardSpec, tokenizer: Any) -> None:
    mark = spec.separator or tokenizer.sep_token or tokenizer.eos_token
    tokens = [] if mark is None else tokenizer(mark, add_special_tokens=False)["input_ids"]
    if len(tokens) != 1 or tokens[0] != tokenizer.convert_tokens_to_ids(mark):
        raise UsageError(
            f"{spec.option}.separator: {mark!r} is not a token of {spec.path!r}; set it to the "
            "token that marked the segments when the model was trained"
        )
    if not tokenizer.is_fast:
        raise UsageError(
            f"{spec.option}.path: {spec.path!r} classifies tokens, but its tokenizer is slow and "
            "cannot map characters to tokens; save it as a fast tokenizer (tokenizer.json)"
        )
    within = tokenizer(f"one {mark} two {mark} three", add_special_tokens=False)["input_ids"]
    if within.count(tokens[0]) != 2:
        raise UsageError(
            f"{spec.option}.separator: the tokenizer of {spec.path!r} does not read {mark!r} as "
            "that one token between words; set it to the token that marked the segments when the "
            "model was trained"
        )


def _runs_own_code(spec: RewardSpec, folder: str) -> bool:
    """Whether the user trusts the model's own code, which must then lie in its folder."""
    if trusted := is_trusted(spec.path):
        opened_files.watch()  # the code may read files that its source does not name
        refuse_foreign_code(folder, f"{spec.option}.path")
    return trusted


def _tokenizer(spec: RewardSpec, folder: str) -> Any:
    trusted = _runs_own_code(spec, folder)
    tokenizer = read_tokenizer(folder, f"{spec.option}.path", trusted)
    # Without trust, transformers takes its class of the same type.
    if not trusted and "AutoTokenizer" in (tokenizer.init_kwargs.get("auto_map") or {}):
        raise UsageError(_untrusted(spec))
    return tokenizer


def _network(spec: RewardSpec, folder: str) -> Any:
    from transformers import (
        AutoConfig,
        AutoModelForSequenceClassification,
        AutoModelForTokenClassification,
    )

    trusted = _runs_own_code(spec, folder)
    config = AutoConfig.from_pretrained(folder, trust_remote_code=trusted)
    by_token = spec.form == "segments" and _labels_tokens(config)
    kind = AutoModelForTokenClassification if by_token else AutoModelForSequenceClassification
    # With code of its own but without trust, transformers would take its class of the same type.
    mapped = getattr(config, "auto_map", None) or {}
    if not trusted and (kind.__name__ in mapped or is_foreign(mapped.get("AutoModel"))):
        raise UsageError(_untrusted(spec))
    arguments = _of_safe_rlhf(config)
    return load_weights(
        kind,
        folder,
        f"{spec.option}.path",
        trusted=trusted,
        safe_rlhf=bool(arguments),
        dtype=torch.float32,
        **arguments,
    )


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
    if "trust_remote_code" in str(error) and not is_trusted(spec.path):
        return _untrusted(spec)
    return (
        f"{spec.option}.path: {spec.path!r} cannot be loaded as a classification model "
        f"({reason}); use a folder with config.json, model.safetensors and a tokenizer"
    )


def _untrusted(spec: RewardSpec) -> str:
    return (
        f"{spec.option}.path: {spec.path!r} runs code of its own; if you trust it, pass "
        f"--trust-remote-code {spec.path}"
    )
