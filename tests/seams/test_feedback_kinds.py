"""A kind of feedback from outside the package: MODPO's margin, in a plug-in file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from seam_cells import TEXT, assert_resumes, finish

from paretosteer import make_benchmark, make_method, make_trainer
from paretosteer.benchmarks.bandit.conflicting_rewards import best_policies
from paretosteer.cells import provenance
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.plugins import in_use, single_files
from paretosteer.sweeps.compose import compose_cell
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Expectation, Preference, Reward
from paretosteer.training.tchebycheff import TchebycheffReward

# DPO on the objective of the largest weight, with the others' rewards as margin (arXiv 2310.03708).
PLUGIN = '''
"""Feedback with margins."""
from dataclasses import replace

import numpy as np
import torch

from paretosteer.errors import UnsupportedError
from paretosteer.training.feedback import Expectation, Preference, Reward
from paretosteer.training.tchebycheff import TchebycheffReward


class Margin(Preference):
    """rho = (beta log-ratio - sum_{k != j} w_k r_k) / w_j, with the largest weight as w_j."""

    @classmethod
    def check(cls, benchmark):
        super().check(benchmark)
        if len(benchmark.objectives) > 7:
            raise UnsupportedError(f"{benchmark.name}: margins are made for at most 7 objectives")

    def loss(self, policy, batch, draws, control):
        weights = draws.weights  # (lists, m)
        anchor = np.eye(weights.shape[1])[weights.argmax(axis=1)]  # (lists, m)
        largest = weights.max(axis=1, keepdims=True)
        others = torch.as_tensor((1 - anchor) * weights / largest).unsqueeze(1)  # (lists, 1, m)
        margin = -(others * batch.lists.rewards.cpu()).sum(dim=-1).float()  # (lists, n)
        scaled = replace(
            draws, weights=anchor, temperatures=np.broadcast_to(1 / largest, weights.shape)
        )
        return super().loss(policy, batch, scaled, control, margin=margin)


paretosteer_plugins = {"feedback": {"margin": Margin}}
'''


def test_modpo_reaches_the_optimum_of_the_weighted_rewards(plugin: Callable[[str], None]) -> None:
    plugin(PLUGIN)
    bandit = make_benchmark("bandit", contexts=4, actions=4, kappa=1.0)
    method = make_method("morl", feedback="margin", divisions=3, learning_rate=0.05)
    trainer = make_trainer(bandit, seed=0, steps=400)
    trainer.rows = 1024
    method.train(bandit, trainer)
    mu = np.array([[1 / 3, 2 / 3]])
    contexts = bandit.prompts("test")
    z = bandit.normaliser.apply(bandit.outcomes(contexts))
    start = method.policy.log_policy(contexts, method.control(mu).start(len(contexts)))
    best = best_policies(z, start.double().numpy(), mu, bandit.kl_coefficient)[0]
    found = method.policy.log_policy(contexts, method.control(mu.repeat(len(contexts), axis=0)))
    kl = (np.exp(best) * (best - found.detach().double().numpy())).sum(axis=1)
    away = (np.exp(best) * (best - start.double().numpy())).sum(axis=1)
    assert kl.mean() < 0.03 * away.mean()


@pytest.mark.parametrize("benchmark", [("benchmark=bandit",), TEXT])
def test_a_kind_from_a_file_trains_saves_and_resumes(
    plugin: Callable[[str], None], tmp_path: Path, benchmark: tuple[str, ...]
) -> None:
    plugin(PLUGIN)
    method = ("method=rewarded_soup", "method.feedback=margin")
    cell = assert_resumes(tmp_path, *benchmark, *method)
    record = json.loads((cell / "record.json").read_text())
    assert list(record["plugins"]) == ["feedback margin"]


# A method whose feedback is a constant of its options, as MODPO's is, or a name in its code.
METHOD = """
from typing import ClassVar

from paretosteer.methods.rewarded_soup import RewardedSoup


class WithMargin(RewardedSoup):
    class Options(RewardedSoup.Options):
        feedback: ClassVar[str] = "KIND"

    def train(self, benchmark, trainer):
        self.feedback(benchmark, trainer, "margin")
        super().train(benchmark, trainer)


