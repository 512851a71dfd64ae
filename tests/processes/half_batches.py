"""One optimiser step on a fixed batch, of which every process takes its share: gradients to a file.

Started by `accelerate launch`, or alone; `test_accelerate.py` compares the two.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from paretosteer import make_benchmark, make_method
from paretosteer.policies.control import Control
from paretosteer.runtime.accelerate_processes import accelerator, is_first
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Expectation, Reward, Shuffled
from paretosteer.training.trainer import Trainer

ROWS = 8


class Share(Shuffled):
    """This process's run of the first prompts."""

    def __init__(self, trainer: Trainer):
        super().__init__(ROWS)
        process = trainer.accelerator.process_index
        size = ROWS // trainer.accelerator.num_processes
        self.left = list(range(ROWS))[process * size : (process + 1) * size]


def gradients(model: str | None) -> dict[str, torch.Tensor]:
    """Gradients of the first step, clipped as training does: a language model's, or the bandit's.

    Noise is a function of what is sampled, so a prompt's samples are the same in any process.
    """
    torch.set_num_threads(1)
    text, bandit = {"name": "stories", "model": model}, {"name": "bandit", "policy": "mlp"}
    world = make_benchmark(**(text if model else bandit), budget="smoke", device="cpu")
    method = make_method("clp")
    trainer = Trainer.under(world.setting, seed=0, steps=1)
    trainer.rng = lambda phase: np.random.default_rng(0)  # type: ignore[method-assign]
    method.build_policy(world, 0)
    parameters = method.policy.parameters()
    for parameter in parameters:
        parameter.data.add_(0.01)  # so that no gradient vanishes
    feedback = method.feedback(world, trainer, "reward")
    assert isinstance(feedback, Expectation | Reward)
    feedback._order = Share(trainer)
    first = np.linspace(0, 1, ROWS)[feedback._order.left]
    trainer.fit(
        "one step",
        method.policy,
        feedback,
        draw=lambda rng, n: Draws(np.stack([first, 1 - first], axis=1)),
        control=lambda draws: Control.soup(draws.weights),
        parameters=parameters,
        steps=1,
        optimiser=1e-3,
    )
    return {str(i): p.grad for i, p in enumerate(parameters) if p.grad is not None}


if __name__ == "__main__":
    out, *model = sys.argv[1:]
    processes = accelerator(torch.device("cpu"))
    found = gradients(model[0] if model else None)
    if is_first():
        save_file(found, Path(out), {"processes": os.environ["WORLD_SIZE"]})
    processes.end_training()
