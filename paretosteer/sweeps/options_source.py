"""Hydra's groups `method` and `benchmark`: defaults from the options class of what is chosen."""

from __future__ import annotations

import builtins

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import OmegaConf

from paretosteer.config import options
from paretosteer.errors import UsageError
from paretosteer.plugins import conf_files, registry

PATH = "options://"
GROUPS: dict[str, registry.Group] = {"method": "methods", "benchmark": "benchmarks"}


class OptionsSource(ConfigSource):  # type: ignore[misc]
    """Every registered name is a configuration; only the class of a chosen one is imported.

    A plug-in whose package brings a YAML file of that name is configured by the file.
    """

    def __init__(self, provider: str, path: str):
        super().__init__(provider, path)
        self.files = conf_files.files()

    @staticmethod
    def scheme() -> str:
        return "options"

    def available(self) -> bool:
        return True

    def is_group(self, config_path: str) -> bool:
        return config_path in GROUPS

    def is_config(self, config_path: str) -> bool:
        group, name = _parts(config_path)
        return name in self._names(group)

    def list(self, config_path: str, results_filter: ObjectType | None) -> builtins.list[str]:
        return [] if results_filter == ObjectType.GROUP else self._names(config_path)

    def load_config(self, config_path: str) -> ConfigResult:
        group, name = _parts(config_path)
        values = options.defaults(registry.load(GROUPS[group], name).Options)
        config = OmegaConf.create({"name": name, **values})
        for key in config:
            if config[key] == {}:  # overrides add names to it without `+`
                OmegaConf.set_struct(config[key], False)
        return ConfigResult(
            provider=self.provider,
            path=self.full_path(),
            config=config,
            header={"package": None},
        )

    def _names(self, group: str) -> builtins.list[str]:
        if group not in GROUPS:
            return []
        return [name for name in registry.names(GROUPS[group]) if self._is_ours(group, name)]

    def _is_ours(self, group: str, name: str) -> bool:
        path = self.files.get(f"{group}/{name}.yaml")
        if path is None:
            return True
        offer = registry.find(GROUPS[group], name)
        if offer is None or not offer.built_in:
            return False
        message = f"{path}: {group} {name!r} is built in; give the file another name"
        if path.is_relative_to(conf_files.own_folder() or "-"):
            raise UsageError(f"--config-dir: {message}")
        registry.note(message)
        return True


def _parts(config_path: str) -> tuple[str, str]:
    group, _, name = config_path.removesuffix(".yaml").rpartition("/")
    return group, name
