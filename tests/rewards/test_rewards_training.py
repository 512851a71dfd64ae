"""Training on pairs whose labels follow a known rule."""

import numpy as np
import pytest
import torch
from tiny_models import tiny_model

from paretosteer.errors import UsageError
from paretosteer.text.dialogue import Turn
from paretosteer.text.pairs import Pair
from paretosteer.text.rewards import RewardSpec, RewardTraining, halves, load_reward, train_reward
from paretosteer.text.rewards.accuracy import accuracy, calibration_error, margins_of, slope
from paretosteer.text.rewards.bag_of_words import (
    _differences,
    _fit,
    fit_bag_of_words,
    fit_linear,
    fit_tuned_bag_of_words,
    words,
)
from paretosteer.text.rewards.reward_from_scratch import scratch_network, scratch_tokenizer
from paretosteer.training.snapshots import Journal

CPU = torch.device("cpu")
GOOD, BAD = ("boat", "lake", "quiet"), ("storm", "rock", "wreck")
FILLER = ("the", "a", "over", "near", "small", "old", "it", "there")


def noisy_pairs(count, seed=0, noise=0.1):
    """Pairs whose better side has a good word and whose worse side a bad one; some are turned."""
    rng = np.random.default_rng(seed)
    made = []
    for place in range(count):
        sides = [
            " ".join(rng.permutation([*rng.choice(FILLER, rng.integers(2, 7)), rng.choice(own)]))
            for own in (GOOD, BAD)
        ]
        if rng.random() < noise:
            sides.reverse()
        made.append(Pair((Turn("user", f"Tell me of number {seed}-{place}."),), *sides))
    return made


TRAIN, HELD_OUT = noisy_pairs(160), noisy_pairs(80, seed=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    return folder, train_reward(TRAIN, HELD_OUT, folder, training=RewardTraining(epochs=1))


def test_a_trained_folder_loads_like_any_other_and_scores_as_measured(trained):
    folder, facts = trained
    model = load_reward(RewardSpec.of({"path": str(folder), "form": "answer"}, "good"), CPU)
    margins = margins_of(model, HELD_OUT)
    assert accuracy(margins) == facts.accuracy
    assert facts.margin == pytest.approx(margins.mean(), abs=1e-5)
    assert facts.accuracy > 0.8
    assert facts.baseline_accuracy > 0.8


def test_training_gives_the_same_weights_again(trained, tmp_path):
    folder, facts = trained
    assert train_reward(TRAIN, HELD_OUT, tmp_path, training=RewardTraining(epochs=1)) == facts
    again = (tmp_path / "model.safetensors").read_bytes()
    assert again == (folder / "model.safetensors").read_bytes()


def test_held_out_pairs_change_nothing_but_the_figures(trained, tmp_path):
    folder, _ = trained
    train_reward(TRAIN, noisy_pairs(9, seed=2), tmp_path, training=RewardTraining(epochs=1))
    again = (tmp_path / "model.safetensors").read_bytes()
    assert again == (folder / "model.safetensors").read_bytes()


def test_from_scratch_the_network_starts_as_the_bag_of_tokens():
    tokenizer = scratch_tokenizer(TRAIN)
    network = scratch_network(TRAIN, tokenizer, seed=0).eval()
    linear = fit_linear(TRAIN, lambda text: tokenizer(text, add_special_tokens=False).input_ids)
    answers = ["the boat", "a storm near the old lake and the old rock", "it " * 40 + "wreck"]
    expected = [linear._reward(answer) for answer in answers]
    with torch.no_grad():
        got = [network(**tokenizer(a, return_tensors="pt")).logits.item() for a in answers]
    assert got == pytest.approx(expected, rel=0.03, abs=0.01)


def test_a_start_model_gives_its_body_and_learns(tmp_path, stand_in):
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    start = tmp_path / "start"
    tokenizer = AutoTokenizer.from_pretrained(stand_in("llama"))
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(start)
    tokenizer.save_pretrained(start)
    still = RewardTraining(epochs=1, lr=0.0)
    train_reward(TRAIN, HELD_OUT, tmp_path / "still", str(start), still)
    before = load_file(start / "model.safetensors")
    after = load_file(tmp_path / "still" / "model.safetensors")
    bodies = [name for name in after if name.startswith("model.")]
    assert bodies and all(torch.equal(before[name], after[name]) for name in bodies)
    learning = RewardTraining(epochs=4, lr=3e-3, batch=16)
    facts = train_reward(TRAIN, HELD_OUT, tmp_path / "taught", str(start), learning)
    assert facts.epochs > 0
    assert facts.accuracy > 0.7


def test_the_baseline_is_penalised_logistic_regression():
    from sklearn.linear_model import LogisticRegression

    known = {}
    counts = _differences(TRAIN, words, known)
    ours = _fit(counts, 2.0, np.zeros(counts.shape[1]))
    mirrored = np.vstack([counts.toarray(), -counts.toarray()])
    labels = np.repeat([1, 0], len(TRAIN))
    # Every pair is there twice, so the loss is doubled, and so must the penalty be: C = 1 / 4.
    theirs = LogisticRegression(C=0.25, fit_intercept=False, tol=1e-8, max_iter=1000)
    assert ours == pytest.approx(theirs.fit(mirrored, labels).coef_[0], abs=1e-3)
    assert accuracy(fit_bag_of_words(TRAIN).margins(HELD_OUT)) > 0.8
    assert list(fit_bag_of_words(TRAIN).weights.values()) == pytest.approx(
        _fit(counts, 1.0, np.zeros(counts.shape[1]))
    )
    assert accuracy(fit_tuned_bag_of_words(TRAIN).margins(HELD_OUT)) > 0.8


def test_calibration_of_margins_drawn_from_their_own_probabilities():
    rng = np.random.default_rng(0)
    true = rng.normal(0, 1.5, 40_000)
    margins = np.where(rng.random(len(true)) < 1 / (1 + np.exp(-true)), true, -true)
    assert calibration_error(margins) < 0.01
    assert slope(margins) == pytest.approx(1.0, abs=0.03)
    assert slope(3 * margins) == pytest.approx(1 / 3, abs=0.02)
    assert calibration_error(3 * margins) > 0.1


def test_halves_share_no_prompt_and_lose_no_pair():
    proxy, judge = halves([*TRAIN, *TRAIN[:20]])
    assert len(proxy) + len(judge) == len(TRAIN) + 20
    assert not {p.key for p in proxy} & {p.key for p in judge}
    assert 60 < len(judge) < 120


def test_too_few_pairs_and_shared_prompts_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"benchmark\.pairs: 3 training and"):
        train_reward(TRAIN[:3], HELD_OUT, tmp_path)
    with pytest.raises(ValueError, match="both in training and held-out pairs"):
        train_reward(TRAIN, TRAIN[:4], tmp_path)


