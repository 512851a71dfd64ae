"""DPO losses on held-out pairs, against plain transformers, and in record and leaderboard."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from paretosteer import benchmark_outputs, make_benchmark, make_method
from paretosteer.commands.main import main
from paretosteer.errors import PromiseError, UnsupportedError
from paretosteer.policies.control import Control


@pytest.fixture(scope="module")
def world(pair_files):
    return make_benchmark("preferences", budget="smoke", pairs=pair_files)


@torch.no_grad()
def log_probability(network, tokenizer, prompt, answer, longest):
    """Log-probability of an answer after a prompt, one text alone, in float64."""
    before = tokenizer(prompt)["input_ids"]
    whole = [*tokenizer(f"{prompt} {answer}")["input_ids"], tokenizer.eos_token_id]
    assert whole[: len(before)] == before
    whole = whole[: len(before) + longest]
    logits = network(torch.tensor([whole])).logits[0].double()
    return sum(
        float(logits[at - 1, whole[at]] - logits[at - 1].logsumexp(0))
        for at in range(len(before), len(whole))
    )


def test_the_loss_of_the_start_model_is_ln_2(world):
    method = make_method("start")
    method.build_policy(world, seed=0)
    found = world.extra_measures(method.policy, Control.start(3))["dpo_losses"]
    np.testing.assert_allclose(found, np.full((3, 2), math.log(2)), rtol=0, atol=1e-6)


def test_losses_of_a_soup_are_those_of_the_merged_model_in_transformers(world):
    method = make_method("rewarded_soup")
    method.build_policy(world, seed=0)
    generator = torch.Generator().manual_seed(1)
    for p in method.policy.parameters():
        p.data.add_(0.1 * torch.randn(p.shape, generator=generator))
    grid = np.array([[1.0, 0.0], [0.25, 0.75]])
    found = world.extra_measures(method.policy, method.control(grid))["dpo_losses"]
    assert found.shape == (2, 2) and abs(found - math.log(2)).min() > 1e-3

    tokenizer, longest = world.model.tokenizer, world.decoding.max_new_tokens
    start = method.policy.materialise(None)
    shown = {prompt.id: prompt.text for prompt in world.prompts("test")}
    for mu, row in zip(grid, found, strict=True):
        merged = method.policy.materialise(torch.tensor(mu).float())
        for name, loss in zip(world.data.names, row, strict=True):
            losses = []
            for pair in world.data.pairs(name, "test"):
                if pair.key not in shown:
                    continue
                ratios = [
                    log_probability(merged, tokenizer, shown[pair.key], answer, longest)
                    - log_probability(start, tokenizer, shown[pair.key], answer, longest)
                    for answer in (pair.chosen, pair.rejected)
                ]
                losses.append(math.log1p(math.exp(-0.1 * (ratios[0] - ratios[1]))))
            assert losses and loss == pytest.approx(np.mean(losses), abs=1e-5)


def test_the_best_of_n_answers_has_no_loss(world):
    method = make_method("best_of_n")
    method.build_policy(world, seed=0)
    control = method.control(np.eye(2))
    assert benchmark_outputs.extra_measures(world, method.policy, control) == {}


def test_record_and_leaderboard_have_them(pair_files, tmp_path):
    pairs = [f"benchmark.pairs.{name}={path}" for name, path in pair_files.items()]
    command = ["run", "benchmark=preferences", "budget=smoke", "method=start", *pairs]
    assert main([*command, f"sweep_dir={tmp_path}"]) == 0
    (path,) = tmp_path.rglob("record.json")
    record = json.loads(path.read_text())
    losses = np.array(record["measures"]["dpo_losses"])
    assert losses.shape == (len(record["points"]), 2)
    assert any("held-out pairs" in note and "β = 0.1" in note for note in record["notes"])
    board = pd.read_csv(tmp_path / "report" / "leaderboard.csv").iloc[0]
    for name in ("helpful", "harmless"):
        assert board[f"negative_dpo_loss_{name}"] == pytest.approx(-math.log(2), abs=1e-5)
    assert board["hypervolume_dpo_loss"] == pytest.approx((1.1 - math.log(2)) ** 2, abs=1e-5)


def test_what_a_benchmark_measures_is_checked(world, monkeypatch):
    for wrong in (np.zeros(2), np.zeros((3, 1)), np.full((2, 1), np.nan)):
        monkeypatch.setattr(world, "extra_measures", lambda *_, wrong=wrong: {"own": wrong})
        with pytest.raises(PromiseError, match="'own' with shape"):
            benchmark_outputs.extra_measures(world, None, Control.start(2))

    def cannot(policy, control):
        raise UnsupportedError("no log-probabilities")

    monkeypatch.setattr(world, "extra_measures", cannot)
    assert benchmark_outputs.extra_measures(world, None, Control.start(2)) == {}
