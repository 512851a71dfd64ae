"""Code, libraries and device that make a stage of a cell, and what is said of stages by others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paretosteer.cells import provenance
from paretosteer.cells.plan import CellPlan
from paretosteer.cells.state import State
from paretosteer.plugins.in_use import used
from paretosteer.runtime.devices import device_kind
from paretosteer.storage.origin import Origin, caveats, origin, reused


@dataclass(frozen=True)
class Maker:
    """What makes the stages of a cell now."""

    code: str  # digest, plug-ins of the cell included
    origin: Origin

    @classmethod
    def of(cls, plan: CellPlan, device: str | None = None) -> Maker:
        """Maker of a planned cell; without a kind of device, that of its configuration."""
        plugins = used(plan.config)
        made = origin(provenance.versions(plugins), device or device_kind(plan.config.device))
        return cls(provenance.source_digest(plugins), made)

    @property
    def device(self) -> str:
        """Kind of device."""
        return str(self.origin["device"])

    @property
    def facts(self) -> dict[str, Any]:
        """Facts of a stage by which a later run recognises its maker."""
        return {"code": self.code, **self.origin}

    def made(self, facts: dict[str, Any]) -> bool:
        """True if the stage with these facts was made by the same."""
        return all(facts.get(name) == value for name, value in self.facts.items())

    def caveats(self, state: State, done: Sequence[str]) -> list[str]:
        """Sentences about finished stages by other makers, and those that they brought along."""
        facts = {name: state.facts(name) for name in done}
        other = [name for name, fact in facts.items() if fact.get("code") != self.code]
        found = [reused("by other code", other)] if other else []
        found += self.other_origins(state, done)
        found += [caveat for fact in facts.values() for caveat in fact.get("caveats", ())]
        return list(dict.fromkeys(found))

    def other_origins(self, state: State, done: Sequence[str]) -> list[str]:
        """Sentences about finished stages by other libraries, or on another kind of device."""
        facts = {name: state.facts(name) for name in done}
        origins = {name: [fact] for name, fact in facts.items() if "versions" in fact}
        return caveats(origins, self.origin)