class KilledError(Exception):
    """In place of a kill."""


@pytest.mark.parametrize("at", [4, 11, 15])
def test_a_killed_training_resumes_to_the_same_weights(tmp_path, at):
    training = RewardTraining(epochs=2, lr=1e-2)

    def train(name, **how):
        return train_reward(TRAIN, HELD_OUT, tmp_path / name, training=training, **how)

    steps = []

    def kill(text):
        steps.append(text) if text.startswith("epoch") else None
        if len(steps) == at:
            raise KilledError

    whole = train("whole")
    assert whole.epochs == 2  # so that both trainings are long enough to be killed in
    with pytest.raises(KilledError):
        train("killed", progress=kill, journal=Journal(tmp_path / "kept", every=0))
    more = []
    resumed = train("resumed", progress=more.append, journal=Journal(tmp_path / "kept"))
    # The step that was killed had no snapshot yet.
    assert next(text for text in more if text.startswith("epoch")) == steps[-1]
    assert resumed == whole
    weights = [(tmp_path / n / "model.safetensors").read_bytes() for n in ("whole", "resumed")]
    assert weights[0] == weights[1]


def test_a_killed_training_from_a_model_with_dropout_resumes_to_the_same_weights(tmp_path):
    start = tiny_model("gpt2")
    assert start.network.config.resid_pdrop > 0
    start.network.save_pretrained(tmp_path / "start")
    start.tokenizer.save_pretrained(tmp_path / "start")
    training, pairs = RewardTraining(epochs=2, lr=1e-2), TRAIN[:96]

    def train(name, **how):
        folder = tmp_path / name
        train_reward(pairs, HELD_OUT[:20], folder, str(tmp_path / "start"), training, **how)
        return (folder / "model.safetensors").read_bytes()

    def kill(text):
        if text.startswith("epoch 2 of 2, batch 2"):
            raise KilledError

    whole, said = train("whole"), []
    with pytest.raises(KilledError):
        train("killed", progress=kill, journal=Journal(tmp_path / "kept", every=0))
    assert train("resumed", progress=said.append, journal=Journal(tmp_path / "kept")) == whole
    assert next(text for text in said if text.startswith("epoch")).startswith("epoch 2 of 2")


def test_progress_is_reported_from_the_first_fit_to_the_measurement(tmp_path):
    said = []
    train_reward(TRAIN, HELD_OUT, tmp_path, training=RewardTraining(epochs=1), progress=said.append)
    assert said[0].startswith("counting words of")
    stages = [
        "bag of words, fold 1 of 5, penalty 10000",
        "epoch 1 of 1, batch 1 of",
        "scored 160 of",
    ]
    positions = [next(i for i, each in enumerate(said) if each.startswith(s)) for s in stages]
    assert positions == sorted(positions) and len(said) > 100
