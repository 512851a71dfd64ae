"""Import of PEFT LoRA adapters as banks.

Any sum of low-rank deltas of linear layers is supported, with any rank, alpha, rank-stabilised
scaling, rank or alpha patterns, and target modules. Anything else (DoRA, trained biases, whole
modules) is refused by name. `paretosteer.text.hf_export` is the inverse.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from paretosteer.errors import UsageError
from paretosteer.policies.banks import BankedLinear
from paretosteer.storage.atomic import write_json
from paretosteer.storage.digest import digest, file_digest
from paretosteer.storage.safetensors_only import read_model_json, read_tensors
from paretosteer.text.exported import read_about

if TYPE_CHECKING:
    from paretosteer.text.policy import TextPolicy

PREFIX = "base_model.model."
# Files of a tokenizer that training scripts save beside an adapter.
VOCABULARY = ("tokenizer.json", "tokenizer.model", "vocab.json")
TOKENIZER = (
    *(*VOCABULARY, "merges.txt", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "chat_template.jinja"),
)
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
SCALES = "scales.json"  # in a checkpoint of their soup
FACTORS = (".lora_A.weight", ".lora_B.weight")
PLAIN = {torch.float64, torch.float32, torch.float16, torch.bfloat16}  # need no scale
# As in `lora_A.default.weight`.
ADAPTER_NAME = re.compile(r"(?<=\.lora_[AB])\.(?!weight$)([^.]+)(?=\.weight$)")
# Keys of a PEFT configuration under which an adapter is not a sum of low-rank deltas.
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
# Initialisations that leave the base weights unchanged, unlike PiSSA, OLoRA and others.
INITIAL = {"gaussian", "eva", "orthogonal"}


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter.

    PEFT saves the embedding and the head in full (`whole`) beside the factors if one of them is
    adapted or the vocabulary was extended.
    """

    source: str  # name in errors
    layers: Mapping[str, tuple[Tensor, Tensor, float]]  # A (r, in), B (out, r) and scale, by layer
    whole: Mapping[str, Tensor]  # weights saved in full, by layer
    config: Mapping[str, Any]  # adapter_config.json
    about: Mapping[str, Any]  # metadata of an exported policy; empty for other adapters


def read_adapter(folder: Path) -> Adapter:
    """Read a PEFT LoRA folder; raise UsageError unless it holds low-rank deltas in safetensors."""
    config = _read_config(folder)
    tensors = _without_adapter_name(folder, read_tensors(_weights(folder)))
    names = [key.removesuffix(FACTORS[0]) for key in sorted(tensors) if key.endswith(FACTORS[0])]
    factors = {name + end for name in names for end in FACTORS}
    whole = {
        _layer(key.removesuffix(".weight").removesuffix(".base_layer")): value
        for key, value in tensors.items()
        if key.endswith(".weight") and ".lora_" not in key
    }
    if embedded := [key for key in sorted(tensors) if ".lora_embedding_" in key]:
        raise refusal(
            folder,
            f"{_layer(embedded[0])!r} changes an embedding, but only linear layers can be mixed; "
            "train it without that layer in target_modules",
        )
    saved = {name + end for name in whole for end in (".weight", ".base_layer.weight")}
    foreign = sorted(key for key in tensors.keys() - factors if _layer(key) not in saved)
    if foreign or not names or not factors <= tensors.keys():
        name = repr(_layer(foreign[0])) if foreign else f"{sorted(tensors)[:1]}"
        raise refusal(folder, f"{name} is not a pair of low-rank factors; use a plain LoRA")
    layers = {}
    for name in names:
        a, b = (tensors[name + end] for end in FACTORS)
        if not {a.dtype, b.dtype} <= PLAIN:
            raise refusal(
                folder,
                f"the factors of {_layer(name)!r} are {a.dtype} and {b.dtype}, which hold no "
                "weights by themselves; save it in float32, float16 or bfloat16",
            )
        a, b = a.float(), b.float()
        if a.dim() != 2 or b.dim() != 2 or len(a) != b.shape[1]:
            raise refusal(
                folder, f"the factors of {_layer(name)!r} have incompatible shapes; save it again"
            )
        if not (a.isfinite().all() and b.isfinite().all()):
            raise refusal(
                folder, f"the factors of {_layer(name)!r} contain NaN or infinity; train it again"
            )
        rank = _pattern_value(folder, config, "rank_pattern", "r", _layer(name))
        if rank != len(a):
            raise refusal(
                folder,
                f"the factors of {_layer(name)!r} have rank {len(a)}, but {CONFIG} says {rank:g}; "
                "use the two files that were saved together",
            )
        alpha = _pattern_value(folder, config, "alpha_pattern", "lora_alpha", _layer(name))
        # alpha / r, or alpha / sqrt(r) if rank-stabilised
        scale = alpha / (len(a) ** 0.5 if config.get("use_rslora") else len(a))
        layers[_layer(name)] = a, b, float(scale)
    about = read_about(folder, f"adapter {str(folder)!r}")
    return Adapter(str(folder), layers, whole, config, about)


