"""Generation settings that a start model was published with and that a benchmark does not use."""

from __future__ import annotations

from typing import Any

# Settings that a benchmark has values of its own for, or that change no text.
_REPLACED = {
    *("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id"),
    *("do_sample", "temperature", "top_k", "max_length", "max_new_tokens", "min_new_tokens"),
    *("transformers_version", "use_cache", "cache_implementation", "output_attentions"),
    *("output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate"),
}


def unused_settings(network: Any) -> list[str]:
    """Note on the settings with which `generate` would write other texts; empty if there are none.

    Models such as BART and mBART are published with a forced first token or language code. It is
    not forced here: training, sampling, scoring and exports all follow the policy alone.
    """
    config = getattr(network, "generation_config", None)
    stated = config.to_diff_dict() if config is not None else {}
    settings = [
        f"{name}={value!r}"
        for name, value in sorted(stated.items())
        if value is not None and name not in _REPLACED and not name.startswith("_")
    ]
    if not settings:
        return []
    return [f"Generation settings of the start model that are not used: {', '.join(settings)}."]
