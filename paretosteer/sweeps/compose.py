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
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    IntervalSweep,
    Override,
    OverrideType,
    RangeSweep,
)
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import YAMLError

from paretosteer.config import options
from paretosteer.config.schema import CellConfig, quoted
from paretosteer.errors import UsageError, did_you_mean
from paretosteer.plugins import conf_files, registry
from paretosteer.runtime.progress import say
from paretosteer.sweeps import (
    launchers,
    options_source,
    refuse_unsafe,
    replaced_values,
    yaml_numbers,
)
from paretosteer.sweeps.path_hints import path_hint

CONFIG = "config"  # conf/config.yaml
_HYDRA_MESSAGES = {
    r"Could not append to config\. An item is already at '(.*)'": "+{0}: {0} exists; omit the +",
    r"Could not delete from config\. '(.*)' does not exist": "~{0}: {0} is null or unset; omit it",
    r"Multiple values for (\S+)\. ": "{0}: chosen twice; on the command line omit the +, in a file "
    "write `override /{0}: NAME`",
}
_SECTIONS = {
    "method",
    "benchmark",
    "model",
    "preferences",
    "tracker",
    "engine",
}  # keys depend on the choice


@contextmanager
def hydra_app() -> Iterator[Any]:
    """A Hydra application over the packaged configuration; its errors become UsageErrors."""
    Plugins.instance().register(options_source.OptionsSource)
    Plugins.instance().register(SearchPath)
    yaml_numbers.use()
    with initialize_config_module("paretosteer.conf", job_name="paretosteer", version_base="1.3"):
        # One time for all cells of a command, which are composed one after the other.
        OmegaConf.register_new_resolver(
            "now", datetime.now().strftime, use_cache=True, replace=True
        )
        try:
            yield GlobalHydra.instance().hydra
        except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
            raise UsageError(one_line(error)) from error
        except RecursionError:
            raise UsageError(
                "defaults: configuration files name each other in a circle; correct their "
                "defaults lists"
            ) from None


class SearchPath(SearchPathPlugin):  # type: ignore[misc]
    """After conf/: the options of registered classes, then the files of other packages."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        search_path.append("paretosteer", options_source.PATH)
        for package, folder in conf_files.folders().items():
            search_path.append(package, f"file://{folder}")


def parse(config: DictConfig) -> CellConfig:
    """Checked cell of a composed configuration."""
    HydraConfig.instance().set_config(config)  # for `${hydra:runtime.choices.benchmark}`
    cell = _cell(config)
    written = str(OmegaConf.to_container(cell, resolve=False))
    for name in re.findall(r"\$\{hydra:([^{}]*)\}", written):
        if OmegaConf.select(config.hydra, name) is None:  # such as job.num
            raise UsageError(f"${{hydra:{name}}}: has no value for a cell; use another reference")
    values = OmegaConf.to_container(cell, resolve=True, throw_on_missing=True)
    assert isinstance(values, dict)
    return CellConfig.parse({str(key): value for key, value in values.items()})


def compose_cell(overrides: Sequence[str]) -> CellConfig:
    """One cell that these overrides describe; of an experiment's grid, the cell that they pick."""
    with hydra_app() as hydra:
        return parse(*_compose_jobs(hydra, overrides, one=True))


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


def composed_yaml(overrides: Sequence[str], part: str, one: bool) -> str:
    """Configuration of every cell as Hydra composed it, not yet checked: one document for each.

    `part` is `job`, `hydra` or `all`, as in Hydra's `--cfg`.
    """
    with hydra_app() as hydra:
        configs = _compose_jobs(hydra, overrides, one)
        parts = [hydra.get_sanitized_cfg(config, part) for config in configs]
        return "---\n".join(map(OmegaConf.to_yaml, parts))


def print_info(overrides: Sequence[str], topic: str, one: bool) -> None:
    """Print what Hydra's `--info` prints about the composition of a cell, or of a sweep itself."""
    with hydra_app() as hydra:
        job = _compose_jobs(hydra, overrides, one)[0].hydra.overrides  # checked
        if one:
            hydra.show_info(topic, CONFIG, [*job.hydra, *job.task], RunMode.RUN)
        else:
            parsed = OverridesParser.create().parse_overrides(list(overrides))
            hydra.show_info(topic, CONFIG, _of_sweep(parsed), RunMode.MULTIRUN)


