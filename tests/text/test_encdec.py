"""Encoder-decoder start models: what differs from causal ones, against transformers and PEFT."""

import copy
import json

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Banks, Features, PromptText, Unconditioned
from paretosteer.policies.control import Control
from paretosteer.text.generate import Decoding
from paretosteer.text.model import LanguageModel, load_model
from paretosteer.text.policy import TextPolicy
from paretosteer.text.read_peft import add_adapters, read_adapter
from paretosteer.text.samples import Prompt

CPU = torch.device("cpu")
GREEDY = Decoding(14, temperature=0.0)
PROMPTS = [
    Prompt("a", "Once upon a time, there was a little girl named Lily."),
    Prompt("b", "One day,"),
    Prompt("c", "Tom was a small bear. He went for a walk in the park."),
]


def encoder_inputs(model, texts=None):
    model.tokenizer.padding_side = "right"
    batch = model.tokenizer(texts or [p.text for p in PROMPTS], return_tensors="pt", padding=True)
    return {key: batch[key] for key in ("input_ids", "attention_mask")}


def test_greedy_is_the_greedy_of_transformers_token_for_token(any_model):
    # A new head: of untrained models with a tied one each token is the likeliest after itself.
    head = Banks(2, 4, 4.0, "head")
    policy = TextPolicy(any_model, head, Decoding(14), seed=0, answering=GREEDY)
    torch.nn.init.normal_(policy.layers["lm_head"].B[1], std=2.0)
    plain = policy.materialise(torch.tensor([0.0, 1.0]))
    found = policy.answer(PROMPTS, Control.bank([1, 1, 1]), 0, [0, 1, 2])
    inputs = encoder_inputs(any_model)
    for row, prompt in enumerate(PROMPTS):
        if not any_model.encoder_decoder:
            inputs = any_model.tokenizer([prompt.text], return_tensors="pt")
            inputs = {key: inputs[key] for key in ("input_ids", "attention_mask")}
        expected = plain.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=14,
            use_cache=False,  # theirs assumes as many layers in T5's decoder as in its encoder
            pad_token_id=any_model.tokenizer.pad_token_id,
            eos_token_id=any_model.tokenizer.eos_token_id,
        )
        if any_model.encoder_decoder:
            written = expected[row, 1:]  # behind the token that the decoder begins with
        else:
            written = expected[0, inputs["input_ids"].shape[1] :]
        n = int(found.mask[row].sum())
        assert found.response[row, :n].tolist() == written[:n].tolist()
    assert len(found.response.unique()) > 4  # something could have gone wrong


def test_scores_are_those_of_the_network_given_the_labels(seq2seq):
    policy = TextPolicy(seq2seq, Unconditioned(), Decoding(9), seed=0)
    samples = policy.sample(PROMPTS, Control.start(3), 3, [0] * 3)
    labels = samples.response.masked_fill(~samples.mask, -100)
    with torch.no_grad():
        out = seq2seq.network(**encoder_inputs(seq2seq), labels=labels)
    expected = -out.loss * samples.mask.sum()
    torch.testing.assert_close(samples.log_probs.sum(), expected, atol=1e-4, rtol=1e-5)


def test_the_encoder_reads_once_a_generation(t5, monkeypatch):
    policy = TextPolicy(t5, Unconditioned(), Decoding(6, min_new_tokens=6), seed=0)
    calls = []
    policy.network.encoder.register_forward_hook(lambda *_: calls.append("encoder"))
    policy.network.decoder.register_forward_hook(lambda *_: calls.append("decoder"))
    policy.sample(PROMPTS, Control.start(3), 0, [0] * 3)
    assert calls == ["encoder"] + ["decoder"] * 6


def test_banks_are_in_encoder_and_decoder(seq2seq):
    policy = TextPolicy(seq2seq, Banks(2, 2, 4.0), Decoding(5), seed=0)
    sides = {"encoder", "decoder"}
    assert all(any(side in name for name in policy.layers) for side in sides)
    head = TextPolicy(seq2seq, Banks(2, 2, 4.0, "head"), Decoding(5), seed=0)
    assert list(head.layers) == ["lm_head"]
    attention = TextPolicy(seq2seq, Banks(2, 2, 4.0, "attention"), Decoding(5), seed=0)
    # Every block of the encoder attends once, every one of the decoder twice; q, k, v and o each.
    config = seq2seq.network.config
    decoder = getattr(config, "num_decoder_layers", None) or config.decoder_layers
    encoder = getattr(config, "encoder_layers", None) or config.num_layers
    assert len(attention.layers) == 4 * (encoder + 2 * decoder)


