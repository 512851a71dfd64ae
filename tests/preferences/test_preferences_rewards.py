"""Reward models that a user names: loaded, measured on human pairs, refused where they are poor."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from paretosteer.benchmarks.preferences.pair_data import HELD_OUT, Data
from paretosteer.benchmarks.preferences.pair_rewards import Plan, Rewards
from paretosteer.errors import UsageError
from paretosteer.text.rewards import train_reward


def setting(checks):
    budget = SimpleNamespace(checks=checks)
    return SimpleNamespace(budget=budget, device=torch.device("cpu"), say=print)


@pytest.fixture(scope="module")
def data(pair_files):
    return Data.of(pair_files, judge=False)


@pytest.fixture(scope="module")
def contrary(data, tmp_path_factory):
    """A reward model trained on inverted labels."""
    folder = tmp_path_factory.mktemp("contrary")
    turned = [
        replace(pair, chosen=pair.rejected, rejected=pair.chosen)
        for pair in data.pairs("helpful", "train")
    ]
    train_reward(turned, data.pairs("helpful", *HELD_OUT), folder)
    return {"path": str(folder), "form": "answer"}


def test_a_model_no_better_than_a_bag_of_words_stops_the_run(data, contrary):
    plan = Plan.of(data, {"helpful": contrary}, None)
    with pytest.raises(UsageError, match=r"^benchmark\.rewards\.helpful: .* of \d+ held-out pairs"):
        Rewards.prepare(plan, setting(checks=True))


def test_without_checks_its_figures_are_told_all_the_same(data, contrary):
    found = Rewards.prepare(Plan.of(data, {"helpful": contrary}, None), setting(checks=False))
    facts = found.facts["models"]["helpful"]
    assert facts["source"] == contrary["path"]
    assert facts["accuracy"] < 0.1 < 0.9 < facts["baseline_accuracy"]
    assert found.models["helpful"].spec.path == contrary["path"]
    assert "judges" not in found.facts and not found.judges


def test_a_sign_turns_it_into_a_good_one(data, contrary):
    turned = contrary | {"sign": -1}
    facts = Rewards.prepare(Plan.of(data, {"helpful": turned}, None), setting(False)).facts
    assert facts["models"]["helpful"]["accuracy"] > 0.9


def test_a_judge_is_always_trained_here(pair_files, contrary):
    plan = Plan.of(Data.of(pair_files, judge=True), {"helpful": contrary}, None)
    found = Rewards.prepare(plan, setting(checks=False))
    assert found.facts["judges"]["helpful"]["source"] == "trained on pairs"
    assert found.judges["helpful"].spec.path != contrary["path"]
