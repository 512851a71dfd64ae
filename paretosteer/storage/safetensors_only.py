"""Read weights of any origin: only safetensors, which hold no code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.errors import UsageError, first_line
from paretosteer.storage.atomic import regular
from paretosteer.storage.untrusted import parse_json

if TYPE_CHECKING:
    from torch import Tensor

_SUFFIX = ".safetensors"
_WEIGHTS = ("F64", "F32", "F16", "BF16")  # types whose numbers are the weights themselves
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a file; UsageError if it is damaged or not safetensors."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise UsageError(
            f"{path}: cannot be read as safetensors ({first_line(error)}); save it again"
        ) from None
    return found


def check_weights(folder: Path, option: str) -> None:
    """UsageError where `transformers` would read a pickled file of a folder, which can run code.

    It reads one if there are no other weights, as an adapter beside them, or if an index of shards
    names it.
    """
    names = sorted(path.name for path in folder.iterdir())
    pickled = [name for name in names if name.endswith(PICKLED)]
    if pickled and not any(name.endswith(_SUFFIX) for name in names):
        raise _refused(option, folder, f"has pickled weights only, such as {pickled[0]}")
    if "adapter_model.bin" in names and f"adapter_model{_SUFFIX}" not in names:
        raise _refused(option, folder, "has a pickled adapter, adapter_model.bin")
    if "adapter_config.json" in names and "config.json" in names:
        raise UsageError(  # transformers would load the adapter into the model, without a word
            f"{option}: {str(folder)!r} has a PEFT adapter (adapter_config.json) beside its "
            "weights; move the adapter to another folder, or merge it and save the model again"
        )
    for index in folder.glob(f"*{_SUFFIX}.index.json"):
        places, whole = _places(index), index.name.removesuffix(".index.json")
        shards = sorted(set(places.values()))
        if whole in names and shards and whole not in shards:
            raise UsageError(  # transformers would read the single file and leave out the shards
                f"{option}: {str(folder)!r} has two sets of weights, {whole} and the shards of "
                f"{index.name}; remove one of them"
            )
        for shard in shards:
            if Path(shard).name != shard or not shard.endswith(_SUFFIX):
                raise _refused(option, folder, f"has an index, {index.name}, that names {shard!r}")
            if shard not in names:
                raise UsageError(
                    f"{option}: {str(folder)!r} has no {shard}, which {index.name} names; copy "
                    "all files of the model"
                )
        _check_index(folder, index, places, option)


def read_weights_files(folder: Path) -> set[str]:
    """Names of the files in a folder whose weights `transformers` reads."""
    whole = f"model{_SUFFIX}"
    if (folder / whole).is_file():
        return {whole}
    return set(_places(folder / f"{whole}.index.json").values())


def check_precision(folder: Path, option: str) -> None:
    """UsageError where weights are integers or 8-bit floats that nothing says how to scale.

    `transformers` would take the codes of such weights for their values.
    """
    from safetensors import SafetensorError, safe_open

    if _has_reader(read_model_json(folder / "config.json").get("quantization_config")):
        return
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            with safe_open(path, "pt") as tensors:
                types = {name: tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, OSError):
            continue  # its reader reports it
        for name, dtype in types.items():
            if name.endswith(".weight") and dtype not in _WEIGHTS:
                raise UsageError(
                    f"{option}: {path.name} in {str(folder)!r} has {name} as {dtype}, and "
                    "config.json has no quantization_config that transformers reads; save the "
                    "model in float32, float16 or bfloat16"
                )


def _has_reader(quantization: Any) -> bool:
    """True if transformers dequantises weights of this configuration, or refuses to.

    It ignores methods that it does not know, and takes codes for weights.
    """
    if not isinstance(quantization, dict):
        return False
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING

    bits = any(quantization.get(f"load_in_{bits}bit") for bits in (4, 8))  # of bitsandbytes
    return bits or quantization.get("quant_method") in AUTO_QUANTIZATION_CONFIG_MAPPING


def read_model_json(path: Path) -> Any:
    """JSON beside a model's weights: it may be a link, as in hub caches, and hold infinity.

    Raises
    ------
    OSError, ValueError
        If it cannot be read or is not valid JSON.

    """
    try:
        return parse_json(regular(path).read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _places(index: Path) -> dict[str, str]:
    """File of every weight of an index; none if it is not an index, which its reader reports."""
    try:
        return {str(k): str(v) for k, v in read_model_json(index)["weight_map"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _check_index(folder: Path, index: Path, places: dict[str, str], option: str) -> None:
    """UsageError if a shard has other weights than its index says.

    `transformers` loads everything in the shards, where a later one replaces an earlier one.
    """
    from safetensors import SafetensorError, safe_open

    for shard in sorted(set(places.values())):
        try:
            with safe_open(folder / shard, "pt") as tensors:
                names = set(tensors.keys())
        except (SafetensorError, OSError):
            continue  # its reader reports it
        if others := names ^ {name for name, place in places.items() if place == shard}:
            name = min(others)
            there = "has" if name in names else "lacks"
            raise UsageError(
                f"{option}: {shard} in {str(folder)!r} {there} {name}, unlike {index.name} says; "
                "copy all files of the model from one place"
            )


def _refused(option: str, folder: Path, found: str) -> UsageError:
    return UsageError(
        f"{option}: {str(folder)!r} {found}; only safetensors are loaded, save the model "
        "again with save_pretrained(…)"
    )