def test_gradients_reach_encoder_and_decoder(t5):
    policy = TextPolicy(t5, Banks(2, 2, 4.0), Decoding(5), seed=0)
    samples = policy.sample(PROMPTS, Control.start(3), 0, [0] * 3)
    policy.log_probs(samples, Control.soup(torch.full((3, 2), 0.5))).sum().backward()
    assert all(layer.B[0].grad.abs().sum() > 0 for layer in policy.layers.values())


@pytest.mark.parametrize("bank", [0, 2])
def test_soft_prompts_stand_before_the_encoders_text(seq2seq, bank):
    policy = TextPolicy(seq2seq, Features(2, 3, 8, bank, 4.0), Decoding(5), seed=0)
    control = Control.features(torch.rand(3, 2))
    samples = policy.sample(PROMPTS, control, 0, [0] * 3)
    scores = policy.log_probs(samples, control)
    torch.testing.assert_close(scores, samples.log_probs, atol=1e-5, rtol=1e-4)
    inputs = encoder_inputs(seq2seq)
    text = seq2seq.network.get_input_embeddings()(inputs["input_ids"])
    mask = torch.cat([torch.ones(3, 3, dtype=torch.int64), inputs["attention_mask"]], dim=1)
    with torch.no_grad(), policy.mixed(control):
        vectors = torch.cat([policy.reader(control.values), text], dim=1)
        labels = samples.response.masked_fill(~samples.mask, -100)
        out = policy.network(inputs_embeds=vectors, attention_mask=mask, labels=labels)
    expected = -out.loss * samples.mask.sum()
    torch.testing.assert_close(scores.sum(), expected, atol=1e-4, rtol=1e-5)


def test_words_stand_before_the_encoders_text(t5):
    policy = TextPolicy(t5, PromptText(2, 4.0), Decoding(5), seed=0)
    words = Control.text(["positive: 0.3; "] * 3)
    samples = policy.sample(PROMPTS, words, 0, [0] * 3)
    labels = samples.response.masked_fill(~samples.mask, -100)
    inputs = encoder_inputs(t5, [f"positive: 0.3; {p.text}" for p in PROMPTS])
    with torch.no_grad(), policy.mixed(words):
        out = policy.network(**inputs, labels=labels)
    expected = -out.loss * samples.mask.sum()
    torch.testing.assert_close(samples.log_probs.sum(), expected, atol=1e-4, rtol=1e-5)


TARGETS = {"t5": ["q", "v", "wo"], "t5-1.1": ["q", "v", "wi_0"], "bart": ["q_proj", "fc1"]}


