"""Loading of a network's weights: those of the checkpoint, all of them, and no others.

transformers initialises weights at random that a checkpoint lacks or has in another shape, and
leaves out weights that the network lacks, with only a warning. Here each is an error.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.errors import UsageError
from paretosteer.text.loading_warnings import warnings_collected
from paretosteer.text.rotary_weights import check_frequencies
from paretosteer.text.stated_config import check_architecture, check_settings

if TYPE_CHECKING:
    import torch

_SHOWN = 3  # names of weights
# Constants that earlier versions of transformers saved, and that hold no weights.
_CONSTANTS = re.compile(r"(^|\.)(position_ids|inv_freq|masked_bias|causal_mask)$")
# Parts of reward models of Safe RLHF that only shift the score or rescale it.
_SAFE_RLHF = re.compile(r"^(score\.bias|normalizer\..*)$")


def load_weights(
    kind: Any,
    path: str,
    option: str,
    *,
    trusted: bool = False,
    new_head: bool = False,
    safe_rlhf: bool = False,
    **settings: Any,
) -> Any:
    """Load a network from safetensors.

    Parameters
    ----------
    kind
        A class of transformers, such as `AutoModelForCausalLM`.
    path
        Model folder or hub name.
    option
        Name of the option that holds the path, for errors.
    trusted
        Whether code of the model's own may run.
    new_head
        Whether a new head replaces the one in the checkpoint: weights outside the base model may
        then be missing or left over.
    safe_rlhf
        Whether the model is a score model of Safe RLHF, whose bias and normaliser are not used.
    **settings
        Further arguments of `from_pretrained`.

    Raises
    ------
    UsageError
        If weights are missing, left over or have another shape, or if config.json names another
        architecture than runs, or settings that it does not use. Damaged files raise arbitrary
        errors of their readers.

    """
    from transformers import AutoConfig

    own = not trusted  # code of the model's own reads its configuration as it likes
    if own and not safe_rlhf and (Path(path) / "config.json").is_file():
        stated = AutoConfig.from_pretrained(path, trust_remote_code=False)
        check_architecture(stated, path, option)
    with warnings_collected(path, "network"):
        network, report = kind.from_pretrained(
            path,
            use_safetensors=True,
            trust_remote_code=trusted,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported below, with their names
            **settings,
        )
    buffers = {name for name, _ in network.named_buffers()}
    prefix = network.base_model_prefix
    buffers |= {name.removeprefix(f"{prefix}.") for name in buffers}

    def of_head(name: str) -> bool:
        return new_head and (not name.startswith(f"{prefix}.") or ".pooler." in name)

    missing = [name for name in report["missing_keys"] if not of_head(name)]
    unexpected = [
        name
        for name in report["unexpected_keys"]
        if not (
            of_head(name)
            or name in buffers
            or _CONSTANTS.search(name)
            or (safe_rlhf and _SAFE_RLHF.search(name))
        )
    ]
    mismatched = [
        f"{name} ({_times(found)} instead of {_times(needed)})"
        for name, found, needed in report["mismatched_keys"]
        if not of_head(name)
    ]
    problems = [
        f"{problem} {_names(names)}"
        for problem, names in (
            ("has no weights for", missing),
            ("has weights of another shape for", mismatched),
            ("has weights that its architecture lacks:", unexpected),
        )
        if names
    ]
    if problems:
        remedy = _remedy(missing, report["unexpected_keys"], prefix)
        raise UsageError(f"{option}: {path!r} {', and '.join(problems)}; {remedy}")
    if own:
        check_settings(network, path, option)
        check_frequencies(network, path, option)
    for module in network.modules():
        if hasattr(module, "config"):
            module.config.return_dict = True  # a tuple would hold the same without its names
    return network


def placed(network: Any, device: torch.device) -> Any:
    """Network on a device, with its weights in memory of this process.

    On the CPU, safetensors maps the file instead of reading it: the weights would change with a
    file that another program overwrites in place.
    """
    network = network.to(device)
    if network.device.type == "cpu":
        for tensor in chain(network.parameters(), network.buffers()):
            tensor.data = tensor.data.clone()
    return network


def _remedy(missing: Collection[str], unexpected: Collection[str], prefix: str) -> str:
    """Remedy for what a checkpoint lacks or has left over."""
    for wrapper in ("_orig_mod.", "module."):
        if any(wrapper in name for name in unexpected):
            return f"save the model without its wrapper, whose prefix is {wrapper!r}"
    if missing and not any(name.startswith(f"{prefix}.") for name in missing):
        return "use a model that was saved with its head, such as a classification head"
    return "use the folder that save_pretrained(…) writes for this config.json"


def _names(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} others"


def _times(shape: Collection[int]) -> str:
    return " x ".join(map(str, shape))