paretosteer_plugins = {"methods": {"with_margin": WithMargin}}
"""
OWN = ("method=with_margin", "benchmark=bandit")


def test_a_kind_that_a_method_names_itself_is_part_of_its_cells(
    plugin: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin(PLUGIN)
    (tmp_path / "method.py").write_text(METHOD.replace("KIND", "margin"))
    single_files.add([str(tmp_path / "method.py")])
    first = finish(tmp_path / "cells", *OWN)
    record = json.loads((first / "record.json").read_text())
    assert list(record["plugins"]) == ["method with_margin", "feedback margin"]
    kept = provenance.source_digest(in_use.used(compose_cell(OWN)))
    (tmp_path / "outside.py").write_text(PLUGIN.replace("-(others", "-0.5 * (others"))
    single_files._read.cache_clear()
    assert provenance.source_digest(in_use.used(compose_cell(OWN))) != kept


def test_a_kind_that_only_the_code_of_a_method_names_is_refused(
    plugin: Callable[[str], None], tmp_path: Path
) -> None:
    plugin(PLUGIN)
    (tmp_path / "method.py").write_text(METHOD.replace("KIND", "reward"))
    single_files.add([str(tmp_path / "method.py")])
    bandit = make_benchmark("bandit")
    method = make_method("with_margin")
    with pytest.raises(UsageError, match=r"feedback 'margin' of .*set `feedback` in .* 'margin'"):
        method.train(bandit, make_trainer(bandit, seed=0, steps=8))


def test_a_benchmark_that_cannot_give_it_is_told_the_reason(
    plugin: Callable[[str], None],
) -> None:
    plugin(PLUGIN)
    bandit = make_benchmark("bandit", objectives=8)
    method = make_method("rewarded_soup", feedback="margin")
    with pytest.raises(UnsupportedError, match="bandit: margins are made for at most 7"):
        method.train(bandit, make_trainer(bandit, seed=0, steps=8))


def test_an_unknown_kind_is_named_with_the_nearest() -> None:
    bandit = make_benchmark("bandit")
    method = make_method("rewarded_soup", feedback="prefrence")
    with pytest.raises(UsageError, match="not a registered feedback; did you mean 'preference'"):
        method.train(bandit, make_trainer(bandit, seed=0, steps=8))


@pytest.mark.parametrize("name", ["bandit", "stories", "ranking"])
def test_lists_carry_the_normalised_rewards_of_their_candidates(name: str) -> None:
    benchmark = make_benchmark(name, budget="smoke")
    size = benchmark.training_defaults(benchmark.options).get("list_size")
    m = len(benchmark.objectives)
    lists = benchmark.lists(np.random.default_rng(0), np.full((3, m), 1 / m), size)
    assert lists.rewards is not None and lists.rewards.shape == lists.labels.shape
    assert torch.isfinite(lists.rewards).all()
    for objective in range(m):  # a candidate with a larger share of the labels has more reward
        labels, rewards = lists.labels[..., objective], lists.rewards[..., objective]
        order = (labels[:, :, None] - labels[:, None]) * (rewards[:, :, None] - rewards[:, None])
        assert float(order.min()) >= -1e-6


def test_a_margin_and_a_penalty_change_the_loss_as_written() -> None:
    bandit = make_benchmark("bandit")
    method = make_method("rewarded_soup", feedback="preference")
    method.build_policy(bandit, seed=0)
    control = method.control(np.full((5, 2), 0.5))
    feedback, draws = Preference(bandit, 2, 0.5), Draws(np.full((5, 2), 0.5))
    batch = feedback.collect(method.policy, draws, control, np.random.default_rng(0))
    assert batch.lists is not None
    margin = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
    losses = -(batch.lists.labels * margin.log_softmax(1).unsqueeze(-1)).sum(1)  # (lists, m)
    found = feedback.loss(method.policy, batch, draws, control, margin=margin)
    torch.testing.assert_close(found, losses.mean(dim=1).mean())
    aligned = feedback.loss(
        method.policy,
        *(batch, draws, control, margin),
        penalty=lambda w, x: -0.05 * torch.cosine_similarity(w, x, dim=1).mean(),
    )
    cosine = torch.cosine_similarity(torch.full((5, 2), 0.5), losses, dim=1).mean()
    torch.testing.assert_close(aligned, found - 0.05 * cosine)


class Other(Reward):
    def loss(self, policy, batch, draws, control):  # type: ignore[no-untyped-def]
        return -super().loss(policy, batch, draws, control)


class Further(TchebycheffReward):
    def scalarise(self, draws, z, kl):  # type: ignore[no-untyped-def]
        return draws


class Named(Reward):
    """Overrides nothing that an expectation does in its own way."""

    version = "2"


class OtherExpectation(Expectation):
    pass


class WithExact(Other):
    exact = OtherExpectation


@pytest.mark.parametrize(("kind", "method"), [(Other, "loss"), (Further, "scalarise")])
def test_a_reward_of_your_own_is_never_replaced_by_the_built_in_expectation(
    kind: type[Reward], method: str
) -> None:
    bandit = make_benchmark("bandit", contexts=4, actions=4)
    options, trainer = make_method("clp").options, make_trainer(bandit, seed=0, steps=1)
    with pytest.raises(UsageError, match=rf"^feedback {kind.__name__}: overrides {method}, but"):
        kind.of(bandit, options, trainer)
    assert isinstance(Named.of(bandit, options, trainer), Expectation)
    assert isinstance(WithExact.of(bandit, options, trainer), OtherExpectation)
