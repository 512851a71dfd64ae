"""Specialists of a trained policy as the parts of a merge: deltas, and Gram matrices of inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from paretosteer.benchmark import Benchmark
from paretosteer.errors import UnsupportedError
from paretosteer.policies.base import Conditioned
from paretosteer.policies.control import Control
from paretosteer.policies.merged_banks import MergedBanks, MergedLinear, MergedTable
from paretosteer.policies.protocols import Policy
from paretosteer.storage.safetensors_only import read_tensors
from paretosteer.training.trainer import Trainer


def banked(policy: Policy) -> dict[str, Any]:
    """Banked layers of a policy by name; UnsupportedError if it has none."""
    if not isinstance(policy, Conditioned):
        raise UnsupportedError("this benchmark's policy has no banked layers to merge")
    return dict(policy.layers)


def load_merged(merged: Any, kind: MergedBanks, folder: Path) -> None:
    """Load the merged banks that a checkpoint holds, those of a policy without banks added."""
    state = read_tensors(folder / "policy.safetensors")
    if not banked(merged):
        first = [name.split(".", 2)[2] for name in state if name.startswith("banks.0.")]
        _add_merged_banks(merged, kind, dict.fromkeys(x.rpartition(".")[0] for x in first))
    merged.load_state(state)


def _add_merged_banks(policy: Any, kind: MergedBanks, names: Iterable[str]) -> None:
    """Put merged banks around the named layers of a language model, those that adapters change."""
    policy.add_banks(list(names), lambda _, layer: kind.linear(layer, policy.active))


@torch.no_grad()
def fill_merged(
    merged: Any,
    kind: MergedBanks,
    source: Policy,
    benchmark: Benchmark,
    examples: int,
    trainer: Trainer,
) -> None:
    """Fill merged banks from the source's: with its deltas, sparsified under the seed.

    A policy without banks, to which adapters give theirs, gets them around the source's layers.

    For regmean also with Gram matrices, from `examples` samples of each bank, prompts repeating.
    """
    if not banked(merged):
        _add_merged_banks(merged, kind, banked(source))
    trained, generator = banked(source), torch.Generator().manual_seed(trainer.seed)
    for bank in range(kind.count):
        for name, layer in sorted(banked(merged).items()):
            delta = kind.how.sparsify(trained[name].delta(bank), generator)
            layer.parts(bank)["delta"].copy_(delta)
    if kind.how.kind != "regmean":
        return
    prompts = list(islice(cycle(benchmark.prompts("train")), examples))
    for bank in range(kind.count):
        grams, units = gram_matrices(source, trained, bank, prompts, trainer.seed)
        trainer.select(units, 0, source.size)
        for name, layer in banked(merged).items():
            layer.parts(bank)["gram"].copy_(grams[name])


def merge_once(policy: Policy, control: Control) -> None:
    """Merge every layer at a control of one row, as a new preference needs."""
    assert control.values is not None
    for layer in banked(policy).values():
        if isinstance(layer, MergedLinear | MergedTable):
            layer.specialists.under(control.values[0])


@torch.no_grad()
def gram_matrices(
    policy: Policy,
    layers: Mapping[str, nn.Module],
    bank: int,
    prompts: Sequence[Any],
    seed: int,
) -> tuple[dict[str, Tensor], int]:
    """X^T X (in, in) of every layer for one bank's samples of some prompts, and their units.

    X holds all tokens of prompt and response. Samples pass one at a time, since padding beside
    shorter ones would count as input.
    """
    grams: dict[str, Tensor] = {}
    units = 0

    def hook(name: str) -> Callable[..., None]:
        def add(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            x = inputs[0].flatten(0, -2).double()  # (tokens, in)
            grams[name] = grams.get(name, 0) + x.T @ x

        return add

    for sample in _single_samples(policy, bank, prompts, seed):
        with ExitStack() as hooks:
            for name, layer in layers.items():
                handle = layer.register_forward_pre_hook(hook(name))
                hooks.callback(handle.remove)
            policy.log_probs(sample, Control.bank([bank]))
        units += sample.tokens
    return grams, units


def _single_samples(
    policy: Policy, bank: int, prompts: Sequence[Any], seed: int, rows: int = 64
) -> Iterator[Any]:
    """One sample per prompt, each alone; drawn in batches where batches can be taken apart."""
    for first in range(0, len(prompts), rows):
        part = prompts[first : first + rows]
        numbers = list(range(first, first + len(part)))  # prompts may repeat
        drawn: Any = policy.sample(part, Control.bank([bank] * len(part)), seed, numbers)
        for i, prompt in enumerate(part):
            if hasattr(drawn, "take"):
                yield drawn.take([i])
            else:
                yield policy.sample([prompt], Control.bank([bank]), seed, [numbers[i]])
