"""The check of a loaded model: what runs, what is refused, and that it disturbs nothing."""

import random
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from architectures import CAUSAL, ENCODER_DECODERS, tiny_network
from tiny_models import tiny_model
from torch import nn
from transformers import CONFIG_MAPPING

from paretosteer.benchmarks.stories.tokenizer import build_tokenizer
from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.text.attention import single_query
from paretosteer.text.generate import Decoding
from paretosteer.text.load_check import check_soft_prompts, checked, plain_logits
from paretosteer.text.model import LanguageModel, load_model
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt

LIST = Path(__file__).resolve().parents[2] / "docs" / "architectures.md"
PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "your_model.md"
ALL = [*CAUSAL, *ENCODER_DECODERS]
# Each with the part of the check that it fails.
REFUSED = {
    "led": "a text has different scores",
    "openai-gpt": "returns no cache",
    "prophetnet": "responses cannot be sampled",
    "recurrent_gemma": "returns no cache",
    "roberta": "a text has different scores",
    "rwkv": "a text has different scores",
    "switch_transformers": "a selection of 1 tokens",
    "xlnet": "a selection of 11 tokens",
}
QUICK = [
    "bloom",
    "deepseek_v3",
    "falcon-alibi",
    "gemma2",
    "llama4_text",
    "mamba",
    "opt",
    "qwen2_moe",
]
PROMPTS = [Prompt("a", "Once upon a time, there was Lily."), Prompt("b", "One day,")]
CONTROL = Control.soup([[0.3, 0.9], [1.0, -0.5]])


def model_of(name: str) -> LanguageModel:
    if name.removesuffix("-alibi") not in CONFIG_MAPPING:
        pytest.skip(f"this version of transformers has no {name}")
    tokenizer = build_tokenizer()
    network = tiny_network(name, tokenizer).requires_grad_(False)
    tokenizer.padding_side = "right" if network.config.is_encoder_decoder else "left"
    return LanguageModel(network, tokenizer, name)


