"""Greedy, top-k, and answers that are written in another way than training samples."""

import numpy as np
import pytest
import torch

from paretosteer.policies.conditioning import Banks, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.storage.digest import digest
from paretosteer.text import sampler
from paretosteer.text.causal import CausalStream
from paretosteer.text.generate import Decoding
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt

PROMPTS = [Prompt("a", "Once upon a time, there was a cat."), Prompt("b", "One day,")]
PAPER = Decoding(10, temperature=0.7, top_k=20)  # long-form QA: in training
GREEDY = Decoding(10, temperature=0.0)  # and at test


def policies(model, decoding=PAPER, answering=GREEDY):
    policy = TextPolicy(model, Banks(2, 2, 4.0), decoding, seed=0, answering=answering)
    torch.manual_seed(1)
    for layer in policy.layers.values():
        for b in layer.B:
            torch.nn.init.normal_(b, std=0.5)
    return policy, TextPolicy(model, Unconditioned(), decoding, seed=0, answering=answering)


def test_the_key_of_plain_sampling_is_what_it_was():
    """Pools and normalisers of earlier runs stay valid."""
    plain = {"max_new_tokens": 40, "min_new_tokens": 3, "temperature": 1.0}
    assert Decoding(40, 3).key() == plain
    assert digest(PAPER.key()) != digest(Decoding(10, temperature=0.7).key())


@pytest.mark.parametrize("k", [1, 5, 20])
def test_top_k_is_that_of_transformers(k):
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper

    logits = torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    decoding = Decoding(1, temperature=0.7, top_k=k)
    found = decoding.kept(decoding.log_probs(logits.unsqueeze(1), 0, ()).squeeze(1))
    expected = TopKLogitsWarper(k)(None, TemperatureLogitsWarper(0.7)(None, logits))
    torch.testing.assert_close(found, expected.log_softmax(dim=-1))
    assert (found.isfinite().sum(dim=1) == k).all()


def test_what_is_drawn_has_the_distribution_that_it_is_scored_under(llama):
    """First tokens of many samples against their own log-probabilities."""
    decoding = Decoding(1, temperature=0.7, top_k=4)
    policy = TextPolicy(llama, Unconditioned(), decoding, seed=0)
    n = 4000
    samples = policy.sample([PROMPTS[0]] * n, Control.start(n), 0, list(range(n)))
    tokens = samples.response[:, 0].numpy()
    probability = dict(zip(tokens.tolist(), samples.log_probs[:, 0].exp().tolist(), strict=True))
    assert len(probability) == 4 and sum(probability.values()) == pytest.approx(1, abs=1e-5)
    for token, p in probability.items():
        assert abs(np.mean(tokens == token) - p) < 4 * (p * (1 - p) / n) ** 0.5


def test_sampled_and_scored_agree_under_top_k(any_model):
    policy, _ = policies(any_model)
    control = Control.soup(torch.tensor([[1.0, -0.5], [0.2, 0.8]]))
    for sharpness in (None, torch.tensor([0.5, 2.0])):
        dialled = Control("soup", 2, control.values, sharpness=sharpness)
        samples = policy.sample(PROMPTS, dialled, 0, [0, 1])
        scores = policy.log_probs(samples, dialled)
        torch.testing.assert_close(scores, samples.log_probs, atol=1e-5, rtol=1e-4)


def test_log_ratios_under_top_k_are_finite_and_zero_at_the_start(llama):
    policy, start = policies(llama, Decoding(10, top_k=3))
    control = Control.soup(torch.tensor([[3.0, 0.0], [0.0, 3.0]]))
    samples = policy.sample(PROMPTS, control, 0, [0, 1])
    ratio = samples.log_probs - policy.log_probs(samples, Control.start(2))
    assert ratio.isfinite().all() and ratio.abs().sum() > 1
    with torch.no_grad():  # some of them are not among the start model's three
        alone = start.log_probs(samples, Control.start(2))
    wide = TextPolicy(llama, Unconditioned(), Decoding(10), seed=0)
    all_ = wide.log_probs(samples, Control.start(2))
    assert (alone[samples.mask] > all_[samples.mask]).all()
    same = start.sample(PROMPTS, Control.start(2), 0, [0, 1])
    torch.testing.assert_close(
        same.log_probs, start.log_probs(same, Control.start(2)), atol=1e-5, rtol=1e-4
    )


