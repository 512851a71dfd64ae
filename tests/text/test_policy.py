"""Conditioned policies: one batch holds every preference, and no row feels another."""

import copy

import pytest
import torch

from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Banks, Features, PromptText, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.text import causal
from paretosteer.text.generate import Decoding
from paretosteer.text.layers import linear_layers
from paretosteer.text.model import LanguageModel
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt

PROMPTS = [
    Prompt("a", "Once upon a time, there was a little girl named Lily."),
    Prompt("b", "One day,"),
    Prompt("c", "Tom was a small bear. He went for a walk in the park."),
]
DECODING = Decoding(12)


def banked(model, count=3, scope="all", merge="sum", spread=0.3) -> TextPolicy:
    policy = TextPolicy(model, Banks(count, 2, 4.0, scope, merge), DECODING, seed=0)
    torch.manual_seed(1)
    for layer in policy.layers.values():
        for b in layer.B:
            torch.nn.init.normal_(b, std=spread)
    return policy


def written(policy, prompts, control, samples=None):
    return policy.sample(prompts, control, 5, samples or [0] * len(prompts))


def test_qkv_is_attention_without_its_output(any_model):
    attention, qkv = (linear_layers(any_model.network, scope) for scope in ("attention", "qkv"))
    assert qkv and set(qkv) < set(attention)
    outputs = {name.rpartition(".")[2] for name in set(attention) - set(qkv)}
    assert outputs <= {"o_proj", "out_proj", "c_proj", "dense", "o"}


@pytest.mark.parametrize("scope", ["all", "attention", "qkv", "head"])
def test_batched_rows_equal_materialised_models(any_model, scope):
    policy = banked(any_model, scope=scope)
    coefficients = torch.tensor([[1.75, -0.75, 0.2], [0.0, 1.0, 0.0], [-0.3, 0.5, 0.8]])
    samples = written(policy, PROMPTS, Control.soup(coefficients))
    batched = policy.log_probs(samples, Control.soup(coefficients))
    for row, c in enumerate(coefficients):
        plain = LanguageModel(policy.materialise(c), any_model.tokenizer, "plain")
        alone = TextPolicy(plain, Unconditioned(), DECODING, seed=0)
        scores = alone.log_probs(samples.take([row]), Control.start(1))
        width = scores.shape[1]
        torch.testing.assert_close(batched[row, :width], scores[0], atol=2e-5, rtol=1e-4)


def test_materialising_leaves_the_policy_and_the_start_model_alone(any_model):
    before = {k: v.clone() for k, v in any_model.network.state_dict().items()}
    policy = banked(any_model, scope="head")
    policy.materialise(torch.ones(3))
    after = any_model.network.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert policy.layers


def test_no_coefficient_and_switched_off_are_the_start_model(any_model):
    policy, start = banked(any_model), TextPolicy(any_model, Unconditioned(), DECODING, seed=0)
    samples = written(start, PROMPTS, Control.start(3))
    expected = start.log_probs(samples, Control.start(3))
    torch.testing.assert_close(policy.log_probs(samples, Control.start(3)), expected)
    torch.testing.assert_close(policy.log_probs(samples, Control.soup(torch.zeros(3, 3))), expected)


def test_one_bank_per_row_is_its_one_hot_soup(llama):
    policy = banked(llama)
    samples = written(policy, PROMPTS, Control.start(3))
    for index in ([0, 1, 2], [1, 1, 1]):
        chosen = policy.log_probs(samples, Control.bank(index))
        soup = policy.log_probs(samples, Control.soup(torch.eye(3)[index]))
        torch.testing.assert_close(chosen, soup, atol=1e-5, rtol=1e-4)