def adapter_digest(folder: Path) -> str:
    """Digest of an adapter's weights and their scale, independent of its path."""
    config = _read_config(folder)
    scale = {key: config.get(key) for key in ("lora_alpha", "use_rslora", "alpha_pattern")}
    return digest({"scale": scale, "weights": file_digest(_weights(folder))})


def adapters_digest(folders: Sequence[Path]) -> str:
    """Digest of adapters in order, with what they state about their base models.

    The record has notes on the latter. UsageError if two of the adapters are the same.
    """
    digests = [adapter_digest(folder) for folder in folders]
    for place, own in enumerate(digests):
        if (first := digests.index(own)) < place:
            raise UsageError(
                f"{str(folders[first])!r} and {str(folders[place])!r} are the same adapter, whose "
                "mixtures do not depend on the preference; give the adapter of each objective"
            )
    return digest([digests, list(map(_stated, folders))])


def _stated(folder: Path) -> dict[str, Any]:
    """What an adapter names: its base model with a revision, its start model and its prefix.

    And the tokenizer beside it. No path is among these, which may change.
    """
    config, about = _read_config(folder), read_about(folder, f"adapter {str(folder)!r}")
    base = Path(str(config.get("base_model_name_or_path") or "")).name
    beside = {name: file_digest(folder / name) for name in TOKENIZER if (folder / name).is_file()}
    return {
        "base": base,
        "revision": config.get("revision"),
        "start": about.get("start_model"),
        "prefix": about.get("prefix"),
        "tokenizer": beside,
    }


def check_adapters(network: Any, adapters: Iterable[Adapter]) -> None:
    """Raise UsageError if an adapter does not fit the model, naming shapes, or changes nothing."""
    for adapter in adapters:
        _check_whole(network, adapter)
        for name, (a, b, _) in adapter.layers.items():
            expected = _shape(network, name)
            shape = f"{len(b)} x {a.shape[1]}"
            if expected is None:
                raise refusal(
                    adapter.source,
                    f"its layer {name!r} ({shape}) is not in {_described(network)}; use an adapter "
                    "of this architecture",
                )
            if expected != (len(b), a.shape[1]):
                raise refusal(
                    adapter.source,
                    f"layer {name!r} is {shape} in the adapter but {_times(expected)} in the "
                    "model; use an adapter of this model",
                )
        _check_targets(network, adapter)
        if not any(scale and a.any() and b.any() for a, b, scale in adapter.layers.values()):
            raise refusal(
                adapter.source,
                "it changes nothing: its factors or its lora_alpha are 0; use an adapter that was "
                "trained",
            )


def add_adapters(policy: TextPolicy, adapters: Sequence[Adapter]) -> None:
    """Add each adapter as one bank to a policy without banks.

    Raises
    ------
    UsageError
        If a layer of an adapter is not in the model or has another shape.

    """
    check_adapters(policy.network, adapters)
    names = list(dict.fromkeys(name for adapter in adapters for name in adapter.layers))
    # A layer that an adapter does not change gets a bank of rank 0.
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


def write_scales(folder: Path, policy: Any) -> None:
    """Store the scales of every layer's banks; their ranks are those of the stored tensors."""
    scales = {name: [s for _, s in layer.layout] for name, layer in policy.layers.items()}
    write_json(folder / SCALES, scales)


