"""Options of a method or benchmark as readers see them, with the plug-ins that a name may pick."""

from __future__ import annotations

from dataclasses import replace

from paretosteer.config.options import BaseOptions, OptionRow, describe
from paretosteer.plugins import registry


def option_rows(kind: type[BaseOptions]) -> list[OptionRow]:
    """Own options, then those that trained methods share.

    The meaning of `feedback` lists the registered kinds, those of plug-ins too.
    """
    from paretosteer.method import TrainingOptions

    shared = TrainingOptions.model_fields
    return [
        replace(row, help=_with_kinds(row.help))
        if row.name == "feedback" and row.type == "str"
        else row
        for row in sorted(describe(kind), key=lambda row: row.name in shared)
    ]


def _with_kinds(help: str) -> str:
    """Help of an option with the registered kinds of feedback, before any condition in brackets."""
    meaning, bracket, condition = help.partition(" [")
    return f"{meaning}: {' | '.join(registry.names('feedback'))}{bracket}{condition}"
