"""Tokenizers of different families: nothing of a text is lost on its way in and out."""

import pytest
import torch
from tiny_models import tiny_encoder_decoder, tiny_network
from tokenizers_made import like_gpt2, like_llama2, like_t5

from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.text.encode import PromptEncoder, response_texts
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel, load_model
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt

CPU = torch.device("cpu")
PROMPT = "Tom was a small"
CONTINUED = [" bear. He went", "er bear", " hello  world", ""]


def causal(tokenizer) -> LanguageModel:
    network = tiny_network("llama", len(tokenizer)).eval().requires_grad_(False)
    return LanguageModel(network, tokenizer, "causal")


def answering(tokenizer) -> LanguageModel:
    network = tiny_encoder_decoder("t5", tokenizer).eval().requires_grad_(False)
    return LanguageModel(network, tokenizer, "t5")


def as_response(tokenizer, text):
    """Tokens of `text` as a continuation of the prompt."""
    before = tokenizer(PROMPT).input_ids
    whole = tokenizer(PROMPT + text).input_ids
    assert whole[: len(before)] == before
    return whole[len(before) :]


def decoded(model, rows):
    width = max(map(len, rows))
    pad = model.tokenizer.pad_token_id
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
    mask = torch.tensor([[True] * len(row) + [False] * (width - len(row)) for row in rows])
    return response_texts(model, ids, mask)


@pytest.mark.parametrize("make", [like_llama2, like_gpt2])
def test_a_continuation_keeps_its_first_space_and_gets_no_other(make):
    tokenizer = make()
    tokenizer.pad_token = tokenizer.eos_token
    rows = [[*as_response(tokenizer, text), tokenizer.eos_token_id] for text in CONTINUED]
    texts = decoded(causal(tokenizer), rows)
    assert texts == CONTINUED
    assert all(
        tokenizer.decode(tokenizer(PROMPT).input_ids + row, skip_special_tokens=True)
        == PROMPT + text
        for row, text in zip(rows, texts, strict=True)
    )


def test_an_answer_of_its_own_begins_with_its_first_word():
    tokenizer = like_t5()
    rows = [tokenizer(text).input_ids for text in ("Lily was happy.", "hello")]
    assert decoded(answering(tokenizer), rows) == ["Lily was happy.", "hello"]


def test_prompts_of_t5_end_with_its_end_token_and_are_padded_behind_it():
    model = answering(like_t5())
    prompts = [Prompt("a", "One day, a cat."), Prompt("b", "Tom")]
    ids, mask = PromptEncoder(model)([p.text for p in prompts], prompts, 0, 5)
    lengths = mask.sum(dim=1)
    assert (ids[range(2), lengths - 1] == model.tokenizer.eos_token_id).all()
    assert (ids[1, lengths[1] :] == model.tokenizer.pad_token_id).all() and lengths[0] > lengths[1]
    assert model.begin == model.tokenizer.pad_token_id


def test_padding_with_the_end_token_hides_no_end(tmp_path):
    """GPT-2 pads with the end token: masks distinguish the rows."""
    tokenizer = like_gpt2()
    tiny_network("gpt2", len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = load_model(str(tmp_path), CPU, torch.float32, pad_token="eos")
    policy = TextPolicy(model, Unconditioned(), Decoding(30), seed=0)
    with torch.no_grad():  # a model that ends now and then
        bias = torch.zeros(len(tokenizer))
        bias[tokenizer.eos_token_id] = 4.0
        policy.network.lm_head.bias = torch.nn.Parameter(bias)
    prompts = [Prompt(str(i), PROMPT) for i in range(6)]
    samples = policy.sample(prompts, Control.start(6), 0, [0] * 6)
    lengths = samples.mask.sum(dim=1).tolist()
    assert len(set(lengths)) > 1
    for row, n in enumerate(lengths):
        ended = samples.response[row, n - 1] == tokenizer.eos_token_id
        assert ended or n == 30
    scores = policy.log_probs(samples, Control.start(6))
    torch.testing.assert_close(scores, samples.log_probs, atol=1e-5, rtol=1e-4)
