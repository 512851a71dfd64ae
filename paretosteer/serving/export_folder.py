"""The folder that an export leaves: whole or absent, and saying what it is and how to use it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.errors import UsageError
from paretosteer.storage.atomic import write_json
from paretosteer.text.hf_export import BASE, Form, check_form, prefix, write_policy

if TYPE_CHECKING:
    from paretosteer.policies.control import Control
    from paretosteer.serving.restore import Restored

ABOUT, README = "paretosteer.json", "README.md"
HERE = "path/to/this/folder"


def export(
    cell: Restored, preference: Sequence[float], out: Path, form: Form, dials: Mapping[str, float]
) -> None:
    """Write a restored policy at one preference to the folder `out`; see `Restored.export`."""
    control = cell.control([preference], dials)
    policy: Any = cell.method.policy
    check_form(policy, control, form)
    start = str(policy.network.config._name_or_path)
    start = str(Path(start).resolve()) if Path(start).is_dir() else start  # else a hub's name
    with whole_folder(out) as draft:
        write_policy(policy, control, form, draft, start, final=out)
        about = _about(cell, preference, control, form, dials)
        write_json(draft / ABOUT, about)
        base = f"{HERE}/{BASE}" if (draft / BASE).is_dir() else start
        auto = "Seq2SeqLM" if policy.network.config.is_encoder_decoder else "CausalLM"
        readme = _readme(about, f"AutoModelFor{auto}", None if form == "model" else base)
        (draft / README).write_text(readme, encoding="utf-8")


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder beside `out` to write into; on success it becomes `out` in one step.

    Raises
    ------
    UsageError
        If `out` exists and is not an empty folder.

    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"--out: {str(out)!r} exists and is not empty; give a new folder")
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{os.getpid()}-{out.name}")
    draft.mkdir()
    try:
        yield draft
        draft.replace(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _about(
    cell: Restored,
    preference: Sequence[float],
    control: Control,
    form: Form,
    dials: Mapping[str, float],
) -> dict[str, Any]:
    """What the folder is, for programs."""
    plan = cell.plan
    return {
        "form": form,
        "cell": cell.folder.resolve().name,
        "benchmark": plan.config.benchmark.name,
        "method": plan.config.method.name,
        "variant": plan.variant,
        "seed": plan.config.seed,
        "start_model": {"name": cell.benchmark.model_name, "digest": plan.model_key},
        "preference": dict(zip(cell.objectives, map(float, preference), strict=True)),
        "dials": dict(dials),
        "prefix": prefix(control),
    }


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