def test_peft_adapters_become_banks(seq2seq, tmp_path):
    targets = TARGETS[seq2seq.name]
    expected = []
    inputs, begun = encoder_inputs(seq2seq), torch.tensor([[0, 5, 6, 7]] * 3)
    for i, rank in enumerate((3, 2)):
        torch.manual_seed(i)
        network = get_peft_model(
            copy.deepcopy(seq2seq.network),
            LoraConfig(task_type="SEQ_2_SEQ_LM", r=rank, lora_alpha=6, target_modules=targets),
        )
        for name, p in network.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(p, std=0.3)
        network.save_pretrained(tmp_path / str(i))
        merged = PeftModel.from_pretrained(copy.deepcopy(seq2seq.network), tmp_path / str(i))
        with torch.no_grad():
            plain = merged.merge_and_unload().eval()
            expected.append(plain(**inputs, decoder_input_ids=begun).logits)
    policy = TextPolicy(seq2seq, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [read_adapter(tmp_path / str(i)) for i in range(2)])
    for row, control in enumerate((Control.soup([[1.0, 0.0]] * 3), Control.bank([1] * 3))):
        with torch.no_grad(), policy.mixed(control):
            banked = policy.network(**inputs, decoder_input_ids=begun).logits
        torch.testing.assert_close(banked, expected[row], atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("scope", ["all", "head"])
def test_a_merged_model_is_saved_and_loads(seq2seq, scope, tmp_path):
    policy = TextPolicy(seq2seq, Banks(2, 2, 4.0, scope), Decoding(6), seed=0)
    for layer in policy.layers.values():
        for b in layer.B:
            torch.nn.init.normal_(b, std=0.3)
    mix = torch.tensor([1.5, -0.5])
    samples = policy.sample(PROMPTS, Control.soup(mix.repeat(3, 1)), 0, [0] * 3)
    policy.materialise(mix).save_pretrained(tmp_path)
    seq2seq.tokenizer.save_pretrained(tmp_path)
    loaded = load_model(str(tmp_path), CPU, torch.float32)
    assert type(loaded.network) is type(seq2seq.network) and loaded.encoder_decoder
    alone = TextPolicy(loaded, Unconditioned(), Decoding(6), seed=0)
    scores = alone.log_probs(samples, Control.start(3))
    torch.testing.assert_close(scores, samples.log_probs, atol=2e-5, rtol=1e-4)


def test_half_precision_samples_scores_and_trains(seq2seq):
    network = copy.deepcopy(seq2seq.network).bfloat16()
    half = LanguageModel(network, seq2seq.tokenizer, "half")
    policy = TextPolicy(half, Banks(2, 2, 4.0), Decoding(8), seed=0)
    control = Control.soup(torch.rand(3, 2))
    samples = policy.sample(PROMPTS, control, 0, [0] * 3)
    scores = policy.log_probs(samples, control)
    torch.testing.assert_close(scores, samples.log_probs, atol=0.3, rtol=0.1)
    scores.sum().backward()
    assert all(p.dtype == torch.float32 and p.grad is not None for p in policy.parameters())


def test_room_for_prompts(t5, seq2seq):
    assert t5.room(200) == 256  # nothing stated in the configuration: the tokenizer's word
    t5.network.config.n_positions = 512
    assert t5.room(200) == 512
    longer = LanguageModel(t5.network, t5.tokenizer, "t5", longest=1024)
    assert longer.room(200) == 1024  # relative positions: a task may ask for more
    if seq2seq.name == "bart":  # learned ones: it may not
        bart = LanguageModel(seq2seq.network, seq2seq.tokenizer, "bart", longest=1024)
        assert bart.room(100) == seq2seq.room(100) == 128
        assert bart.room(129) == 0  # the decoder's own


def test_long_prompts_beside_long_responses(t5):
    """A prompt and a response that together exceed what is stated: they are two texts."""
    prompt = Prompt("long", "Tom was a small bear. " * 40)
    assert 200 < len(t5.tokenizer(prompt.text).input_ids) <= 256
    policy = TextPolicy(t5, Unconditioned(), Decoding(80, min_new_tokens=80), seed=0)
    assert policy.sample([prompt], Control.start(1), 0, [0]).tokens >= 80
    twice = Prompt("long", prompt.text * 2)
    with pytest.raises(
        UsageError, match=r"prompt 'long' needs .* 80 new tokens leave room for only 256"
    ):
        policy.sample([twice], Control.start(1), 0, [0])


def test_a_decoder_without_a_first_token(t5, tmp_path):
    t5.network.save_pretrained(tmp_path)
    t5.tokenizer.save_pretrained(tmp_path)
    for name in ("config.json", "generation_config.json"):
        stated = json.loads((tmp_path / name).read_text())
        stated.pop("decoder_start_token_id", None)
        (tmp_path / name).write_text(json.dumps(stated))
    with pytest.raises(UsageError, match=r"has no decoder_start_token_id; set it in config\.json"):
        load_model(str(tmp_path), CPU, torch.float32)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json"])
def test_a_decoder_with_two_first_tokens(t5, tmp_path, name):
    """By one, transformers would train the model, and by the other, sample from it."""
    t5.network.save_pretrained(tmp_path)
    t5.tokenizer.save_pretrained(tmp_path)
    stated = json.loads((tmp_path / name).read_text())
    (tmp_path / name).write_text(json.dumps(stated | {"decoder_start_token_id": 5}))
    with pytest.raises(UsageError, match=r"decoder_start_token_id of .* use the same in both"):
        load_model(str(tmp_path), CPU, torch.float32)
