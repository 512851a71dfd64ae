"""Methods and benchmarks from Python, without Hydra, for notebooks.

benchmark = make_benchmark("stories", budget="smoke")
method = make_method("clp", variant="attention")
method.train(benchmark, make_trainer(benchmark, seed=0))
control = method.steer([[0.3, 0.7]])

Use `paretosteer.restore_cell` to load a trained cell:

cell = restore_cell("results/default")
print(cell.answer(["Once upon a time,"], [[0.3, 0.7]])[0].text)
"""

from __future__ import annotations

from typing import Any

from paretosteer.benchmark import Benchmark
from paretosteer.config import options
from paretosteer.method import Method
from paretosteer.plugins import registry
from paretosteer.training.trainer import Trainer


def make_method(name: str, **values: Any) -> Method:
    """Make a method by name with its options; raise UsageError for a wrong name or option."""
    kind = registry.load("methods", name)
    chosen = options.build(kind.Options, {"name": name, **values}, "method")
    options.check_effect(chosen, {}, "method")
    method: Method = kind(chosen)
    return method


def make_benchmark(
    name: str,
    *,
    model: str = "embedded",
    pad_token: str | None = None,
    budget: str = "quick",
    device: str = "auto",
    dtype: str = "auto",
    **values: Any,
) -> Any:
    """Make a benchmark by name with its options.

    Parameters
    ----------
    name
        A registered benchmark.
    model
        `embedded`, or the path or hub name of a Hugging Face model.
    pad_token
        Padding token for a tokenizer without one: `eos`, or any token.
    budget
        `smoke`, `quick` or `full`; sets the sizes of splits, pools and batches.
    device, dtype
        As in the configuration.
    **values
        Options of the benchmark.

    """
    from paretosteer.cells.plan import CellPlan
    from paretosteer.config.setting import Setting
    from paretosteer.runtime.progress import say
    from paretosteer.sweeps.compose import compose_cell

    config = compose_cell(
        [
            f"benchmark={name}",
            f"budget={budget}",
            f"device={device}",
            f"dtype={dtype}",
            "method=start",
        ]
    )
    update: dict[str, Any] = {"benchmark": config.benchmark.model_copy(update=values)}
    if model != "embedded":
        update["model"] = config.model.model_copy(
            update={"name": "hf", "path": model, "pad_token": pad_token}
        )
    plan = CellPlan.of(config.model_copy(update=update))
    return plan.benchmark_class(
        plan.benchmark_options, Setting.of(plan.config, plan.model_key, say)
    )


def make_trainer(benchmark: Benchmark, *, seed: int, steps: int | None = None) -> Trainer:
    """Make a trainer with the benchmark's budget; `steps` replaces the cap on optimiser steps."""
    return Trainer.under(benchmark.setting, seed=seed, steps=steps)