def _compose_jobs(hydra: Any, overrides: Sequence[str], one: bool = False) -> list[DictConfig]:
    """Configuration of every job, in the order of the grid."""
    config = compose_master(hydra, overrides)
    axes = config.hydra.sweeper.params or {}
    composed = _compose_grid(config, _grid(config, overrides, one))
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    for note in dict.fromkeys(n for c in composed for n in replaced_values.kept_keys(parsed, c)):
        say(f"note: {note}")
    for each in composed:
        refuse_unsafe.check(each, overrides)
        if lost := [key for key in each.hydra.sweeper.params or {} if key not in axes]:
            name = each.hydra.runtime.choices.experiment
            raise UsageError(
                f"experiment={name}: sweeps over {', '.join(lost)}, which does not work with "
                "several experiments at once; run one `paretosteer sweep` for each"
            )
    return composed


def _compose_grid(config: DictConfig, jobs: Sequence[list[str]]) -> list[DictConfig]:
    """Configuration of every job; UsageError if only some of the methods have an option."""
    loader = GlobalHydra.instance().config_loader()
    composed: list[DictConfig] = []
    errors: dict[str, HydraException] = {}  # by method
    for job in jobs:
        method = next((word for word in job if word.startswith("method=")), "")
        if method in errors:
            continue
        try:
            _check_replaced(loader, config, job)
            composed.append(loader.load_sweep_config(config, job))
        except HydraException as error:
            errors[method] = error
        if errors and composed:
            break
    if not errors:
        return composed
    first = next(iter(errors.values()))
    unknown = re.match(r"method\.\w+ is not an option of \w+", one_line(first))
    if composed and unknown:
        raise UsageError(
            f"{unknown[0]}, only of {composed[0].method.name}; run one `paretosteer sweep` for "
            "each method, with the same sweep_dir"
        )
    raise first


def _check_replaced(loader: Any, config: DictConfig, job: list[str]) -> None:
    """UsageError where a job sets a part of a value that a file gives whole."""
    keys = dict.fromkeys(word.removesuffix("={}") for word in job if word.endswith("={}"))
    parts = [(key, word) for key in keys for word in job if word.startswith(f"++{key}.")]
    if parts:
        changed = {*(f"{key}={{}}" for key, _ in parts), *(word for _, word in parts)}
        of_files = loader.load_sweep_config(config, [word for word in job if word not in changed])
        for key, word in parts:
            replaced_values.check_files(key, word, of_files)


def compose_master(hydra: Any, overrides: Sequence[str]) -> DictConfig:
    """Configuration of a sweep itself: its launcher and the values of an experiment's grid."""
    refuse_unsafe.check_overrides(overrides)
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    _check_prefixes(parsed)
    replaced_values.check(parsed)
    given = _of_sweep(parsed)
    config: DictConfig = hydra.compose_config(CONFIG, given, RunMode.MULTIRUN)
    refuse_unsafe.check(config, given)
    refuse_unsafe.check_replayed(config, given)
    return config


def _cell(config: DictConfig) -> DictConfig:
    """A composed configuration without Hydra's own part."""
    return OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])


def _of_sweep(overrides: Sequence[Override]) -> list[str]:
    """Overrides of a sweep's own configuration."""
    return [str(each.input_line) for each in overrides if not _waits(each)]


def _check_prefixes(overrides: Sequence[Override]) -> None:
    """UsageError for `launcher.n_jobs=4`, whose group is ours but whose settings are Hydra's."""
    for each in overrides:
        if each.key_or_group.startswith(("launcher.", "sweeper.")):
            raise UsageError(
                f"{each.key_or_group}: settings of the {each.key_or_group.partition('.')[0]} are "
                f"Hydra's; write hydra.{each.key_or_group}"
            )


def _waits(override: Override) -> bool:
    """True for `method.rank=4`, an option that only the cells need to have.

    Hydra composes a sweep's own configuration first, where `method` is the default one and may
    lack an option that every swept method has.
    """
    section, dot, _ = override.key_or_group.partition(".")
    return bool(dot) and section in _SECTIONS and not override.is_sweep_override()


