"""Agreement of config.json with the network that is built from it.

transformers builds the class of `model_type`, whatever class `architectures` names, and it leaves
out settings that this class does not know. The weights then load, and compute something else.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.storage.safetensors_only import read_model_json

_FILE = "config.json"
# Settings without weights of their own that change what some architecture computes, so that a
# network without them loads and says nothing.
_COMPUTING = (
    *("attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar"),
    *("attention_multiplier", "embedding_multiplier", "residual_multiplier", "lm_head_multiplier"),
    *("logit_scale", "logits_scaling", "scale_emb", "scale_depth", "dim_model_base"),
    *("partial_rotary_factor", "rotary_pct", "no_rope_layers", "alibi", "clip_qkv"),
    *("sliding_window", "use_parallel_residual", "parallel_attn", "pruned_heads"),
)
_ROTARY = ("rope_parameters", "rope_scaling")


def check_architecture(config: Any, path: str, option: str) -> None:
    """Raise UsageError if `architectures` names a class of another model than `model_type`.

    Classes of one model with other heads, or of one family with its part for text, are the same.

    Parameters
    ----------
    config
        Configuration as transformers reads it.
    path
        Folder of the model, for errors.
    option
        Name of the option that holds it.

    """
    for name in config.architectures or ():
        if is_foreign(name):
            raise UsageError(
                f"{option}: {_FILE} of {path!r} names the architecture {name!r}, which "
                "transformers does not have; use a model that needs no code of its own, or correct "
                "the name"
            )
        needed = getattr(_own_class(name), "config_class", None)
        if needed and not _related(type(config), needed):
            raise UsageError(
                f"{option}: {_FILE} of {path!r} names the architecture {name!r}, but its "
                f"model_type {config.model_type!r} runs another one; correct the wrong one"
            )


def check_settings(network: Any, folder: str, option: str) -> None:
    """Raise UsageError if config.json has settings that contradict each other or are not used.

    Parameters
    ----------
    network
        The network that was built from it.
    folder
        Folder of the model.
    option
        Name of the option that holds it, for errors.

    """
    file = Path(folder) / _FILE
    if not file.is_file():  # a GGUF file, which states its settings otherwise
        return
    stated = read_model_json(file)
    for part in (stated, stated.get("text_config")):
        if isinstance(part, Mapping):
            for fault in (*_rotary_faults(part), *_unused(part, network)):
                raise UsageError(f"{option}: {_FILE} of {folder!r} {fault}")


def unread_settings(network: Any, folder: str) -> list[str]:
    """Settings `name=value` of config.json that other architectures read, but not this network."""
    import transformers

    file = Path(folder) / _FILE
    if not file.is_file():
        return []
    stated = read_model_json(file)
    own = _code(network) + inspect.getsource(transformers.configuration_utils)
    names = [
        name
        for name, value in stated.items()
        if isinstance(value, bool | int | float | str)
        and _changes(value)
        and name not in own
        and "dropout" not in name
    ]
    found = _read_elsewhere(tuple(names)) if names else set()
    return [f"{name}={stated[name]!r}" for name in names if name in found]


@cache
def _read_elsewhere(names: tuple[str, ...]) -> set[str]:
    """Those of the names that some network of transformers reads from its configuration."""
    import transformers

    left = set(names)
    for file in Path(transformers.__file__).parent.glob("models/*/modeling_*.py"):
        code = file.read_text(encoding="utf-8")
        left -= {name for name in left if f"config.{name}" in code}
    return set(names) - left


def is_foreign(name: Any) -> bool:
    """True if transformers has no class of a name, such as `modeling_own.Model`.

    Its own class for the model's type would then compute something else from the same weights.
    """
    return isinstance(name, str) and _plain(name) not in _own_classes()


def _plain(name: str) -> str:
    """Name in lower case, without a module and a prefix of some training scripts."""
    return name.rpartition(".")[2].removeprefix("FSDP").lower()


def _own_class(name: Any) -> Any:
    import transformers

    return getattr(transformers, _own_classes()[_plain(name)]) if isinstance(name, str) else None


@cache
def _own_classes() -> dict[str, str]:
    import transformers

    return {name.lower(): name for name in dir(transformers)}


def _related(one: type, other: type) -> bool:
    """True if two classes of configurations are of one model, or one is a part of the other."""
    return issubclass(one, other) or any(
        part in (getattr(whole, "sub_configs", None) or {}).values()
        for part, whole in ((one, other), (other, one))
    )


def _rotary_faults(part: Mapping[str, Any]) -> Iterator[str]:
    """Contradictions between the old and the new names of rotary settings."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    kinds = {"default", *ROPE_INIT_FUNCTIONS}
    new, old = (value if isinstance(value := part.get(name), Mapping) else {} for name in _ROTARY)
    for each in (new, old):
        named = {str(each[name]) for name in ("rope_type", "type") if name in each} & kinds
        if len(named) > 1:
            yield f"has the rotary types {' and '.join(sorted(named))} at once; remove one"
        if named <= {"default"} and _changes(each.get("factor")):
            yield (
                f"has a rotary factor of {each['factor']}, which the type default does not use; "
                "set the type, or remove the factor"
            )
    stated = {"rope_type" if name == "type" else name: value for name, value in old.items()}
    if "rope_theta" in part:
        stated["rope_theta"] = part["rope_theta"]
    for name, value in stated.items():
        if name in new and new[name] != value:
            yield (
                f"has {name} {value!r} beside {new[name]!r} in rope_parameters; remove the wrong "
                "one"
            )


def _unused(part: Mapping[str, Any], network: Any) -> Iterator[str]:
    """Settings that change what other architectures compute, and that this one does not read."""
    inner = [each for name in _ROTARY if isinstance(each := part.get(name), Mapping)]
    found = {
        name: each[name]
        for each in (part, *inner)
        for name in _COMPUTING
        if _changes(each.get(name))
    }
    if not found:
        return
    code = _code(network)
    for name, value in found.items():
        if name not in code and not (name == "sliding_window" and _never_slides(part)):
            yield (
                f"sets {name}={value!r}, which {type(network).__name__} does not use; correct "
                f"model_type, or remove {name} if the model was trained without it"
            )


def _changes(value: Any) -> bool:
    """True unless a setting of this value is as good as none."""
    return value is True or value not in (None, False, 0, 1, [], {})


def _never_slides(part: Mapping[str, Any]) -> bool:
    """True if a window for attention is switched off, or as long as the context."""
    window, context = part["sliding_window"], part.get("max_position_embeddings")
    longest = isinstance(window, int) and isinstance(context, int) and window >= context
    return part.get("use_sliding_window") is False or longest


def _code(network: Any) -> str:
    """Source of all modules and configurations that a network consists of."""
    parts = {type(part) for part in network.modules()}
    parts |= {type(each) for part in network.modules() if (each := getattr(part, "config", None))}
    modules = {part.__module__ for part in parts if part.__module__.startswith("transformers.")}
    return "".join(inspect.getsource(sys.modules[name]) for name in sorted(modules))
