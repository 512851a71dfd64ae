"""Folder of an export: written atomically, with a README and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.errors import UsageError
from paretosteer.storage.atomic import atomic_folder, write_json
from paretosteer.text.check_export import check_export
from paretosteer.text.exported import ABOUT, weights_of
from paretosteer.text.hf_export import BASE, Form, check_form, prefix, write_policy

if TYPE_CHECKING:
    from paretosteer.policies.control import Control

README = "README.md"
HERE = "path/to/this/folder"


def export(policy: Any, control: Control, out: Path, form: Form, about: Mapping[str, Any]) -> None:
    """Write a policy under one control row to the folder `out`, with the metadata `about`.

    See `Restored.export`.

    Raises
    ------
    UsageError
        If `out` exists and is not an empty folder, or the export differs from the policy.

    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"--out: {str(out)!r} exists and is not empty; use a new folder")
    check_form(policy, control, form)
    loaded = str(policy.network.config._name_or_path)
    # A relative path would break when the export is used elsewhere; a hub name works anywhere.
    commit = policy.model.commit if policy.model.hub_name else None
    start = policy.model.hub_name or (
        str(Path(loaded).resolve()) if Path(loaded).is_dir() else loaded
    )
    about = {"form": form, **about, "prefix": prefix(control)}
    with atomic_folder(out.absolute()) as draft:
        write_policy(policy, control, form, draft, start, final=out)
        check_export(policy, control, form, draft, loaded)
        write_json(draft / ABOUT, {**about, "weights": weights_of(draft)})
        base = f'"{HERE}/{BASE}"' if (draft / BASE).is_dir() else _quoted(start, commit)
        auto = "Seq2SeqLM" if policy.network.config.is_encoder_decoder else "CausalLM"
        readme = _readme(about, f"AutoModelFor{auto}", None if form == "model" else base)
        (draft / README).write_text(readme, encoding="utf-8")


def _readme(about: Mapping[str, Any], auto: str, base: str | None) -> str:
    """README of the folder.

    `base` holds the arguments that load the model under an adapter; None for a whole model.
    """
    weights = ", ".join(f"{name} {weight:g}" for name, weight in about["preference"].items())
    dials = "".join(f", {name} {value:g}" for name, value in about["dials"].items())
    method = f"{about['method']} ({about['variant']})" if about["variant"] else about["method"]
    sections = [
        f"# {about['method']} at {weights}{dials}",
        f"A policy trained by {method} on the benchmark {about['benchmark']}, at one preference. "
        f"Exported by paretosteer from the cell {about['cell']}; {ABOUT} holds the same facts in "
        "machine-readable form.",
    ]
    load = [
        f"from transformers import {auto}",
        f"model = {auto}.from_pretrained({base or _quoted(HERE)})",
    ]
    if base is not None:
        load[0] += ", GenerationConfig"
        load = ["from peft import PeftModel", *load]
        # Before PEFT wraps the model, which would otherwise decode by its own settings.
        load.append(f'model.generation_config = GenerationConfig.from_pretrained("{HERE}")')
        load.append(f'model = PeftModel.from_pretrained(model, "{HERE}")')
    sections.append("\n".join(["```python", *load, "```"]))
    if about["prefix"]:
        sections += [
            "The preference is part of the prompt. Prepend this text to every prompt, unchanged "
            f"and with its trailing space. {ABOUT} holds it too.",
            f"```\n{about['prefix']}\n```",
        ]
    return "\n\n".join(sections) + "\n"


def _quoted(path: str, commit: str | None = None) -> str:
    """Arguments of `from_pretrained`."""
    return f'"{path}"' + (f', revision="{commit}"' if commit else "")
