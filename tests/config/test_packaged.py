"""The packaged YAML shows what the dataclasses define."""

from importlib.resources import files
from typing import Any

import pytest
import yaml

from paretosteer import options, registry

PLUGINS: list[tuple[str, registry.Group, str]] = [
    ("method", "methods", "rewarded_soup"),
    ("method", "methods", "bone_soup"),
    ("method", "methods", "clp"),
    ("method", "methods", "cos_dpo"),
    ("method", "methods", "interpolation"),
    ("method", "methods", "morl"),
    ("method", "methods", "start"),
    ("benchmark", "benchmarks", "stories"),
]


def as_yaml(value: Any) -> Any:
    return [as_yaml(item) for item in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize(("folder", "group", "name"), PLUGINS)
def test_yaml_holds_the_defaults_and_help_of_the_dataclass(
    folder: str, group: registry.Group, name: str
) -> None:
    text = (files("paretosteer.conf") / folder / f"{name}.yaml").read_text(encoding="utf-8")
    kind = registry.load(group, name).Options
    defaults = {key: as_yaml(value) for key, value in options.defaults(kind).items()}
    assert yaml.safe_load(text) == {"name": name, **defaults}
    for row in options.describe(kind):
        assert f"# {row.help}" in text, f"{row.name} is shown with another help text"