def test_averaging_factors_is_not_the_soup(llama):
    """At (1/2, 1/2) each own term keeps a quarter and cross terms appear."""
    exact, factors = banked(llama, 2), banked(llama, 2, merge="factors")
    name = next(iter(exact.layers))
    half = torch.tensor([0.5, 0.5])
    layer, other = exact.layers[name], factors.layers[name]
    base = layer.base.weight
    a, b, s = list(layer.A), list(layer.B), layer.layout[0][1]
    own = sum(b[i] @ a[i] for i in range(2))
    cross = b[0] @ a[1] + b[1] @ a[0]
    torch.testing.assert_close(layer.materialise(half) - base, s * 0.5 * own)
    torch.testing.assert_close(other.materialise(half) - base, s * 0.25 * (own + cross))
    samples = written(exact, PROMPTS, Control.start(3))
    control = Control.soup(half.repeat(3, 1))
    plain = LanguageModel(factors.materialise(half), llama.tokenizer, "plain")
    alone = TextPolicy(plain, Unconditioned(), DECODING, seed=0)
    torch.testing.assert_close(
        factors.log_probs(samples, control),
        alone.log_probs(samples, Control.start(3)),
        atol=1e-5,
        rtol=1e-4,
    )


def test_rows_do_not_feel_their_batch(any_model):
    """Left padding, masks and noise: a row alone writes what it writes among longer ones."""
    policy = banked(any_model)
    control = Control.soup(torch.rand(3, 3))
    together = written(policy, PROMPTS, control)
    for row in range(3):
        alone = policy.sample([PROMPTS[row]], control.take(torch.tensor([row])), 5, [0])
        assert alone.texts[0] == together.texts[row]
        n = int(alone.mask.sum())
        torch.testing.assert_close(
            alone.log_probs[0, :n], together.log_probs[row, :n], atol=1e-5, rtol=1e-4
        )


def test_sampling_and_scoring_agree(any_model):
    for conditioning, control in [
        (Banks(2, 2, 4.0), Control.soup(torch.rand(3, 2))),
        (Features(2, 3, 8, 2, 4.0), Control.features(torch.rand(3, 2))),
        (PromptText(2, 4.0), Control.text(["positive: 0.3; ", "varied: 0.7; ", ""])),
    ]:
        policy = TextPolicy(any_model, conditioning, DECODING, seed=0)
        samples = written(policy, PROMPTS, control)
        scores = policy.log_probs(samples, control)
        torch.testing.assert_close(scores, samples.log_probs, atol=1e-5, rtol=1e-4)
        assert (scores[~samples.mask] == 0).all()


def test_noise_depends_on_seed_prompt_and_sample_number(llama):
    policy = TextPolicy(llama, Unconditioned(), DECODING, seed=0)
    one, again = [policy.sample([PROMPTS[0]] * 3, Control.start(3), 5, [0, 1, 0]) for _ in range(2)]
    assert one.texts == again.texts
    assert one.texts[0] == one.texts[2] != one.texts[1]
    assert policy.sample([PROMPTS[0]], Control.start(1), 6, [0]).texts[0] != one.texts[0]


def test_banks_are_set_once_a_generation(llama, monkeypatch):
    """Not once a token: on a GPU every time would wait for the device."""
    policy, calls = banked(llama), []
    mixed = policy.mixed
    monkeypatch.setattr(policy, "mixed", lambda control: calls.append(control) or mixed(control))
    written(policy, PROMPTS, Control.bank([0, 1, 2]))
    assert len(calls) == 1


@pytest.mark.parametrize("together", [1, 60])
@pytest.mark.parametrize("mixture", [False, True])
def test_prompts_of_like_length_are_read_together(any_model, monkeypatch, mixture, together):
    """Without common padding; answers stay, and so do log-probabilities but for rounding."""
    policy = banked(any_model)
    prompts = [Prompt(str(i), "a cat and a dog " * (1 + i % 3)) for i in range(6)]
    weights = torch.tensor([[1.75, -0.75, 0.2], [0.0, 1.0, 0.0]]).repeat(3, 1)
    control = Control.soup(weights)
    if mixture:
        control = Control.mixture(weights, [Control.bank([k] * 6) for k in range(3)])
    whole = written(policy, prompts, control)
    shapes, forward = [], policy.network.forward

    def noted(*args, **given):
        shapes.append(given["input_ids"].shape if "input_ids" in given else (0, 0))
        return forward(*args, **given)

    monkeypatch.setattr(policy.network, "forward", noted)
    monkeypatch.setattr(causal, "TOGETHER", together)
    parts = written(policy, prompts, control)
    assert torch.equal(parts.response, whole.response)
    torch.testing.assert_close(parts.log_probs, whole.log_probs)
    if any_model.network.config.model_type == "llama":
        read = [shape for shape in shapes if shape[1] > 1]  # (rows, P) of each part
        assert sum(rows for rows, _ in read) == 6 * (3 if mixture else 1)
        assert read[0][1] > read[-1][1]


