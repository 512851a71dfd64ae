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
        shards, whole = _shards(index), index.name.removesuffix(".index.json")
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


def check_precision(folder: Path, option: str) -> None:
    """UsageError where weights are integers or 8-bit floats that nothing says how to scale.

    `transformers` would take the codes of such weights for their values.
    """
    from safetensors import SafetensorError, safe_open

    if "quantization_config" in read_model_json(folder / "config.json"):
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
                    "config.json has no quantization_config; save the model in float32, float16 "
                    "or bfloat16"
                )


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


def _shards(index: Path) -> list[str]:
    """Names of the files in an index; none if it is not an index, which its reader reports."""
    try:
        return sorted(set(map(str, read_model_json(index)["weight_map"].values())))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def _refused(option: str, folder: Path, found: str) -> UsageError:
    return UsageError(
        f"{option}: {str(folder)!r} {found}; only safetensors are loaded, save the model "
        "again with save_pretrained(…)"
    )