def test_gradients_under_top_k_are_those_of_the_renormalised_log_probability():
    logits = torch.randn(1, 1, 12, requires_grad=True)
    decoding, taken = Decoding(1, top_k=4), torch.tensor([[0]])
    for token in logits.detach()[0, 0].topk(4).indices[:2]:
        taken[0, 0] = token
        log_probs = decoding.kept(decoding.log_probs(logits, 0, ()), taken)
        (found,) = torch.autograd.grad(log_probs[0, 0, token], logits)
        top = logits.detach()[0, 0].topk(4).indices
        expected = torch.zeros(12)
        expected[top] = -logits.detach()[0, 0, top].softmax(0)
        expected[token] += 1
        torch.testing.assert_close(found[0, 0], expected)


def test_answers_are_greedy_and_samples_are_not(any_model):
    policy, _ = policies(any_model)
    control = Control.soup(torch.tensor([[0.5, 0.5], [0.5, 0.5]]))
    first, second = (policy.answer(PROMPTS, control, seed, [0, 1]) for seed in (0, 1))
    assert first.texts == second.texts  # nothing is left to chance
    drawn, again = (policy.sample(PROMPTS, control, seed, [0, 1]) for seed in (0, 1))
    assert drawn.texts != again.texts
    # Of all tokens that there are, each is the likeliest.
    plain = TextPolicy(any_model, Banks(2, 2, 4.0), Decoding(10), seed=0)
    plain.load_state(policy.state())
    torch.testing.assert_close(
        plain.log_probs(first, control), first.log_probs, atol=1e-5, rtol=1e-4
    )
    assert (first.log_probs[first.mask] >= -np.log(len(any_model.tokenizer))).all()


def test_greedy_is_the_limit_of_low_temperatures(t5):
    cold = TextPolicy(t5, Unconditioned(), Decoding(10, temperature=1e-5), seed=0)
    _, start = policies(t5)
    assert (
        cold.sample(PROMPTS, Control.start(2), 0, [0, 1]).texts
        == start.answer(PROMPTS, Control.start(2), 0, [0, 1]).texts
    )


def test_the_drift_of_greedy_answers_is_under_the_training_distribution(llama):
    policy, start = policies(llama)
    control = Control.soup(torch.tensor([[1.0, 0.0], [0.3, 0.7]]))
    answers = policy.answer(PROMPTS, control, 0, [0, 0])
    with torch.no_grad():
        own = policy.log_probs(answers, control).sum(dim=1)
        reference = start.log_probs(answers, Control.start(2)).sum(dim=1)
    drift = policy.drift(answers, control)
    np.testing.assert_allclose(drift.kl, (own - reference).numpy(), rtol=1e-5)
    assert np.isfinite(drift.kl).all() and np.abs(drift.kl).min() > 0.01
    own_answers = start.answer(PROMPTS, Control.start(2), 0, [0, 0])
    assert (start.drift(own_answers, Control.start(2)).kl == 0).all()


def test_the_drift_of_samples_is_from_what_they_were_drawn_with(llama):
    policy, _ = policies(llama, Decoding(10), None)
    control = Control.soup(torch.tensor([[1.0, 0.0], [0.3, 0.7]]))
    answers = policy.answer(PROMPTS, control, 0, [0, 0])
    start = policy.log_probs(answers, Control.start(2)).sum(dim=1)
    expected = answers.log_probs.sum(dim=1) - start
    assert policy.drift(answers, control).kl.tolist() == expected.double().tolist()


@pytest.mark.parametrize("chosen", [Unconditioned(), Banks(2, 2, 4.0)])
def test_rows_that_have_ended_leave_the_batch_and_change_nothing(model, chosen, monkeypatch):
    decoding = Decoding(24, temperature=1.5)
    policy = TextPolicy(model, chosen, decoding, seed=0)
    rows = 12
    prompts = [PROMPTS[i % 2] for i in range(rows)]
    mixed = torch.rand(rows, 2, generator=torch.Generator().manual_seed(0))
    control = Control.soup(mixed.tolist()) if isinstance(chosen, Banks) else Control.start(rows)
    monkeypatch.setattr(type(policy.model), "ends", tuple(range(0, 200, 2)))  # most end early
    whole = policy.sample(prompts, control, 3, list(range(rows)))
    sizes, step = [], CausalStream.step
    monkeypatch.setattr(
        CausalStream, "step", lambda self, token: sizes.append(len(token)) or step(self, token)
    )
    monkeypatch.setattr(sampler, "SMALL", 0)
    fewer = policy.sample(prompts, control, 3, list(range(rows)))
    assert min(sizes) < rows / 2
    assert torch.equal(fewer.response, whole.response)
    assert torch.equal(fewer.mask, whole.mask)
    torch.testing.assert_close(fewer.log_probs, whole.log_probs, rtol=1e-4, atol=1e-5)