def runs_or_is_refused(name: str) -> None:
    """Check one architecture; train one that passes by a step of policy gradient."""
    if name in REFUSED:
        with pytest.raises(UsageError, match=REFUSED[name]) as error:
            checked(model_of(name))
        assert "\n" not in str(error.value) and repr(name) in str(error.value)
        return
    model = checked(model_of(name))
    check_soft_prompts(model)
    policy = TextPolicy(model, Banks(2, 2, 4.0), Decoding(6), seed=0)
    samples = policy.sample(PROMPTS, CONTROL, 0, [0, 0])
    optimiser = torch.optim.Adam(policy.parameters(), lr=0.02)
    for _ in range(2):
        optimiser.zero_grad()
        log_probs = policy.log_probs(samples, CONTROL)
        (-log_probs.sum()).backward()
        optimiser.step()
    trained = policy.log_probs(samples, CONTROL).detach()
    assert trained.sum() > samples.log_probs.sum()
    again = policy.sample(PROMPTS, CONTROL, 0, [0, 0])
    torch.testing.assert_close(
        policy.log_probs(again, CONTROL).detach(), again.log_probs, rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("name", [*QUICK, "led", "roberta", "xlnet"])
def test_an_architecture_runs_or_is_refused(name):
    runs_or_is_refused(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_every_architecture_runs_or_is_refused(name):
    runs_or_is_refused(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_half_precision_changes_no_outcome(name):
    model = model_of(name)
    model.network.to(torch.bfloat16)
    if name in REFUSED:
        with pytest.raises(UsageError, match=REFUSED[name]):
            checked(model)
    else:
        checked(model)


def test_the_documentation_lists_what_is_tested():
    """On a failure, replace the two lists by those in the message."""
    passing = ", ".join(sorted(set(ALL) - set(REFUSED)))
    refused = ", ".join(sorted(REFUSED))
    text = LIST.read_text(encoding="utf-8")
    assert f"lists the {len(ALL) - len(REFUSED)} that" in PAGE.read_text(encoding="utf-8")
    assert f"\n{passing}\n" in text, passing
    assert f"\n{refused}\n" in text, refused


@pytest.mark.parametrize("name", ["llama", "gpt2", "t5", "bart"])
def test_the_check_disturbs_nothing(name):
    model = tiny_model(name)
    before = {key: value.clone() for key, value in model.network.state_dict().items()}
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    attention = model.network.config._attn_implementation
    assert checked(model) is model
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[1]
    assert (np.random.get_state()[1] == states[2]).all()
    assert model.network.config._attn_implementation == attention
    after = model.network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert not any(p.requires_grad or p.grad is not None for p in model.network.parameters())


def test_positions_that_count_padding_are_found(monkeypatch):
    monkeypatch.setattr(
        "paretosteer.text.causal._positions",
        lambda mask: torch.arange(mask.shape[1]).expand(mask.shape),
    )
    with pytest.raises(
        UsageError, match=r"'gpt2'.* a text has different scores in a batch and alone"
    ):
        checked(tiny_model("gpt2"))


def test_a_cache_that_forgets_is_found(monkeypatch):
    def forgetful(module, query, key, value, mask, **others):
        value = value if query.shape[2] > 1 else value.roll(1, dims=2)
        return single_query(module, query, key, value, mask, **others)

    from transformers import AttentionInterface

    from paretosteer.text.attention import NAME

    monkeypatch.setitem(AttentionInterface._global_mapping, NAME, forgetful)
    model = tiny_model("gpt2")
    model.network.transformer.h[0].attn.c_attn.weight.mul_(10)
    assert checked(model).own_cache  # without our attention it runs


class ReadDirectly(nn.Module):
    """A layer whose weight is used without calling it, as in fused kernels."""

    def __init__(self, layer):
        super().__init__()
        self.fused = layer

    def forward(self, x):
        return nn.functional.linear(x, self.fused.weight)


def test_a_layer_that_is_never_called_is_found():
    model = tiny_model("llama")
    for layer in model.network.model.layers:
        layer.mlp.down_proj = ReadDirectly(layer.mlp.down_proj)
    with pytest.raises(UsageError, match=r"layers\.0\.mlp\.down_proj\.fused' never runs"):
        checked(model)


def test_a_gradient_that_is_cut_off_is_found(monkeypatch):
    model = tiny_model("llama")
    forward = type(model.network.model.layers[0].mlp).forward

    def cut(self, x):
        return forward(self, x.detach()).detach()

    monkeypatch.setattr(type(model.network.model.layers[0].mlp), "forward", cut)
    with pytest.raises(UsageError, match=r"no gradient reaches the banks of its layer .*mlp"):
        checked(model)


def test_an_encoder_that_sees_the_future_is_refused():
    model = model_of("bert")
    for layer in model.network.bert.encoder.layer:
        layer.attention.self.is_causal = False
    model.network.config.is_decoder = False
    with pytest.raises(UsageError, match="returns no cache"):
        checked(model)


def test_a_multimodal_model_is_its_text_part(tmp_path):
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    tokenizer = build_tokenizer()
    text = dict(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=64,
        sliding_window=8,
        layer_types=["sliding_attention", "full_attention"],
        query_pre_attn_scalar=8,
    )
    vision = dict(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    marks = {f"{name}_index": i for i, name in enumerate(("image_token", "boi_token", "eoi_token"))}
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4, **marks)
    Gemma3ForConditionalGeneration(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = checked(load_model(str(tmp_path), torch.device("cpu"), torch.float32))
    assert model.context == 64 and model.room(40) == 24
    policy = TextPolicy(model, Banks(2, 2, 4.0), Decoding(6), seed=0)
    assert len(policy.layers) == 2 * 7
    assert not any("vision" in name or "projector" in name for name in policy.layers)
    assert policy.row_bytes(PROMPTS) > 0


def test_an_error_of_ours_keeps_its_remedy():
    model = replace(tiny_model("gpt2"), recompute=True)
    model.network.transformer.h = nn.ModuleList()
    with pytest.raises(UsageError, match=r"^gradient_checkpointing: .* does not support it"):
        checked(model)


LONGROPE = {
    "rope_type": "longrope",
    "short_factor": [1.0] * 4,
    "long_factor": [2.0, 3.0, 4.0, 5.0],
    "original_max_position_embeddings": 32,
}
BLOCKS = {"attention_type": "block_sparse", "block_size": 4, "num_random_blocks": 1}


@pytest.mark.parametrize(
    ("name", "options", "context"),
    [
        ("phi3", {"rope_scaling": LONGROPE, "original_max_position_embeddings": 32}, 32),
        ("llama", {"rope_scaling": LONGROPE}, 32),
        ("bigbird_pegasus", BLOCKS, 28),
        ("llama", {"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}, 128),
        ("llama", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, 128),
    ],
)
def test_rows_of_the_longest_context_are_scored_as_alone(name, options, context, monkeypatch):
    """Beyond it, one long row of a batch would change the scores of all the others."""
    table = CAUSAL if name in CAUSAL else ENCODER_DECODERS
    monkeypatch.setitem(table, name, table[name] | options)
    model = checked(model_of(name))
    assert model.context == context
    policy = TextPolicy(model, Banks(2, 2, 4.0), Decoding(6), seed=0)
    ids = list(range(10, 10 + model.room(6)))
    texts, response = [ids, ids[:3]], torch.tensor([ids[:6]] * 2)
    with torch.no_grad():
        stream = policy.stream(*policy.encode.pad(texts), CONTROL, nullcontext)
        together = stream.logits(response, torch.ones_like(response).bool())
        fresh = model_of(name)  # no other text has been read by it
        for row, text in enumerate(texts):
            alone = plain_logits(fresh, fresh.network, None, torch.tensor([text]), response[:1])
            assert torch.allclose(alone[0], together[row], atol=1e-4)
