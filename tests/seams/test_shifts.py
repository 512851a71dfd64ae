"""Conditioning `shifts`: coefficients shift every layer's output beside one shared bank."""

from pathlib import Path

import numpy as np
import pytest
import torch
from seam_cells import TEXT, assert_resumes
from tiny_text import DECODING, PROMPTS, tiny_llama
from torch import nn

from paretosteer import make_benchmark, make_method, make_trainer, restore_cell
from paretosteer.conformance import check_method, faults
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.control import Control
from paretosteer.policies.shifts import ShiftedLinear, Shifts
from paretosteer.text.policy import TextPolicy


def randomised(parameters: list[nn.Parameter]) -> None:
    generator = torch.Generator().manual_seed(0)
    for parameter in parameters:
        parameter.data.normal_(std=0.3, generator=generator)


def test_a_layer_adds_the_shared_change_and_the_mixed_shifts() -> None:
    active = ActiveBanks()
    layer = ShiftedLinear(nn.Linear(6, 5), 3, 2, 1.5, active)
    randomised([*layer.shared().values(), *(layer.parts(k)["shift"] for k in range(3))])
    x, c = torch.randn(2, 4, 6), torch.tensor([[0.2, 0.3, 0.5], [2.0, -1.0, 0.0]])
    with active.set(coefficients=c):
        found = layer(x)
    weight = layer.base.weight + 1.5 * layer.B @ layer.A
    for row in range(2):
        bias = layer.base.bias + sum(c[row, k] * layer.shift[k] for k in range(3))
        torch.testing.assert_close(found[row], x[row] @ weight.T + bias)
    assert torch.equal(layer(x), layer.base(x))  # off


def test_rows_of_a_batch_equal_plain_models_with_biases() -> None:
    steered = TextPolicy(tiny_llama(), Shifts(2, 3, 6.0), DECODING, seed=0)
    randomised(steered.parameters())
    coefficients = torch.tensor([[1.0, 0.0], [0.3, 0.7], [-1.0, 2.5]])  # targets may be anything
    control, rows = Control.soup(coefficients), len(PROMPTS)
    samples = steered.sample(PROMPTS, control, 0, [0] * rows)
    found = steered.log_probs(samples, control)
    torch.testing.assert_close(samples.log_probs, found, atol=2e-5, rtol=1e-4)
    for row in range(rows):
        model = tiny_llama()
        for name, layer in steered.layers.items():
            assert isinstance(layer, ShiftedLinear)
            plain = nn.Linear(*layer.shape[::-1])
            plain.weight.data = layer.base.weight + 2.0 * layer.B @ layer.A  # type: ignore[operator]
            plain.bias.data = coefficients[row] @ torch.stack([*layer.shift])
            parent, _, leaf = name.rpartition(".")
            setattr(model.network.get_submodule(parent), leaf, plain)
        alone = TextPolicy(model, Shifts(2, 1, 1.0), DECODING, seed=0)
        expected = alone.log_probs(samples, Control.start(rows))
        torch.testing.assert_close(found[row], expected[row], atol=2e-5, rtol=1e-4)


def test_untrained_shifts_are_the_start_model_and_train_only_together() -> None:
    policy = TextPolicy(tiny_llama(), Shifts(2, 4, 8.0), DECODING, seed=0)
    rows = len(PROMPTS)
    start, even = Control.start(rows), Control.soup([[0.5, 0.5]] * rows)
    samples = policy.sample(PROMPTS, start, 0, [0] * rows)
    torch.testing.assert_close(policy.log_probs(samples, even), policy.log_probs(samples, start))
    with pytest.raises(UsageError, match="bank 1: shifts share a low-rank change"):
        policy.parameters(1)
    policy.keep_banks([1])
    assert all(layer.count == 1 for layer in policy.layers.values())


def test_no_weight_or_adapter_stores_a_shift() -> None:
    layer = ShiftedLinear(nn.Linear(6, 5), 2, 2, 1.0, ActiveBanks())
    even = torch.tensor([0.5, 0.5])
    for refused in (layer.factors, layer.materialise):
        with pytest.raises(UsageError, match="export: this policy shifts the outputs of layers"):
            refused(even)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["mo_odpo", "mi_epo", "ric", "cos_dpo"])
def test_methods_train_shifts_resume_and_refuse_to_export_them(tmp_path: Path, method: str) -> None:
    words = (f"method={method}", "method.condition=shifts")
    cell = assert_resumes(tmp_path, *TEXT, *words)
    with pytest.raises(UsageError, match="--as model: this policy shifts the outputs of layers"):
        restore_cell(cell).export([0.5, 0.5], tmp_path / "out", form="model")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), [("mo_odpo", 6), ("ric", 60), ("cos_dpo", 6)])
def test_they_conform_on_small_networks(name: str, steps: int) -> None:
    where = ("benchmark=bandit", "benchmark.policy=mlp", "benchmark.objectives=3")
    found = check_method(name, *where, "method.condition=shifts", f"budget.steps={steps}")
    assert not faults(found), "\n".join(map(str, found))


def test_a_table_has_no_layers_to_shift() -> None:
    benchmark = make_benchmark("bandit", budget="smoke")
    method = make_method("mo_odpo", condition="shifts")
    with pytest.raises(UnsupportedError, match=r"no layers .* set method.condition=features"):
        method.train(benchmark, make_trainer(benchmark, seed=0, steps=2))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mo_odpo", "mi_epo", "cos_dpo"])
def test_more_weight_gives_more_of_an_objective(name: str) -> None:
    benchmark = make_benchmark("bandit", policy="mlp")
    method = make_method(name, condition="shifts", learning_rate=0.05)
    method.train(benchmark, make_trainer(benchmark, seed=0, steps=200))
    contexts = benchmark.prompts("train")
    z = torch.as_tensor(benchmark.normaliser.apply(benchmark.outcomes(contexts)))  # (n, K, m)
    points = []
    for mu in np.eye(2):
        chances = method.policy.log_policy(contexts, method.steer([mu] * len(contexts))).exp()
        points.append((chances.unsqueeze(-1) * z).sum(dim=1).mean(dim=0))
    first, second = torch.stack(points).detach()  # (m,) at e_1 and e_2
    assert first[0] > second[0] + 0.1
    assert second[1] > first[1] + 0.1
