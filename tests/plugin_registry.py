"""The registry of plug-ins, made to look again."""

from hydra.core.config_store import ConfigStore

from paretosteer.plugins import registry, single_files


def forget() -> None:
    """Let the registry look again, and say again what it leaves out."""
    for cached in (registry.installed, registry._of_packages, registry.note, single_files._read):
        cached.cache_clear()
    for group in ("method", "benchmark"):
        ConfigStore.instance().repo.pop(group, None)