def test_sharpness_moves_between_start_and_policy(llama):
    policy = banked(llama)
    policy.decoding = Decoding(12, min_new_tokens=4)  # a forbidden token stays forbidden
    samples = written(policy, PROMPTS, Control.start(3))
    soup = Control.soup(torch.rand(3, 3))

    def scores(sharpness):
        rows = torch.full((3,), sharpness)
        return policy.log_probs(samples, Control("soup", 3, soup.values, sharpness=rows))

    torch.testing.assert_close(scores(1.0), policy.log_probs(samples, soup))
    torch.testing.assert_close(scores(0.0), policy.log_probs(samples, Control.start(3)))


def test_features_steer_and_their_gradient_arrives(llama):
    policy = TextPolicy(llama, Features(2, 3, 8), DECODING, seed=0)
    samples = written(policy, PROMPTS, Control.features(torch.eye(2)[[0, 0, 0]]))
    first, second = (
        policy.log_probs(samples, Control.features(torch.eye(2)[[i] * 3])) for i in (0, 1)
    )
    assert not torch.allclose(first, second)
    first.sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in policy.parameters())


def test_state_round_trip_and_refusal(llama, tmp_path):
    policy, other = banked(llama), TextPolicy(llama, Banks(3, 2, 4.0), DECODING, seed=9)
    other.load_state(policy.state())
    samples = written(policy, PROMPTS, Control.start(3))
    control = Control.soup(torch.rand(3, 3))
    assert torch.equal(other.log_probs(samples, control), policy.log_probs(samples, control))
    with pytest.raises(UsageError, match="do not fit this policy"):
        TextPolicy(llama, Banks(2, 2, 4.0), DECODING, seed=0).load_state(policy.state())


def test_keeping_banks_reorders_them(llama):
    policy = banked(llama)
    samples = written(policy, PROMPTS, Control.start(3))
    expected = policy.log_probs(samples, Control.bank([2, 2, 2]))
    policy.keep_banks([2, 0])
    torch.testing.assert_close(policy.log_probs(samples, Control.bank([0, 0, 0])), expected)
    assert len(policy.parameters()) == 4 * len(policy.layers)


def test_a_prompt_too_long_for_the_context(llama):
    policy = TextPolicy(llama, Unconditioned(), Decoding(120), seed=0)
    with pytest.raises(UsageError, match=r"benchmark.max_new_tokens: prompt 'c' needs \d+ tokens"):
        written(policy, PROMPTS, Control.start(3))


def test_no_response_ends_early_and_scoring_knows(any_model):
    policy = TextPolicy(any_model, Unconditioned(), Decoding(12, min_new_tokens=9), seed=0)
    with torch.no_grad():  # a any_model that would like to end at once
        bias = torch.zeros(policy.network.config.vocab_size)
        bias[policy.tokenizer.eos_token_id] = 20.0
        policy.network.get_output_embeddings().bias = torch.nn.Parameter(bias)
    samples = written(policy, PROMPTS, Control.start(3))
    assert samples.mask.sum(dim=1).tolist() == [10, 10, 10]  # nine tokens and the end
    torch.testing.assert_close(
        policy.log_probs(samples, Control.start(3)), samples.log_probs, atol=1e-4, rtol=1e-4
    )


def test_half_precision_samples_scores_and_trains(llama):
    full = banked(llama)
    network = copy.deepcopy(llama.network).bfloat16()
    half = banked(LanguageModel(network, llama.tokenizer, "half"))
    control = Control.soup(torch.rand(3, 3))
    samples = written(half, PROMPTS, control)
    scores = half.log_probs(samples, control)
    torch.testing.assert_close(scores, full.log_probs(samples, control), atol=0.3, rtol=0.1)
    scores.sum().backward()
    assert all(p.dtype == torch.float32 and p.grad is not None for p in half.parameters())
