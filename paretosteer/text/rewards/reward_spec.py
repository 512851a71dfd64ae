"""Specification of an objective's reward model, parsed from the configuration."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from paretosteer.errors import UsageError, did_you_mean
from paretosteer.plugins.local_modules import local_digests
from paretosteer.storage.digest import digest
from paretosteer.text.model_source import model_digest, model_folder
from paretosteer.text.rewards.input_forms import FORMS
from paretosteer.text.rewards.remote_code import is_trusted

REWARDS_VERSION = "3"  # raise it when the same model would give other scores
_CHOICES: Mapping[str, tuple[str | None, ...]] = {
    "form": (None, *FORMS),
    "truncation": (None, "left", "right"),
    "segment": ("sentence", "clause"),
    "reduce": ("mean", "sum"),
}
_TYPES: tuple[tuple[tuple[str, ...], Any, str], ...] = (
    (("probability",), bool, "true or false"),
    (("mean", "std"), int | float, "a finite number"),
    (("sign",), int, "1 or -1"),
    (("max_length",), int | None, "a whole number"),
    (("template", "pad_token", "revision", "separator"), str | None, "a text"),
)
OF_SEGMENTS = ("segment", "reduce", "separator")  # settings of this form only
_PLACES = ("prompt", "answer", "bos")  # of a template


@dataclass(frozen=True)
class RewardSpec:
    """A `benchmark.rewards.NAME`: a reward model, its input and its output.

    The score is `(sign · logit − mean) / std`. The last four fields apply to the form `segments`.
    """

    name: str
    path: str
    form: str | None = None  # a key of `FORMS`; None: chat with a chat template, else dialogue
    logit: int | str | None = None  # output by index or name; None: the only one
    sign: int = 1
    probability: bool = False  # use the probability of the output instead of its logit
    mean: float = 0.0
    std: float = 1.0
    template: str | None = None  # replaces the text of the form; has {prompt}, {answer}, {bos}
    max_length: int | None = None  # tokens
    truncation: str | None = None  # side to cut; None: the one that spares the answer
    pad_token: str | None = None
    revision: str | None = None  # branch, tag or commit of a hub name
    segment: str = "sentence"  # or `clause`
    against: int | str | None = None  # negative label; a segment then counts +1 or −1
    reduce: str = "sum"  # over segments; or `mean`
    separator: str | None = None  # before each segment; None: the tokenizer's

    @property
    def option(self) -> str:
        """Name of the option, for errors."""
        return f"benchmark.rewards.{self.name}"

    @classmethod
    def of(cls, value: str | Mapping[str, Any], name: str) -> RewardSpec:
        """Parse a path or a mapping under `benchmark.rewards.<name>`."""
        option = f"benchmark.rewards.{name}"
        given = {"path": value} if isinstance(value, str) else dict(value)
        allowed = [field.name for field in fields(cls) if field.name != "name"]
        for key in given:
            if key not in allowed:
                raise UsageError(f"{option}.{key} is not a setting; {did_you_mean(key, allowed)}")
        if not isinstance(given.get("path"), str) or not given["path"]:
            raise UsageError(f"{option}.path: missing; set it to a model folder or a hub name")
        spec = cls(name, **given)
        spec._check()
        return spec

    def _check(self) -> None:
        for key, choices in _CHOICES.items():
            value = getattr(self, key)
            if value not in choices:
                names = ", ".join(choice for choice in choices if choice)
                raise UsageError(f"{self.option}.{key}: found {value!r}; use one of {names}")
        self._check_types()
        for key in ("logit", "against"):
            if isinstance(value := getattr(self, key), bool | float):
                raise UsageError(f"{self.option}.{key}: found {value!r}; use an index or a name")
        if self.form == "chat" and self.template is not None:
            raise UsageError(
                f"{self.option}.template: not used with form=chat, which renders the tokenizer's "
                "chat template; remove one of them"
            )
        if self.template is not None:
            self._check_template(self.template)
        if self.sign not in (1, -1):
            raise UsageError(f"{self.option}.sign: found {self.sign!r}; use 1 or -1")
        if self.probability and self.against is not None:
            raise UsageError(
                f"{self.option}.against: not used with probability; remove one of them"
            )
        if self.form != "segments":
            for field in fields(self):
                if field.name in OF_SEGMENTS and getattr(self, field.name) != field.default:
                    raise UsageError(
                        f"{self.option}.{field.name}: used with form=segments only; remove it, or "
                        "set form=segments"
                    )
        if not self.std > 0:
            raise UsageError(f"{self.option}.std: found {self.std!r}; use a number above 0")
        if self.max_length is not None and self.max_length < 1:
            raise UsageError(f"{self.option}.max_length: found {self.max_length!r}; use 1 or more")

    def _check_types(self) -> None:
        """UsageError where YAML read a value as another type, such as `no` as a text."""
        for keys, kinds, remedy in _TYPES:
            for key in keys:
                value = getattr(self, key)
                infinite = isinstance(value, float) and not math.isfinite(value)
                if (
                    infinite
                    or not isinstance(value, kinds)
                    or (type(value) is bool) != (kinds is bool)
                ):
                    raise UsageError(f"{self.option}.{key}: found {value!r}; use {remedy}")

    def _check_template(self, template: str) -> None:
        """UsageError if a template has an unknown placeholder, or scores every answer alike."""
        for name in re.findall(r"\{(\w+)\}", template):
            if name not in _PLACES:
                raise UsageError(
                    f"{self.option}.template: {{{name}}} is not a placeholder; use {{prompt}}, "
                    "{answer} or {bos}"
                )
        if "{answer}" not in template + (FORMS[self.form or "dialogue"].second or ""):
            raise UsageError(
                f"{self.option}.template: has no {{answer}}, so that all answers would score "
                "alike; add {answer}"
            )


def reward_digest(spec: RewardSpec) -> str:
    """Digest of everything that a score depends on: the model's content and the settings.

    Raises
    ------
    UsageError
        If the folder does not exist, or holds no model.

    """
    settings = {f.name: getattr(spec, f.name) for f in fields(spec) if f.name not in _NAMES}
    content = model_digest(spec.path, f"{spec.option}.path", spec.revision)
    code: dict[str, Any] = {}
    if is_trusted(spec.path):
        folder = Path(model_folder(spec.path, spec.option, spec.revision))
        code["own code"] = local_digests(folder.rglob("*.py"))
    versions = {"version": REWARDS_VERSION}
    return digest({"content": content, "settings": settings, **code, **versions})


def check_distinct(option: str, contents: Mapping[str, Any]) -> None:
    """Raise UsageError if two objectives are made from the same content, by objective."""
    first: dict[str, str] = {}
    for name, content in contents.items():
        other = first.setdefault(digest(content), name)
        if other != name:
            raise UsageError(
                f"{option}.{name}: the same as {option}.{other}, so that both objectives would be "
                "one; set it to another source, or leave one of them out"
            )


def check_distinct_rewards(specs: Mapping[str, RewardSpec]) -> None:
    """Raise UsageError if two objectives have one reward model, whatever its mean and std."""
    unscaled = {name: replace(spec, mean=0.0, std=1.0) for name, spec in specs.items()}
    check_distinct("benchmark.rewards", {n: reward_digest(spec) for n, spec in unscaled.items()})


_NAMES = ("name", "path", "revision")  # not digested: the content identifies a model, not its path