def _grid(config: DictConfig, overrides: Sequence[str], one: bool) -> list[list[str]]:
    """Overrides of every job of a sweep, in the order of the grid.

    `config` is the sweep's own configuration, with the axes of an experiment. An override replaces
    the axis of its key.
    """
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    own = [o for o in _parsed(parser, overrides) if not o.is_hydra_override()]
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    parts: list[Override] = []
    for axis in _parsed(parser, params):
        parts += [o for o in own if o.key_or_group == axis.key_or_group] or [axis]
    parts += [o for o in own if o not in parts]
    last = {part.get_key_element(): part for part in parts}
    parts = [o for o in parts if not o.is_sweep_override() or o is last[o.get_key_element()]]
    values = [list(_spelled(part)) for part in parts]
    several = [part for part, found in zip(parts, values, strict=True) if len(found) > 1]
    if one and several:
        raise UsageError(
            f"{', '.join(str(o.input_line) for o in several)}: several values at once need "
            "`paretosteer sweep`; for one cell, set "
            f"{' and '.join(f'{o.get_key_element()}=VALUE' for o in several)}"
        )
    return [list(each) for each in product(*values)]


def _parsed(parser: OverridesParser, overrides: Sequence[str]) -> Iterator[Override]:
    """Overrides; plain ones may set a key of a mapping inside an option, such as `split` here.

    `benchmark.pairs.helpful.split=x` needs no `+` because the benchmark itself knows the keys, but
    `helpful` must exist.
    """
    for each in parser.parse_overrides(list(overrides)):
        inside = re.match(r"((method|benchmark)\.[^.]+\.[^.]+)\..", each.key_or_group)
        if inside and each.type == OverrideType.CHANGE:
            yield from parser.parse_overrides([f"{inside[1]}={{}}", f"++{each.input_line}"])
        else:
            yield each


def _spelled(override: Override) -> Iterator[str]:
    """One override for every value of a swept key; an override that is not swept, unchanged.

    Hydra's own iterator forgets the quotes of `choice('a&b')`.
    """
    if not override.is_sweep_override():
        yield str(override.input_line)
    elif not override.is_discrete_sweep():
        raise UsageError(f"{override.input_line}: an interval cannot be swept over; use range()")
    else:
        values = list(override.sweep_iterator(Override._convert_value))
        if not values:
            raise UsageError(f"{override.input_line}: has no values; give at least one")
        if any(isinstance(value, ChoiceSweep | RangeSweep | IntervalSweep) for value in values):
            raise UsageError(
                f"{override.input_line}: a sweep in a list cannot be swept over; list its values"
            )
        for value in values:
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
    for pattern, message in _HYDRA_MESSAGES.items():
        if found := re.match(pattern, str(error)):
            return message.format(*found.groups())
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
    closest = registry.closest if group in options_source.GROUPS else did_you_mean
    hint = path_hint(group, name) or closest(name, choices or ())
    return f"{group}={name}: no such {group}; {hint}"


def _unknown_key(error: Any, node: Any) -> str:
    """`method.rnak=4`: no such key in its section."""
    key, place = str(error.key), str(error.full_key)
    known = {str(name) for name in node} - {"name"}
    if (group := options_source.GROUPS.get(place.partition(".")[0])) and place.count(".") == 1:
        known &= set(options.usable(registry.load(group, node.name).Options))
    if key == place:  # top level, where groups that leave no key count too
        return f"{place}: not a setting; {did_you_mean(key, known | {'experiment', 'launcher'})}"
    owner = node.get("name", place.rpartition(".")[0])
    end = f"; {did_you_mean(key, known)}" if known else ", which has none"
    # Hydra leaves an empty node where an override has a key below a number or a text.
    mappings = r"hydra\.launcher\.\w+|hydra\.sweeper\.params"
    if known:
        mappings += r"|(method|benchmark)\.\w+"
    is_in_mapping = re.match(rf"({mappings})\.", place)
    add = f" (to add it, use +{place}=VALUE)" if is_in_mapping else ""
    return f"{place} is not an option of {owner}{end}{add}"


def _flat(error: Exception) -> str:
    """Message on one line, without pointers to manuals and OmegaConf's own coordinates."""
    lines = [line.strip() for line in str(error).splitlines()]
    noise = ("See https", "full_key:", "object_type=")
    return " ".join(line for line in lines if line and not line.startswith(noise))
