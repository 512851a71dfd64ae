"""Generation settings that a start model was published with and that a benchmark does not use."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError
from paretosteer.storage.safetensors_only import read_model_json

# Settings for the ends of a text, which a benchmark states itself, or that change no text.
_REPLACED = {
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"),
    *("do_sample", "max_length", "max_new_tokens", "min_new_tokens"),
    *("transformers_version", "use_cache", "cache_implementation", "output_attentions"),
    *("output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate"),
}
# Values with which `generate` writes the same texts.
_NEUTRAL = {
    "temperature": 1.0,
    "top_k": 0,
    "top_p": 1.0,
    "typical_p": 1.0,
    "repetition_penalty": 1.0,
    "num_beams": 1,
}


def stated_ends(network: Any) -> list[Any]:
    """Tokens that end a text according to the generation settings, as they stand there."""
    stated = getattr(network.generation_config, "eos_token_id", None)
    listed = stated if isinstance(stated, list | tuple) else [stated]
    return [end for end in listed if end is not None]


def check_generation_settings(network: Any, folder: str) -> None:
    """Raise UsageError if the settings for where a response begins and ends are unclear.

    transformers replaces an unreadable generation_config.json by its defaults. It begins a
    decoder's response by generation_config.json in sampling, and by config.json in training.
    """
    file = Path(folder) / "generation_config.json"
    try:
        readable = not file.exists() or isinstance(read_model_json(file), dict)
    except (OSError, ValueError):
        readable = False
    if not readable:
        raise UsageError(
            f"model.path: {str(file)!r} is not a JSON object; copy it again, or remove it"
        )
    if any(isinstance(end, bool) or not isinstance(end, int) for end in stated_ends(network)):
        stated = network.generation_config.eos_token_id
        raise UsageError(
            f"model.path: eos_token_id of {folder!r} is {stated!r}; use a token's number, or a "
            "list of numbers"
        )
    if network.config.is_encoder_decoder:
        _check_begin(network, folder)


def _check_begin(network: Any, folder: str) -> None:
    settings = (network.generation_config, network.config)
    sampled, trained = (getattr(each, "decoder_start_token_id", None) for each in settings)
    if None not in (sampled, trained) and sampled != trained:
        raise UsageError(
            f"model.path: decoder_start_token_id of {folder!r} is {sampled} in "
            f"generation_config.json, but {trained} in config.json; use the same in both"
        )


def unused_settings(network: Any, folder: str) -> list[str]:
    """Note on the settings with which `generate` would write other texts; empty if there are none.

    Models such as BART and mBART are published with a forced first token or language code. It is
    not forced here: training, sampling, scoring and exports all follow the policy alone.
    """
    config = getattr(network, "generation_config", None)
    stated = config.to_diff_dict() if config is not None else {}
    stated |= _unknown(_content(folder, "generation_config.json"), config)
    stated |= _prefixes(_content(folder, "config.json"))
    settings = [
        f"{name}={value!r}"
        for name, value in sorted(stated.items())
        if value not in (None, _NEUTRAL.get(name))
        and name not in _REPLACED
        and not name.startswith("_")
    ]
    if not settings:
        return []
    return [f"Generation settings of the start model that are not used: {', '.join(settings)}."]


def _content(folder: str, name: str) -> dict[str, Any]:
    file = Path(folder) / name
    return dict(read_model_json(file)) if file.is_file() else {}


def _unknown(stated: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """Those settings that transformers does not have, such as those of older versions."""
    known = vars(type(config)()) if config is not None else {}
    return {name: value for name, value in stated.items() if name not in known}


def _prefixes(stated: Mapping[str, Any]) -> dict[str, str]:
    """Texts that a config.json has for before each prompt, by task (T5)."""
    tasks = stated.get("task_specific_params")
    parts = {"": stated, **(tasks if isinstance(tasks, dict) else {})}
    prefixes = {
        f"{task}.prefix".lstrip("."): part.get("prefix")
        for task, part in parts.items()
        if isinstance(part, dict)
    }
    return {name: prefix for name, prefix in prefixes.items() if prefix}
