"""Features of a causal model's lower layers, and linear heads on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import tiny_encoder_decoder, tiny_network

from paretosteer.benchmarks.stories.tokenizer import build_tokenizer
from paretosteer.errors import UsageError
from paretosteer.text.dialogue import Turn
from paretosteer.text.model import LanguageModel
from paretosteer.text.pairs import Pair
from paretosteer.text.rewards.backbone import ANSWER_TOKENS, Backbone
from paretosteer.text.rewards.backbone_check import check_reads
from paretosteer.text.rewards.backbone_reward import (
    BackboneReward,
    PairFeatures,
    SharedFeatures,
    train_head,
)

FILLER = ("the", "a", "old", "man", "cat", "and", "it", "there")


def made_pairs(count, seed):
    """Pairs whose better side has the word boat, and whose worse side storm; some are turned."""
    rng = np.random.default_rng(seed)
    turned = rng.random(count) < 0.15
    prompts = [(Turn("user", f"tell me story {seed} {i}"),) for i in range(count)]
    made = []
    for prompt, turn in zip(prompts, turned, strict=True):
        words = ("storm", "boat") if turn else ("boat", "storm")
        sides = [" ".join([*rng.choice(FILLER, rng.integers(2, 5)), word]) for word in words]
        made.append(Pair(prompt, *sides))
    return made


TRAIN, HELD_OUT = made_pairs(60, 0), made_pairs(40, 1)
LONG = [
    replace(one, chosen=f"{one.chosen} {two.chosen} {three.chosen}")
    for one, two, three in zip(TRAIN[:20], TRAIN[20:40], TRAIN[40:], strict=True)
]
PROMPTS = [
    (Turn("user", "tell me a story"),),
    (Turn("user", "a boat"), Turn("assistant", "yes"), Turn("user", "and then the old man")),
]


def backbone(kind="llama"):
    tokenizer = build_tokenizer()
    return Backbone(LanguageModel(tiny_network(kind, len(tokenizer)), tokenizer, "tiny"))


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_features_are_those_of_every_answer_read_alone(kind):
    lower = backbone(kind)
    prompts = [PROMPTS[0], PROMPTS[1], PROMPTS[0], PROMPTS[1]]
    answers = ["the cat sat", "a", "no", "the boat went to the lake and back"]
    found = lower.features(prompts, answers)
    for prompt, answer, features in zip(prompts, answers, found, strict=True):
        text = lower._text(prompt)
        before, own = lower._prompt(text), lower._answer(text, answer)
        assert own[-1] == lower.end
        with torch.no_grad():
            read = lower.network(input_ids=torch.tensor([before + own]), use_cache=False)
        states = read.last_hidden_state[0, len(before) :]  # (T, width)
        expected = torch.cat([states.mean(dim=0), states[-1]])
        np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)


def test_only_the_lower_layers_are_run_and_the_model_keeps_all():
    tokenizer = build_tokenizer()
    network = tiny_network("llama", len(tokenizer))
    lower = Backbone(LanguageModel(network, tokenizer, "tiny"))
    assert len(lower.network.layers) == 1
    assert len(network.model.layers) == 2
    assert lower.network.layers[0].mlp.up_proj.weight is network.model.layers[0].mlp.up_proj.weight


def test_long_answers_are_cut_and_counted():
    lower = backbone()
    lower.features([PROMPTS[0]], ["the cat sat " * ANSWER_TOKENS])
    assert lower.truncated == 1
    long = (Turn("user", "once " * (lower.prompt_room + 5)),)
    lower.features([long, long], ["a", "b"])
    assert lower.truncated == 2  # a prompt is read once


def test_prompts_and_answers_share_a_short_context():
    lower = backbone()
    context = lower.network.config.max_position_embeddings
    text = lower._text((Turn("user", "the cat sat " * context),))
    before, own = lower._prompt(text), lower._answer(text, "the cat sat " * context)
    assert len(before) + len(own) <= context < 2 * ANSWER_TOKENS
    assert min(len(before), len(own)) > context // 3


def test_answers_of_all_lengths_are_read_as_alone(monkeypatch):
    """Longer and shorter answers are read in groups."""
    monkeypatch.setattr("paretosteer.text.rewards.backbone._ANSWER_STEP", 4)
    lower = backbone()
    answers = ["the cat sat on the mat and the dog", "a", "the boat went", "no " * 12]
    together = lower.features([PROMPTS[0]] * 4, answers)
    alone = [lower.features([PROMPTS[0]], [answer])[0] for answer in answers]
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def trained():
    """A model that has learnt answers."""
    lower = backbone()
    network = lower.model.network.train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for batch in range(60):
        pairs = LONG[batch % 4 :: 4]
        rows = [lower.encode(pair.prompt, pair.chosen)["input_ids"] for pair in pairs]
        ids, mask = lower._padded(rows, left=False)
        labels = ids.masked_fill(mask == 0, -100)
        optimiser.zero_grad()
        network(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        optimiser.step()
    network.eval()
    return lower


def test_a_trained_model_with_its_own_tokenizer_may_be_a_backbone(trained):
    check_reads(trained, LONG)


def test_an_untrained_model_is_refused_as_a_backbone():
    with pytest.raises(UsageError, match=r"^benchmark\.reward_backbone: 'tiny' predicts .* worse"):
        check_reads(backbone(), LONG)


@pytest.mark.parametrize("size", [1.0, 0.5])
def test_a_tokenizer_of_another_model_is_refused_as_a_backbone(trained, size, monkeypatch):
    """Also one that has fewer tokens than the model, so that all of them have embeddings."""
    own, count = trained._tokens, int(size * len(trained.tokenizer))
    other = np.random.default_rng(0).permutation(count)

    def tokens(text, special):
        return [int(other[token % count]) for token in own(text, special)]

    monkeypatch.setattr(trained, "_tokens", tokens)
    with pytest.raises(UsageError, match=r"nats per token.* with its own tokenizer") as caught:
        check_reads(trained, LONG)
    assert "\n" not in str(caught.value)


def test_few_tokens_say_nothing():
    check_reads(backbone(), LONG[:3])


def test_a_tokenizer_of_another_model_is_refused_in_one_line():
    tokenizer = build_tokenizer()
    model = LanguageModel(tiny_network("llama", len(tokenizer) // 2), tokenizer, "tiny")
    match = (
        r"^benchmark\.reward_backbone: the tokenizer of 'tiny' has .*use the model's own tokenizer"
    )
    with pytest.raises(UsageError, match=match):
        Backbone(model).features([PROMPTS[1]], ["the boat went to the lake and back"])


def test_an_encoder_decoder_is_refused_in_one_line():
    tokenizer = build_tokenizer()
    model = LanguageModel(tiny_encoder_decoder("t5", tokenizer), tokenizer, "tiny")
    with pytest.raises(UsageError, match=r"^benchmark\.reward_backbone: 'tiny' is not a causal"):
        Backbone(model)


def test_a_head_learns_the_pairs_and_scores_as_measured(tmp_path):
    lower = backbone()
    own, unseen = (PairFeatures.of(lower, pairs) for pairs in (TRAIN, HELD_OUT))
    facts = train_head(TRAIN, HELD_OUT, own, unseen, tmp_path)
    assert facts.accuracy > 0.7
    assert facts.accuracy_low < facts.accuracy < facts.accuracy_high
    assert facts.gain == pytest.approx(facts.accuracy - facts.tuned_baseline_accuracy)
    assert facts.gain_low <= facts.gain <= facts.gain_high
    head = BackboneReward.read(tmp_path, "good", SharedFeatures(lower))
    prompts = [pair.prompt for pair in HELD_OUT]
    better = head.score(prompts, [pair.chosen for pair in HELD_OUT])
    worse = head.score(prompts, [pair.rejected for pair in HELD_OUT])
    assert np.mean(better > worse) == pytest.approx(facts.accuracy, abs=0.02)
    answers = [*(pair.chosen for pair in TRAIN), *(pair.rejected for pair in TRAIN)]
    trained = head.score([pair.prompt for pair in TRAIN] * 2, answers)
    assert trained.mean() == pytest.approx(0, abs=1e-4)


def test_heads_of_one_backbone_read_a_batch_once(tmp_path, monkeypatch):
    lower, pairs = backbone(), made_pairs(20, 2)
    shared, calls = SharedFeatures(lower), []
    features = lower.features
    monkeypatch.setattr(lower, "features", lambda *texts: calls.append(1) or features(*texts))
    heads = [BackboneReward(name, shared, np.ones(32), 0.0) for name in ("helpful", "harmless")]
    prompts, answers = [p.prompt for p in pairs], [p.chosen for p in pairs]
    scores = [head.score(prompts, answers) for head in heads]
    np.testing.assert_array_equal(*scores)
    heads[0].score(prompts, answers[::-1])
    assert len(calls) == 2
