"""Configuration files of the user, wherever Hydra finds them, with numbers that mean what they say.

YAML reads 010 as 8 and 12:30 as 750. On the command line, Hydra takes these for texts.
"""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from hydra._internal.core_plugins import file_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.plugins.config_source import ConfigResult

from paretosteer.errors import UsageError

# Octal, as 010 for 8, and sexagesimal, as 12:30 for 750.
_MISREAD = re.compile(r"[-+]?(0[0-7_]+|\d[\d_]*(:[0-5]?\d)+(\.[\d_]*)?)")


class FileConfigSource(file_config_source.FileConfigSource):  # type: ignore[misc]
    """Hydra's reader of files in a folder, after a check of their numbers.

    Its registry keeps the first class of a scheme, and takes another of the same name for the same.
    """

    def load_config(self, config_path: str) -> ConfigResult:
        """Configuration of a file; UsageError for a number that is not what YAML reads."""
        check_numbers(Path(self.path) / self._normalize_file_name(config_path))
        return super().load_config(config_path)


def use() -> None:
    """Read configuration files of folders with the check, instead of Hydra's own reader."""
    SourcesRegistry.instance().types[FileConfigSource.scheme()] = FileConfigSource


def check_numbers(path: Path) -> None:
    """Raise UsageError for a number that YAML reads as another than a reader does."""
    try:
        for token in yaml.scan(path.read_bytes()):
            if isinstance(token, yaml.ScalarToken) and token.plain:
                text, line = token.value, token.start_mark.line + 1
                if _MISREAD.fullmatch(text) and _is_other(text, value := yaml.safe_load(text)):
                    raise UsageError(
                        f"{path}, line {line}: YAML reads {text} as {value}; write {value}, or "
                        f"'{text}' in quotes for a text"
                    )
    except (OSError, ValueError, yaml.YAMLError):  # Hydra names the file
        return


def _is_other(text: str, value: object) -> bool:
    """True unless YAML reads a text as it is written: as a text, or as 7 from 07."""
    return not isinstance(value, str) and (":" in text or int(text.replace("_", "")) != value)
