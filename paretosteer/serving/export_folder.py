"""The folder that an export leaves: whole or absent, and saying what it is and how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.errors import UsageError
from paretosteer.storage.atomic import atomic_folder, write_json
from paretosteer.text.hf_export import BASE, Form, check_form, prefix, write_policy

if TYPE_CHECKING:
    from paretosteer.policies.control import Control

ABOUT, README = "paretosteer.json", "README.md"
HERE = "path/to/this/folder"


def export(policy: Any, control: Control, out: Path, form: Form, about: Mapping[str, Any]) -> None:
    """Write a policy under one control row to the folder `out`, with what `about` says of it.

    See `Restored.export`.

    Raises
    ------
    UsageError
        If `out` exists and is not an empty folder.

    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"--out: {str(out)!r} exists and is not empty; give a new folder")
    check_form(policy, control, form)
    start = str(policy.network.config._name_or_path)
    start = str(Path(start).resolve()) if Path(start).is_dir() else start  # else a hub name
    about = {"form": form, **about, "prefix": prefix(control)}
    with atomic_folder(out.absolute()) as draft:
        write_policy(policy, control, form, draft, start, final=out)
        write_json(draft / ABOUT, about)
        base = f"{HERE}/{BASE}" if (draft / BASE).is_dir() else start
        auto = "Seq2SeqLM" if policy.network.config.is_encoder_decoder else "CausalLM"
        readme = _readme(about, f"AutoModelFor{auto}", None if form == "model" else base)
        (draft / README).write_text(readme, encoding="utf-8")


def _readme(about: Mapping[str, Any], auto: str, base: str | None) -> str:
    """What the folder is, for people: `base` is what an adapter goes on, None for a whole model."""
    weights = ", ".join(f"{name} {weight:g}" for name, weight in about["preference"].items())
    dials = "".join(f", {name} {value:g}" for name, value in about["dials"].items())
    method = f"{about['method']} ({about['variant']})" if about["variant"] else about["method"]
    told = [
        f"# {about['method']} at {weights}{dials}",
        f"A policy that {method} trained on the benchmark {about['benchmark']}, at one preference. "
        f"Exported by paretosteer from the cell {about['cell']}; {ABOUT} says the same for "
        "programs.",
    ]
    load = [
        f"from transformers import {auto}",
        f'model = {auto}.from_pretrained("{base or HERE}")',
    ]
    if base is not None:
        load = ["from peft import PeftModel", *load]
        load.append(f'model = PeftModel.from_pretrained(model, "{HERE}")')
    told.append("\n".join(["```python", *load, "```"]))
    if about["prefix"]:
        told += [
            "The preference is in the prompt: put these words, as they are and with the space at "
            f"their end, before every one. {ABOUT} holds them too.",
            f"```\n{about['prefix']}\n```",
        ]
    return "\n\n".join(told) + "\n"
