"""What leaves the machine: Weights & Biases, and the hub of models. Never a key, only whether."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from paretosteer.doctor import Probe
from paretosteer.findings import Finding

_TRUE = {"1", "on", "yes", "true"}


def wandb(_: Path) -> Iterator[Finding]:
    """Where `tracker=wandb` would send."""
    mode = os.environ.get("WANDB_MODE")
    if not os.environ.get("WANDB_API_KEY"):
        told = "no WANDB_API_KEY: tracker=wandb stays offline"
    else:
        told = f"a key is set: tracker=wandb sends to {_host('WANDB_BASE_URL', 'wandb.ai')}"
    yield Finding("ok", "wandb", told + (f", WANDB_MODE={mode}" if mode else ""))


def hub(_: Path) -> Iterator[Finding]:
    """Whether models and data sets may be fetched, and where they are kept."""
    from huggingface_hub import constants

    offline = [
        name
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
        if os.environ.get(name, "").lower() in _TRUE
    ]
    if offline:
        told = f"offline ({', '.join(offline)}): only folders, and what is in {constants.HF_HOME}"
    else:
        told = f"{_host('HF_ENDPOINT', 'huggingface.co')}, kept in {constants.HF_HOME}"
    key = bool(os.environ.get("HF_TOKEN")) or Path(constants.HF_TOKEN_PATH).exists()
    yield Finding("ok", "hub", f"{told}; {'a' if key else 'no'} token")


def _host(name: str, default: str) -> str:
    """The host of an address in the environment, without a login or a path."""
    return urlsplit(os.environ.get(name, "")).hostname or default


PROBES: tuple[Probe, ...] = (wandb, hub)