def add_stored(policy: TextPolicy, folder: Path, state: Mapping[str, Tensor]) -> None:
    """Add the banks of a stored policy, with the scales that `write_scales` stored beside it."""
    scales: dict[str, list[float]] = json.loads((folder / SCALES).read_text())
    add_layouts(
        policy,
        {
            name: [(len(state[f"banks.{i}.{name}.A"]), s) for i, s in enumerate(own)]
            for name, own in scales.items()
        },
    )


def _read_config(folder: Path) -> dict[str, Any]:
    """Read the configuration of an adapter; raise UsageError if it is not a plain LoRA."""
    try:
        config = read_model_json(folder / CONFIG)
        kind = config.get("peft_type")
    except (OSError, ValueError, AttributeError):
        problem = f"has no readable {CONFIG}" if folder.is_dir() else "is not a folder"
        raise refusal(folder, f"{problem}; use a PEFT LoRA folder") from None
    initial, bias = config.get("init_lora_weights", True), config.get("bias", "none")
    refused = {
        f"peft_type={kind}": kind != "LORA",
        f"bias={bias}": bias != "none",
        f"init_lora_weights={initial}": isinstance(initial, str) and initial not in INITIAL,
        **{name: config.get(key) for key, name in REFUSED.items()},
    }
    refused |= {  # of later versions of PEFT
        name: value
        for name, value in config.items()
        if name.startswith("use_") and name not in {"use_rslora", *REFUSED}
    }
    if not isinstance(scaling := config.get("use_rslora", False), bool | None):
        raise refusal(folder, f"use_rslora in {CONFIG} is {scaling!r}; use true or false")
    task = config.get("task_type")
    if task not in (None, "CAUSAL_LM", "SEQ_2_SEQ_LM", "FEATURE_EXTRACTION"):
        raise refusal(
            folder,
            f"it was trained for another task than writing text (task_type {task} in {CONFIG}); "
            "use an adapter of a language model",
        )
    for name, present in refused.items():
        if present:
            raise refusal(
                folder,
                f"{name} is not a sum of low-rank deltas of the model and cannot be mixed; use a "
                "plain LoRA (rank-stabilised is fine)",
            )
    return dict(config)


def _weights(folder: Path) -> Path:
    if not (folder / WEIGHTS).is_file():
        raise refusal(
            folder,
            f"no {WEIGHTS} (pickled adapters are not loaded); save it again with "
            "save_pretrained(…, safe_serialization=True)",
        )
    return folder / WEIGHTS


