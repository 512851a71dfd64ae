"""Reward models that a user names: loaded, measured on human pairs, refused where they are poor."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_model import write_model
from tiny_models import tiny_model

from paretosteer import make_benchmark
from paretosteer.benchmarks.preferences.pair_data import HELD_OUT, Data
from paretosteer.benchmarks.preferences.pair_rewards import Plan, Rewards
from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.text.rewards import train_reward
from paretosteer.text.rewards.backbone import Backbone


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


@pytest.mark.parametrize(
    ("rank", "source"), [(0, "head on a backbone"), (2, "head on a backbone with LoRA of rank 2")]
)
def test_heads_on_a_backbone_are_reward_models_and_judges(pair_files, rank, source):
    given = {"pairs": pair_files, "judge": True, "reward_backbone": "start", "policy_pairs": 5}
    given["reward_backbone_rank"] = rank
    world = make_benchmark("preferences", budget="smoke", **given)
    prompts = world.prompts("test")
    policy = world.start_policy(Unconditioned(), 0)
    samples = policy.sample(prompts, Control.start(len(prompts)), 0, [0] * len(prompts))
    own, judged = world.score(samples), world.judged(samples)
    assert own.shape == judged.shape == (len(prompts), 2)
    assert np.isfinite(own).all()
    assert not np.allclose(own, judged)
    facts = world.reward_models
    assert facts["models"]["helpful"]["source"] == source
    assert facts["models"]["helpful"].get("rank", 0) == rank
    assert facts["judges"]["harmless"]["train_pairs"] != facts["models"]["harmless"]["train_pairs"]
    assert world.answers.sizes.tolist() == [5, 5]


def test_a_backbone_that_cannot_predict_the_answers_stops_the_run(data, tmp_path, monkeypatch):
    """As one with the tokenizer of another model; nothing is cached."""
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path))
    untrained = Backbone(tiny_model("llama"))
    plan = Plan.of(data, {}, None, ("digest", "float32"))
    with pytest.raises(UsageError, match=r"^benchmark\.reward_backbone: 'llama' predicts"):
        Rewards.prepare(plan, setting(checks=True), untrained)
    assert not [path for path in tmp_path.rglob("*") if path.suffix != ".lock" and path.is_file()]
    assert Rewards.prepare(plan, setting(checks=False), untrained).models


def test_the_rank_of_a_lora_is_part_of_the_reward_model_s_identity(data):
    plans = [Plan.of(data, {}, None, ("digest", "float32"), rank) for rank in (0, 2, 4)]
    keys = [json.dumps(plan.key("helpful", "train")) for plan in plans]
    assert len(set(keys)) == 3
    assert len({json.dumps(plan.features_key("helpful")) for plan in plans}) == 1  # frozen


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reward_backbone_rank": 4}, r"_rank: found 4, but there is no backbone"),
        ({"reward_backbone_rank": 4, "reward_start": "start"}, r"_rank: found 4, but there is no"),
        ({"reward_backbone": "start", "reward_backbone_rank": -1}, "_rank: found -1, expected at"),
        ({"reward_backbone": "start", "reward_backbone_rank": 2.0}, r"_rank: found 2\.0, expected"),
    ],
)
def test_ranks_that_are_wrong_or_have_no_effect_are_refused(pair_files, options, message):
    with pytest.raises(UsageError, match=r"^benchmark\.reward_backbone" + message):
        make_benchmark("preferences", budget="smoke", pairs=pair_files, **options)


def test_a_backbone_and_a_start_exclude_each_other(pair_files, tmp_path):
    folder = str(write_model(tmp_path / "model"))
    options = {"pairs": pair_files, "reward_backbone": folder, "reward_start": folder}
    with pytest.raises(UsageError, match=r"^benchmark\.reward_backbone: not used with"):
        make_benchmark("preferences", budget="smoke", **options)
