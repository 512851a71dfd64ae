"""Reward models: published classifiers, and models trained on preference pairs."""

from paretosteer.text.rewards.accuracy import RewardFacts
from paretosteer.text.rewards.bradley_terry import RewardTraining, measure_reward, train_reward
from paretosteer.text.rewards.holdout import halves
from paretosteer.text.rewards.reward_model import RewardModel, load_reward
from paretosteer.text.rewards.reward_spec import RewardSpec, reward_digest

__all__ = [
    "RewardFacts",
    "RewardModel",
    "RewardSpec",
    "RewardTraining",
    "halves",
    "load_reward",
    "measure_reward",
    "reward_digest",
    "train_reward",
]
