"""Reward models: published classifiers, and models trained on preference pairs."""

from paretosteer.text.rewards.accuracy import RewardFacts
from paretosteer.text.rewards.bradley_terry import RewardTraining, measure_reward, train_reward
from paretosteer.text.rewards.holdout import halves
from paretosteer.text.rewards.loading import load_tokenizer, resolve_form
from paretosteer.text.rewards.reward_model import RewardModel, load_reward, reading_notes
from paretosteer.text.rewards.reward_spec import (
    RewardSpec,
    check_distinct,
    check_distinct_rewards,
    reward_digest,
)

__all__ = [
    "RewardFacts",
    "RewardModel",
    "RewardSpec",
    "RewardTraining",
    "check_distinct",
    "check_distinct_rewards",
    "halves",
    "load_reward",
    "load_tokenizer",
    "measure_reward",
    "reading_notes",
    "resolve_form",
    "reward_digest",
    "train_reward",
]
