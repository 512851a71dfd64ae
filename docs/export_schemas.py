"""Write the JSON Schemas in docs/schema from the pydantic models; `make generated` runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from paretosteer.cells.record import RECORDS
from paretosteer.plugins import registry

FOLDER = Path(__file__).parent / "schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its file in docs/schema, without the ending."""
    groups: tuple[registry.Group, ...] = ("methods", "benchmarks")
    options = {
        f"options/{group[:-1]}-{name}": registry.load(group, name).Options.model_json_schema()
        for group in groups
        for name in registry.names(group)
        if (offer := registry.find(group, name)) and offer.built_in
    }
    return options | {"record": RECORDS.json_schema()}


def text(schema: dict[str, Any]) -> str:
    """A schema as its file holds it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, schema in schemas().items():
        path = FOLDER / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(schema), encoding="utf-8")
