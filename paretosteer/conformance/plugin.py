"""The class that is checked: registered under a name, or at hand."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from paretosteer.config.schema import CellConfig, Plugin
from paretosteer.plugins import registry
from paretosteer.sweeps.compose import compose_cell

STAND_IN = {"method": "start", "benchmark": "bandit"}  # while the rest is composed


@dataclass(frozen=True)
class PluginClass:
    """The class of a method or a benchmark, before anything is built."""

    group: registry.Group
    name: str
    kind: Any
    registered: bool  # under this name

    @classmethod
    def of(cls, group: registry.Group, which: str | type) -> PluginClass:
        """A class itself, or by name; UsageError for an unknown one, or if it does not import."""
        if isinstance(which, str):
            return cls(group, which, registry.load(group, which), registered=True)
        return cls(group, getattr(which, "name", which.__name__), which, registered=False)

    @property
    def section(self) -> str:
        """Its part of a configuration."""
        return self.group[:-1]

    def configure(self, overrides: Sequence[str]) -> CellConfig:
        """The cell that the overrides describe; UsageError where they cannot be."""
        if self.registered:
            return compose_cell([f"{self.section}={self.name}", *overrides])
        own = [word for word in overrides if word.startswith(f"{self.section}.")]
        others = [word for word in overrides if word not in own]
        config = compose_cell([f"{self.section}={STAND_IN[self.section]}", *others])
        given = OverridesParser.create().parse_overrides(own)
        values = {each.key_or_group.partition(".")[2]: each.value() for each in given}
        return config.model_copy(update={self.section: Plugin(name=self.name, **values)})

    @property
    def source(self) -> str:
        """The file that defines it."""
        try:
            return inspect.getsourcefile(self.kind) or ""
        except TypeError:
            return ""
