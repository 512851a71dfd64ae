"""From Hydra overrides to checked cells, and from Hydra's errors to one line each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import product
from typing import Any

from hydra import initialize_config_module
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import YAMLError

from paretosteer.config.schema import CellConfig, quoted
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.plugins import conf_files, registry
from paretosteer.sweeps import launchers, options_source, refuse_unsafe
from paretosteer.sweeps.path_hints import path_hint

CONFIG = "config"  # conf/config.yaml
_SECTIONS = {"method", "benchmark", "model", "preferences", "tracker"}  # keys depend on the choice


@contextmanager
def hydra_app() -> Iterator[Any]:
    """A Hydra application over the packaged configuration; its errors become UsageErrors."""
    Plugins.instance().register(options_source.OptionsSource)
    Plugins.instance().register(SearchPath)
    with initialize_config_module("paretosteer.conf", job_name="paretosteer", version_base="1.3"):
        # One time for all cells of a command, which are composed one after the other.
        OmegaConf.register_new_resolver(
            "now", datetime.now().strftime, use_cache=True, replace=True
        )
        try:
            yield GlobalHydra.instance().hydra
        except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
            raise UsageError(one_line(error)) from error


class SearchPath(SearchPathPlugin):  # type: ignore[misc]
    """After conf/: the options of registered classes, then the files of other packages."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("paretosteer", options_source.PATH)
        for package, folder in conf_files.folders().items():
            search_path.append(package, f"file://{folder}")


def parse(config: DictConfig) -> CellConfig:
    """Checked cell of a composed configuration."""
    values = OmegaConf.to_container(_cell(config), resolve=True, throw_on_missing=True)
    assert isinstance(values, dict)
    return CellConfig.parse({str(key): value for key, value in values.items()})


def compose_cell(overrides: Sequence[str]) -> CellConfig:
    """One cell that these overrides describe."""
    with hydra_app() as hydra:
        return parse(_compose_run(hydra, overrides))


def compose_sweep(overrides: Sequence[str]) -> list[CellConfig]:
    """Every cell of the grid that these overrides describe, in the order of the sweep."""
    with hydra_app() as hydra:
        composed = _compose_jobs(hydra, overrides)
        cells = [parse(each) for each in composed]
    folders = list(dict.fromkeys(cell.sweep_dir for cell in cells))
    for each in composed:
        given = _unresolved(each, "sweep_dir")
        if "${" in given and len(folders) > 1:
            raise UsageError(
                f"sweep_dir: {given!r} differs between cells ({', '.join(folders[:2])}, …), which "
                "would have no common report; give one folder, each cell has its own in it"
            )
    return cells


def _unresolved(config: DictConfig, key: str) -> str:
    """Value of a key as it was written, with its references."""
    values = OmegaConf.to_container(config, resolve=False)
    assert isinstance(values, dict)
    return str(values[key])


def run_yaml(overrides: Sequence[str]) -> str:
    """Configuration of one cell as Hydra composed it, not yet checked."""
    with hydra_app() as hydra:
        return _yaml(_compose_run(hydra, overrides))


def sweep_yaml(overrides: Sequence[str]) -> str:
    """Configuration of every cell of a grid as Hydra composed it, one YAML document each."""
    with hydra_app() as hydra:
        return "---\n".join(map(_yaml, _compose_jobs(hydra, overrides)))


def _compose_run(hydra: Any, overrides: Sequence[str]) -> DictConfig:
    refuse_unsafe.check_overrides(overrides)
    config: DictConfig = hydra.compose_config(CONFIG, list(overrides), RunMode.RUN)
    refuse_unsafe.check(config, overrides)
    if config.hydra.sweeper.params:
        swept = ", ".join(f"{k}={v}" for k, v in config.hydra.sweeper.params.items())
        raise UsageError(f"these overrides describe several cells ({swept}); use `sweep`")
    return config


def _compose_jobs(hydra: Any, overrides: Sequence[str]) -> list[DictConfig]:
    config = compose_master(hydra, overrides)
    composed = jobs(config, overrides)
    for each in composed:
        refuse_unsafe.check(each, overrides)
    return composed


