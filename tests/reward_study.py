"""Held-out accuracy of trained reward models and of the bag of words, over random splits.

Run by hand on files of pairs, one per objective:

    python tests/reward_study.py FILE [FILE …] [--splits 8] [--start FOLDER] [--lr 1e-5] …

A quarter of the prompts is held out in each split. The last line of a file gives means over the
splits with the standard error of the mean, and of the mean difference of the two on the same split.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from paretosteer.text.pairs import read_pairs
from paretosteer.text.rewards import RewardTraining, train_reward
from paretosteer.text.rewards.holdout import share_of

HELD_OUT = 0.25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--splits", type=int, default=8)
    parser.add_argument("--start", help="folder of a causal language model")
    parser.add_argument("--lr", type=float, default=RewardTraining.lr)
    parser.add_argument("--epochs", type=int, default=RewardTraining.epochs)
    parser.add_argument("--form", default=RewardTraining.form)
    given = parser.parse_args()
    torch.set_num_threads(1)
    training = RewardTraining(form=given.form, epochs=given.epochs, lr=given.lr)
    for file in given.files:
        pairs = read_pairs(file, "studied").pairs
        rows = np.array([one_split(pairs, s, given.start, training) for s in range(given.splits)])
        gains = rows[:, 0] - rows[:, 1]
        model, baseline, gain = (mean_and_error(x) for x in (rows[:, 0], rows[:, 1], gains))
        print(f"{Path(file).name}: model {model}, bag of words {baseline}, gain {gain}")


def one_split(pairs, split, start, training):
    """Accuracy of the model and of the bag of words on one split."""
    held = [pair for pair in pairs if share_of(pair.key, f"study-{split}") < HELD_OUT]
    rest = [pair for pair in pairs if share_of(pair.key, f"study-{split}") >= HELD_OUT]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        facts = train_reward(rest, held, Path(folder), start, training)
    print(f"  split {split}: {time.monotonic() - began:.0f} s, {facts}", flush=True)
    return facts.accuracy, facts.baseline_accuracy


def mean_and_error(values):
    error = values.std(ddof=1) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{values.mean():.4f} ± {error:.4f}"


if __name__ == "__main__":
    main()
