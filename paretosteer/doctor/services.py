"""Services outside the machine: Weights & Biases and the model hub. Shows no key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from paretosteer.doctor import Probe
from paretosteer.findings import Finding

_TRUE = {"1", "on", "yes", "true"}


def wandb(_: Path) -> Iterator[Finding]:
    """Report the server to which `tracker=wandb` sends figures."""
    key, mode = os.environ.get("WANDB_API_KEY"), os.environ.get("WANDB_MODE")
    effect = {
        "disabled": "sends nothing",
        "online": f"sends to {_host('WANDB_BASE_URL', 'wandb.ai')}",
    }.get(mode or ("online" if key else "offline"), "stays offline")
    found = f"{'a key is set' if key else 'no WANDB_API_KEY'}: tracker=wandb {effect}"
    yield Finding("ok", "wandb", found + (f", WANDB_MODE={mode}" if mode else ""))


def hub(_: Path) -> Iterator[Finding]:
    """Report whether models and data sets may be downloaded, and where they are cached."""
    from huggingface_hub import constants

    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
    offline = [name for name in names if os.environ.get(name, "").lower() in _TRUE]
    if offline:
        found = f"offline ({', '.join(offline)}): only folders and the cache in {constants.HF_HOME}"
    else:
        found = f"{_host('HF_ENDPOINT', 'huggingface.co')}, cached in {constants.HF_HOME}"
    token = bool(os.environ.get("HF_TOKEN")) or Path(constants.HF_TOKEN_PATH).exists()
    yield Finding("ok", "hub", f"{found}; {'a' if token else 'no'} token")


def _host(name: str, default: str) -> str:
    """Host of a URL in the environment, without a login or a path."""
    return urlsplit(os.environ.get(name, "")).hostname or default


PROBES: tuple[Probe, ...] = (wandb, hub)