def _without_adapter_name(folder: Path, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by PEFT's keys: a state dict that was saved directly names its adapter too."""
    named = {key: found for key in tensors if (found := ADAPTER_NAME.search(key))}
    adapters = sorted({found[1] for found in named.values()})
    renamed = {
        (key[: found.start()] + key[found.end() :] if (found := named.get(key)) else key): value
        for key, value in tensors.items()
    }
    if len(adapters) > 1 or len(renamed) < len(tensors):
        raise refusal(
            folder,
            f"{WEIGHTS} holds several adapters, such as {', '.join(adapters[:2])!r}; save each to "
            "a folder of its own",
        )
    return renamed


def _pattern_value(
    folder: Path, config: Mapping[str, Any], patterns: str, default: str, layer: str
) -> float:
    """Value of a layer: that of the first pattern that matches, else the default's."""
    # As in PEFT, a pattern is a regular expression for the end of a layer's name.
    by_pattern = config.get(patterns) or {}
    if not isinstance(by_pattern, Mapping):
        raise refusal(folder, f"{patterns} in {CONFIG} is {by_pattern!r}; use a mapping")
    value, name = config.get(default, 8), default  # 8 is PEFT's default
    for pattern, own in by_pattern.items():
        try:
            matches = re.match(rf"(.*\.)?({pattern})$", layer)
        except re.error as error:
            raise refusal(
                folder,
                f"{pattern!r} in {patterns} of {CONFIG} is not a valid pattern ({error}); correct "
                "it",
            ) from None
        if matches:
            value, name = own, f"{patterns}.{pattern}"
            break
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise refusal(folder, f"{name} in {CONFIG} is {value!r}; set it to the number of training")
    return value


def _is_target(adapter: Adapter, layer: str) -> bool:
    """True if `target_modules` of an adapter names a layer, by PEFT's rules."""
    config = adapter.config
    excluded, targets = config.get("exclude_modules"), config.get("target_modules")
    if excluded and _named(adapter, "exclude_modules", excluded, layer):
        return False
    if (
        not targets
        or targets == "all-linear"
        or not _named(adapter, "target_modules", targets, layer)
    ):
        return False
    chosen = config.get("layers_to_transform")
    if isinstance(targets, str) or chosen is None or chosen == []:
        return True
    patterns = config.get("layers_pattern") or [r"[^.]*"]
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        if found := re.match(rf"(?:^|.*?\.){pattern}\.(\d+)\.", layer):
            return int(found[1]) in (chosen if isinstance(chosen, list) else [chosen])
    return False


def _named(adapter: Adapter, key: str, names: Any, layer: str) -> bool:
    """True if a pattern, or a list of names or their ends, holds a layer."""
    if not isinstance(names, str):
        return any(layer == name or layer.endswith(f".{name}") for name in names)
    try:
        return re.fullmatch(names, layer) is not None
    except re.error as error:
        raise refusal(
            adapter.source,
            f"{key} in {CONFIG}, {names!r}, is not a valid pattern ({error}); correct it",
        ) from None


def _layout(adapter: Adapter, name: str) -> tuple[int, float]:
    if name not in adapter.layers:
        return 0, 1.0
    a, _, scale = adapter.layers[name]
    return len(a), scale


def _check_targets(network: Any, adapter: Adapter) -> None:
    """Raise UsageError if a layer has factors and is not adapted, or the other way round."""
    lost = [
        name
        for name, layer in network.named_modules()
        if name not in adapter.layers
        and not any(layer.children())
        and _shape(network, name) is not None
        and _is_target(adapter, name)
    ]
    named = adapter.config.get("target_modules") not in (None, [], "", "all-linear")
    left_out = [name for name in adapter.layers if named and not _is_target(adapter, name)]
    if left_out:
        raise refusal(
            adapter.source,
            f"it holds factors of {_first(left_out)}, which its {CONFIG} leaves out "
            "(target_modules, exclude_modules or layers_to_transform), so that PEFT would not use "
            "them; use the two files that were saved together",
        )
    if lost:
        raise refusal(
            adapter.source,
            f"its target_modules name {_first(lost)}, but it has no factors for them; save it "
            "again",
        )


def _first(layers: Sequence[str]) -> str:
    others = f" and {len(layers) - 1} others" if layers[1:] else ""
    return f"{layers[0]!r}{others}"


def _check_whole(network: Any, adapter: Adapter) -> None:
    """Raise UsageError if weights saved in full differ from the model's.

    They then come from another vocabulary, or were trained, which is not a low-rank delta.
    """
    for name, weight in adapter.whole.items():
        expected, shape = _shape(network, name), tuple(weight.shape)
        if expected is not None and expected != shape:
            raise refusal(
                adapter.source,
                f"it holds {name!r} in full with shape {_times(shape)}, but the model's is "
                f"{_times(expected)}; use an adapter trained with the same vocabulary",
            )
        if expected is None or not _same(network.get_submodule(name).weight, weight):
            raise refusal(
                adapter.source,
                f"it holds {name!r} ({_times(shape)}) in full with values other than the model's, "
                "which is not a low-rank delta; train it without modules_to_save",
            )


def _same(own: Tensor, saved: Tensor) -> bool:
    """True if two weights are equal up to the dtype in which they were saved."""
    return torch.equal(own.cpu(), saved.to(own.dtype))


def _shape(network: Any, name: str) -> tuple[int, ...] | None:
    """Weight shape of a layer, (out, in), or (entries, width) of an embedding; None if missing."""
    try:
        layer = network.get_submodule(name)
        shape = tuple(layer.weight.shape)
    except AttributeError:
        return None
    return shape[::-1] if type(layer).__name__ == "Conv1D" else shape  # GPT-2 stores (in, out)


def _described(network: Any) -> str:
    config = network.config.get_text_config()
    return (
        f"{type(network).__name__} (hidden size {getattr(config, 'hidden_size', '?')}, "
        f"vocabulary {getattr(config, 'vocab_size', '?')})"
    )


def _layer(key: str) -> str:
    return key.removeprefix(PREFIX)


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def refusal(folder: Path | str, what: str) -> UsageError:
    return UsageError(f"adapter {str(folder)!r}: {what}")
