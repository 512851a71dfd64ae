"""Options of a method or benchmark as readers see them, with the plug-ins that a name may pick."""

from __future__ import annotations

from dataclasses import replace

from paretosteer.config.options import BaseOptions, OptionRow, describe
from paretosteer.plugins import registry


def option_rows(kind: type[BaseOptions]) -> list[OptionRow]:
    """Every option; the meaning of `feedback` lists the registered kinds, those of plug-ins too."""
    kinds = " | ".join(registry.names("feedback"))
    return [
        replace(row, help=f"{row.help}: {kinds}")
        if row.name == "feedback" and row.type == "str"
        else row
        for row in describe(kind)
    ]
