"""PEFT LoRA folders that an option of a method names, one per objective, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretosteer.errors import UnsupportedError, UsageError, about
from paretosteer.runtime.terminal import plural
from paretosteer.text.adapter_base import (
    base_notes,
    check_bases,
    refuse_other_bases,
    tokenizer_notes,
)
from paretosteer.text.exported import prefix_note
from paretosteer.text.read_peft import (
    Adapter,
    adapters_digest,
    add_adapters,
    check_adapters,
    read_adapter,
)

if TYPE_CHECKING:
    from paretosteer.text.policy import TextPolicy


class GivenAdapters:
    """Adapters that were trained elsewhere, from the start model; errors name their option."""

    def __init__(self, paths: Sequence[str], option: str):
        self.option = option
        self.folders = [Path(path).expanduser() for path in paths]

    def digest(self) -> str:
        """Digest of their content in order; UsageError unless they are distinct plain LoRAs."""
        with about(self.option):
            return adapters_digest(self.folders)

    def check_number(self, objectives: int) -> None:
        """Raise UsageError unless there is one for each objective."""
        if len(self.folders) != objectives:
            raise UsageError(
                f"{self.option}: {plural(len(self.folders), 'adapter')} for {objectives} "
                "objectives; give one PEFT LoRA folder per objective, in order: "
                f"'{self.option}=[first,second]'"
            )

    def notes(self, benchmark: Any) -> list[str]:
        """Notes on those of another base model, tokenizer or prefix.

        Raises
        ------
        UsageError
            If one does not fit.

        """
        with about(self.option):
            model = benchmark.model
            adapters = self._fitting(benchmark)
            prefixes = [prefix_note(f"Adapter {each.source!r}", each.about) for each in adapters]
            bases = base_notes(adapters, model, benchmark.setting)
            tokenizers = [tokenizer_notes(each, model) for each in adapters]
            unknown = map(_unknown_settings, adapters)
            return [*bases, *chain(*prefixes), *chain(*tokenizers), *chain(*unknown)]

    def check_start(self, benchmark: Any) -> None:
        """Raise UsageError unless every one fits the start model, and names no other."""
        with about(self.option):
            model = benchmark.model
            refuse_other_bases(self._fitting(benchmark), model, benchmark.setting)

    def fill(self, policy: Any, benchmark: str) -> None:
        """Add them to a policy without banks, frozen; UnsupportedError if it is not a text's."""
        with about(self.option):
            add_adapters(text_policy(policy, benchmark), list(map(read_adapter, self.folders)))
        for parameter in policy.parameters():
            parameter.requires_grad_(False)

    def _fitting(self, benchmark: Any) -> list[Adapter]:
        adapters = list(map(read_adapter, self.folders))
        check_adapters(benchmark.model.network, adapters)
        check_bases(adapters, benchmark.model)
        return adapters


def _unknown_settings(adapter: Adapter) -> list[str]:
    """Note on settings, not switched off, that the installed release of PEFT does not have."""
    from peft import LoraConfig

    known = {field.name for field in fields(LoraConfig)}
    names = sorted(name for name, value in adapter.config.items() if value and name not in known)
    if not names:
        return []
    return [
        f"Adapter {adapter.source!r} sets {', '.join(names)}, which PEFT {version('peft')} does "
        "not have and nothing applies."
    ]


def text_policy(policy: Any, benchmark: str) -> TextPolicy:
    """The policy; UnsupportedError unless it is a language model."""
    from paretosteer.text.policy import TextPolicy

    if not isinstance(policy, TextPolicy):
        raise UnsupportedError(f"{benchmark} has no language model for the PEFT adapters to change")
    return policy


def is_text(benchmark: Any) -> bool:
    """True if a benchmark has a language model for adapters to change."""
    from paretosteer.text.benchmark import TextBenchmark

    return isinstance(benchmark, TextBenchmark)
