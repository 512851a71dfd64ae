"""GGUF files as start models: dequantised once into a folder of the cache, in float32."""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from paretosteer.errors import UsageError, first_line
from paretosteer.storage.cache import cached
from paretosteer.storage.digest import input_digest
from paretosteer.text.gguf_check import check_read, check_tokenizer, split_as_stated, stated_ends
from paretosteer.text.load_weights import load_weights

SUFFIX = ".gguf"
READER_VERSION = "3"  # raise it when the same file would give another folder


def gguf_folder(file: Path, option: str) -> Path:
    """Folder with the dequantised weights and the tokenizer of a GGUF file.

    Raises
    ------
    UsageError
        If the file does not exist, cannot be read, or the package gguf is not installed.

    """
    if not file.is_file():
        raise UsageError(f"{option}: the file {str(file)!r} does not exist; use a GGUF file")

    def key() -> dict[str, str]:
        own = {"reader": READER_VERSION, "transformers": version("transformers")}
        return {"file": input_digest(file), **own}

    def make(folder: Path) -> None:
        _dequantise(file, folder, option)

    return cached("gguf", key, make)


def _dequantise(file: Path, folder: Path, option: str) -> None:
    """Write a GGUF file as a Hugging Face folder."""
    import transformers
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    if find_spec("gguf") is None:
        raise UsageError(
            f"{option}: {str(file)!r} is a GGUF file, and the package gguf is not installed; "
            "install it with pip install 'paretosteer[gguf]'"
        )
    from gguf import GGUFReader

    with tempfile.TemporaryDirectory() as alone:  # no neighbour of the file is read with it
        (Path(alone) / "model.gguf").symlink_to(file.resolve())
        given: dict[str, Any] = {"gguf_file": "model.gguf"}
        try:
            config = AutoConfig.from_pretrained(alone, trust_remote_code=False, **given)
            kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
            tokenizer = AutoTokenizer.from_pretrained(alone, trust_remote_code=False, **given)
            if hasattr(transformers, "GgufConfig"):  # else weights may stay packed
                given["quantization_config"] = transformers.GgufConfig(dequantize=True)
            network = load_weights(kind, alone, option, dtype=torch.float32, **given)
            reader = GGUFReader(file)
            check_read(reader, network)
            split_as_stated(reader, tokenizer)
            check_tokenizer(reader, tokenizer)
        except Exception as error:  # parsers of damaged files raise arbitrary errors
            raise UsageError(
                f"{option}: {str(file)!r} cannot be read as GGUF ({first_line(error)}); use a "
                "complete file of an architecture that transformers reads from GGUF"
            ) from None
        # transformers 5 saves no model that counts as quantised, even if its weights no longer are.
        plain = kind.from_config(config)
        plain.load_state_dict(network.state_dict())
        if len(ends := stated_ends(reader)) > 1:
            plain.generation_config.eos_token_id = ends
        plain.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
