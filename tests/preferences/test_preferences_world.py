"""The benchmark whole: splits, feedback from human pairs, reward models, refusals."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from cooking_pairs import PAIRS

from paretosteer import make_benchmark, make_method
from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.text.dialogue import parse_transcript
from paretosteer.text.pairs import split_of
from paretosteer.training.draws import Draws
from paretosteer.training.feedback import Preference

SPLITS = ("train", "calibration", "validation", "test")


@pytest.fixture(scope="module")
def world(pair_files):
    return make_benchmark("preferences", budget="smoke", pairs=pair_files)


def test_prompts_are_split_by_prompt_and_balanced(world):
    splits = {name: world.split(name) for name in SPLITS}
    ids = [prompt.id for part in splits.values() for prompt in part]
    assert len(ids) == len(set(ids)) == 2 * PAIRS
    for name, part in splits.items():
        assert {split_of(prompt.id) for prompt in part} == {name}
    owner = {pair.key: name for name in world.data.names for pair in world.data.pairs(name, "test")}
    first = [owner[prompt.id] for prompt in splits["test"][:6]]
    assert first == ["helpful", "harmless"] * 3


def test_prompts_carry_what_was_said(world):
    for prompt in world.split("test"):
        assert parse_transcript(prompt.text) == prompt.dialogue


def test_what_a_user_types_is_read_as_the_prompts_are(world):
    for prompt in world.split("test")[:3]:
        assert world.typed(prompt.text).text == prompt.text
    assert world.typed("How much salt?").text == "\n\nHuman: How much salt?\n\nAssistant:"


def test_samples_read_back_score_the_same(world):
    prompts = world.prompts("test")
    policy = world.start_policy(Unconditioned(), 0)
    samples = policy.sample(prompts, Control.start(len(prompts)), 0, [0] * len(prompts))
    keys = {"prompt_id": [p.id for p in prompts], "sample": 0}
    shown = pd.DataFrame(world.describe(samples)).assign(**keys)
    np.testing.assert_allclose(world.score(world.recall(shown)), world.score(samples))


def test_a_list_is_a_human_pair_labelled_for_one_objective(world):
    weights = np.tile([0.2, 0.8], (600, 1))
    lists = world.lists(np.random.default_rng(0), weights, 2)
    owner = {
        (pair.prompt, pair.chosen, pair.rejected): j
        for j, name in enumerate(world.data.names)
        for pair in world.data.pairs(name, "train")
    }
    drawn = []
    for i in range(600):
        first, second = lists.candidates.texts[2 * i : 2 * i + 2]
        drawn.append(owner[lists.candidates.prompts[2 * i].dialogue, first, second])
    expected = torch.zeros(600, 2, 2)
    expected[torch.arange(600), 0, drawn] = 1 / torch.tensor([0.2, 0.8])[drawn]
    torch.testing.assert_close(lists.labels, expected)
    assert abs(np.mean(drawn) - 0.8) < 0.066  # 4 standard errors


def test_lists_carry_the_normalised_rewards_of_both_answers(world):
    lists = world.lists(np.random.default_rng(0), np.full((5, 2), 0.5), 2)
    answers = lists.candidates
    expected = world.normaliser.apply(world.score(answers)).reshape(5, 2, 2)
    assert lists.rewards.shape == lists.labels.shape
    np.testing.assert_allclose(lists.rewards, expected, rtol=1e-5, atol=1e-6)


def test_the_rewards_of_a_pair_are_scored_once(world, monkeypatch):
    drawn = [world.lists(np.random.default_rng(seed), np.full((5, 2), 0.5), 2) for seed in (1, 2)]
    scored, score = [], world.score
    monkeypatch.setattr(world, "score", lambda samples: scored.append(1) or score(samples))
    world.__dict__.pop("_pair_rewards", None)
    for lists in (*drawn, *drawn):
        assert torch.equal(lists.rewards, lists.rewards)
    assert len(scored) == len({key for lists in drawn for key in lists.keys})


def test_the_loss_has_the_expectation_of_the_weighted_losses(world):
    """Over all pairs: sum_j w_j L_j, and at the start policy log 2 exactly."""
    method = make_method("cos_dpo")
    method.build_policy(world, seed=0)
    for p in method.policy.parameters():
        p.data.add_(0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(1)))
    pairs = {name: world.data.pairs(name, "train") for name in world.data.names}
    weights = np.tile([0.3, 0.7], (1500, 1))
    feedback = Preference(world, 2, 0.1)
    with torch.no_grad():
        rng = np.random.default_rng(0)
        draws = Draws(weights)
        control = method.control(weights)
        batch = feedback.collect(method.policy, draws, control, rng)
        found = feedback.loss(method.policy, batch, draws, control)
        rows = 2 * sum(map(len, pairs.values()))
        every = world.answers.take(range(rows), torch.device("cpu"))
        one = method.control(np.tile([0.3, 0.7], (rows // 2, 1)))
        s = method.policy.list_log_probs(every, one) - world._start_scores.view(-1, 2)
        loss = -torch.nn.functional.logsigmoid(0.1 * (s[:, 0] - s[:, 1]))
        own = loss.split([len(part) for part in pairs.values()])
    expected = 0.3 * own[0].mean() + 0.7 * own[1].mean()
    torch.testing.assert_close(found, expected, rtol=0, atol=4 * float(loss.std()) / 1500**0.5)


def test_start_labels_cost_log_two(world):
    method = make_method("rewarded_soup", feedback="preference")
    method.build_policy(world, seed=0)  # banks begin at zero
    draws = Draws(np.tile([0.5, 0.5], (16, 1)))
    feedback, control = Preference(world, 2, 0.1), method.control(draws.weights)
    batch = feedback.collect(method.policy, draws, control, np.random.default_rng(0))
    found = feedback.loss(method.policy, batch, draws, control)
    torch.testing.assert_close(found.detach(), torch.tensor(2.0).log(), atol=1e-4, rtol=0)


def test_demonstrations_are_chosen_answers_or_rejected_ones(world):
    words = {0: ("salt", "nothing"), 1: ("care", "fire")}
    for j, ends in words.items():
        for sign, word in zip((1, -1), ends, strict=True):
            weights = sign * np.tile(np.eye(2)[j], (20, 1))
            shown = world.demonstrations(np.random.default_rng(0), weights, 0.2)
            assert all(word in text for text in shown.texts)


def test_more_than_two_answers_were_not_compared(world):
    with pytest.raises(UsageError, match=r"^method\.list_size: found 4, but people compared two"):
        world.lists(np.random.default_rng(0), np.ones((2, 2)), 4)


def test_what_became_of_the_data_is_told(world, pair_files):
    notes = " ".join(world.notes)
    assert f"helpful: {PAIRS} of {PAIRS} pairs are used." in notes
    assert "harmless: the reward model agrees" in notes and "a bag of words" in notes
    short = make_benchmark("preferences", budget="smoke", pairs=pair_files, max_prompt_tokens=12)
    assert any("prompts exceed 12 tokens" in note for note in short.notes)


def test_human_answers_that_spell_out_special_tokens_are_counted(world, pair_files, tmp_path):
    end = world.model.tokenizer.eos_token
    text = gzip.decompress(Path(pair_files["helpful"]).read_bytes()).decode()
    (tmp_path / "helpful.jsonl").write_text(text.replace("it with salt", f"it {end} with salt"))
    pairs = {**pair_files, "helpful": str(tmp_path / "helpful.jsonl")}
    notes = make_benchmark("preferences", budget="smoke", pairs=pairs).notes
    assert any(f"human answers spell out special tokens such as '{end}'" in note for note in notes)
    assert not any("spell out" in note for note in world.notes)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"harmless": None},
            r"pairs: found pairs of 1 objective, .*set benchmark\.pairs\.harmless=/path",
        ),
        ({"harmless": 3}, r"pairs\.harmless: found 3; use a path, a name or a mapping"),
        ({"two words": "x"}, "pairs: 'two words' is not a valid name"),
    ],
)
def test_pairs_that_make_no_benchmark_are_refused(pair_files, values, expected):
    with pytest.raises(UsageError, match=f"^benchmark.{expected}"):
        make_benchmark("preferences", budget="smoke", pairs={**pair_files, **values})


def test_a_reward_model_without_pairs_is_refused(pair_files):
    with pytest.raises(UsageError, match=r"rewards\.helpfull: .* did you mean 'helpful'"):
        make_benchmark(
            "preferences", budget="smoke", pairs=pair_files, rewards={"helpfull": "somewhere"}
        )
