"""What a configuration says of one objective's reward model, and the checks on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from paretosteer.errors import UsageError, did_you_mean
from paretosteer.storage.digest import digest
from paretosteer.text.model import model_digest
from paretosteer.text.rewards.input_forms import FORMS

REWARDS_VERSION = "1"  # raised when the same model gives other scores
_CHOICES: Mapping[str, tuple[str | None, ...]] = {
    "form": tuple(FORMS),
    "truncation": (None, "left", "right"),
    "segment": ("sentence", "clause"),
    "reduce": ("mean", "sum"),
}


@dataclass(frozen=True)
class RewardSpec:
    """`benchmark.rewards.NAME`: which reward model, what it reads, and how its output is taken.

    `score = (sign · logit − mean) / std`, with the logit at index `logit`, or its probability
    among all labels. `template` replaces the text that the form makes (`{prompt}`, `{answer}`,
    `{bos}`). Texts over `max_length` tokens are cut from the side `truncation`, by default the one
    that keeps the answer. The last four are for the form `segments`: where an answer is split, the
    index of the label that speaks against a segment (which then counts +1 or −1), how segments are
    reduced to one score, and the separator.
    """

    name: str
    path: str
    form: str = "dialogue"
    logit: int = 0
    sign: int = 1
    probability: bool = False
    mean: float = 0.0
    std: float = 1.0
    template: str | None = None
    max_length: int | None = None
    truncation: str | None = None
    pad_token: str | None = None
    segment: str = "sentence"
    against: int | None = None
    reduce: str = "sum"
    separator: str | None = None

    @property
    def option(self) -> str:
        """The key that it was given under, for errors."""
        return f"benchmark.rewards.{self.name}"

    @classmethod
    def of(cls, value: str | Mapping[str, Any], name: str) -> RewardSpec:
        """From a path or a mapping; UsageError that names `benchmark.rewards.<name>`."""
        option = f"benchmark.rewards.{name}"
        given = {"path": value} if isinstance(value, str) else dict(value)
        known = [field.name for field in fields(cls) if field.name != "name"]
        for key in given:
            if key not in known:
                raise UsageError(f"{option}.{key} is not a setting; {did_you_mean(key, known)}")
        if not isinstance(given.get("path"), str) or not given["path"]:
            raise UsageError(f"{option}.path: needs a model folder or a hub name")
        spec = cls(name, **given)
        spec._check()
        return spec

    def _check(self) -> None:
        for key, choices in _CHOICES.items():
            found = getattr(self, key)
            if found not in choices:
                names = ", ".join(choice for choice in choices if choice)
                raise UsageError(f"{self.option}.{key}: found {found!r}, expected one of {names}")
        if self.sign not in (1, -1):
            raise UsageError(f"{self.option}.sign: found {self.sign!r}, expected 1 or -1")
        if not self.std > 0:
            raise UsageError(f"{self.option}.std: found {self.std!r}, expected more than 0")
        if self.max_length is not None and self.max_length < 1:
            raise UsageError(f"{self.option}.max_length: found {self.max_length!r}, expected >= 1")


def reward_digest(spec: RewardSpec) -> str:
    """Digest of all that a score depends on: the folder's content (or hub name) and the settings.

    Raises
    ------
    UsageError
        If there is no such folder, or no model in it.

    """
    settings = {f.name: getattr(spec, f.name) for f in fields(spec) if f.name not in _NAMES}
    content = model_digest(spec.path, f"{spec.option}.path")
    return digest({"content": content, "settings": settings, "version": REWARDS_VERSION})


_NAMES = ("name", "path")  # where a model lies says nothing of what it is