def compose_master(hydra: Any, overrides: Sequence[str]) -> DictConfig:
    """Configuration of a sweep itself: its launcher and the values of an experiment's grid."""
    refuse_unsafe.check_overrides(overrides)
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    given = [str(each.input_line) for each in parsed if not _waits(each)]
    config: DictConfig = hydra.compose_config(CONFIG, given, RunMode.MULTIRUN)
    refuse_unsafe.check(config, given)
    refuse_unsafe.check_replayed(config, given)
    return config


def _cell(config: DictConfig) -> DictConfig:
    """A composed configuration without Hydra's own part."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def _yaml(config: DictConfig) -> str:
    return OmegaConf.to_yaml(_cell(config))


def _waits(override: Override) -> bool:
    """True for `method.rank=4`, an option that only the cells need to have.

    Hydra composes a sweep's own configuration first, where `method` is the default one and may
    lack an option that every swept method has.
    """
    section, dot, _ = override.key_or_group.partition(".")
    fixed = override.is_sweep_override() or override.is_delete()
    return bool(dot) and section in _SECTIONS and not fixed


def jobs(config: DictConfig, overrides: Sequence[str]) -> list[DictConfig]:
    """Configuration of every job of a sweep with these overrides, in the order of the grid."""
    loader = GlobalHydra.instance().config_loader()
    parser = OverridesParser.create(loader)
    fixed = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    own = [o for o in parser.parse_overrides(list(overrides)) if not o.is_hydra_override()]
    grid = {o.get_key_element(): list(_spelled(o)) for o in [*parser.parse_overrides(fixed), *own]}
    return [loader.load_sweep_config(config, list(each)) for each in product(*grid.values())]


def _spelled(override: Override) -> Iterator[str]:
    """One override for every value of a swept key; an override that is not swept, unchanged.

    Hydra's own iterator forgets the quotes of `choice('a&b')`.
    """
    if not override.is_sweep_override():
        yield str(override.input_line)
    elif not override.is_discrete_sweep():
        raise UsageError(f"{override.input_line}: an interval has no list of values; use range()")
    else:
        for value in override.sweep_iterator(Override._convert_value):
            yield f"{override.get_key_element()}={quoted(value, references=True)}"


def one_line(error: Exception) -> str:
    """Message of an error of Hydra or OmegaConf in one line, with the nearest known name."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _unknown_choice(error.missing_cfg_file, error.options)
    if isinstance(error, OverrideParseException):
        if "=~" in error.override:
            return f"{error.override!r}: ~ is not the home folder here; write $HOME for it"
        return (
            f"{error.override!r} is not an override: write key=value, with quotes around text that "
            f"is more than a word or a plain path, as in \"key='a b'\" ({_flat(error)})"
        )
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key}: needs a value, it has no default"
    node = getattr(error.__cause__, "parent_node", None)
    if node is not None:
        return _unknown_key(error.__cause__, node)
    if swept := re.match(r"(?:Ambiguous value for argument|Sweep parameters) '(.*)'", str(error)):
        return f"{swept[1]}: several values at once need `paretosteer sweep`"
    return _flat(error)


def _unknown_choice(file: str, choices: Sequence[str] | None) -> str:
    """`method=rewarded_suop`: no such configuration in the group."""
    group, _, name = file.partition("/")
    if group == "hydra":
        group, _, name = file.rpartition("/")
    if group == "hydra/launcher" and name in launchers.EXTRAS:
        return launchers.missing(name)
    try:
        if group in options_source.GROUPS:
            registry.find(options_source.GROUPS[group], name)  # several packages may offer it
    except UsageError as error:
        return str(error)
    hint = path_hint(group, name) or did_you_mean(name, choices or ())
    return f"{group}={name}: no such {group}; {hint}"


def _unknown_key(error: Any, node: Any) -> str:
    """`method.rnak=4`: no such key in its section."""
    key, place = str(error.key), str(error.full_key)
    known = {str(name) for name in node} - {"name"}
    if key == place:  # top level, where groups that leave no key count too
        return f"{place}: not a setting; {did_you_mean(key, known | {'experiment', 'launcher'})}"
    owner = node.get("name", place.rpartition(".")[0])
    end = f"; {did_you_mean(key, known)}" if known else ", which has none"
    return f"{place} is not an option of {owner}{end}"


def _flat(error: Exception) -> str:
    """Message on one line, without pointers to manuals and OmegaConf's own coordinates."""
    lines = [line.strip() for line in str(error).splitlines()]
    noise = ("See https", "full_key:", "object_type=")
    return " ".join(line for line in lines if line and not line.startswith(noise))
