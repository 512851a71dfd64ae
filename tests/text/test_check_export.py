"""Exports of one policy: loaded again before they are published, decoding as the policy does."""

from __future__ import annotations

import json
from pathlib import Path

import architectures
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from tiny_models import tiny_encoder_decoder, tiny_network
from tokenizers_made import like_gpt2, like_llama2, like_t5
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
)

from paretosteer.benchmarks.stories.tokenizer import build_tokenizer
from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.text import check_export as check_module
from paretosteer.text.check_export import check_export
from paretosteer.text.generate import Decoding
from paretosteer.text.generation_settings import unused_settings
from paretosteer.text.hf_export import write_policy
from paretosteer.text.model import load_model
from paretosteer.text.policy import TextPolicy
from paretosteer.text.read_tokenizer import read_alike
from paretosteer.text.samples import Prompt
from paretosteer.text.special_tokens import leave_bare, leave_open

CONTROL = Control.soup([[1.4, -0.4]])
TEXT = "Once upon a time, there was a cat."
FORCED = {"num_beams": 4, "no_repeat_ngram_size": 2, "repetition_penalty": 1.7, "min_length": 5}


def policy_of(network, folder: Path, length: int = 12, **generation) -> TextPolicy:
    """Trained-looking policy on a model folder with these generation settings."""
    tokenizer = build_tokenizer()
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    settings = {"eos_token_id": tokenizer.eos_token_id, **generation}
    GenerationConfig(pad_token_id=tokenizer.pad_token_id, **settings).save_pretrained(folder)
    model = load_model(str(folder), torch.device("cpu"), torch.float32)
    policy = TextPolicy(model, Banks(2, 2, 4.0), Decoding(length, temperature=0.0), seed=0)
    torch.manual_seed(1)
    for layer in policy.layers.values():
        for bank in range(layer.count):
            torch.nn.init.normal_(layer.parts(bank)["B"], std=0.5)
    return policy


def exported(policy: TextPolicy, form, folder: Path) -> Path:
    folder.mkdir()
    base = policy.network.config._name_or_path
    write_policy(policy, CONTROL, form, folder, base, final=folder)
    check_export(policy, CONTROL, form, folder, base)
    return folder


@pytest.mark.parametrize("form", ["model", "peft"])
@pytest.mark.parametrize("kind", ["llama", "bart"])
def test_generate_writes_what_the_policy_writes(tmp_path, kind, form):
    """Although the start model searches by beams and forces tokens."""
    tokenizer = build_tokenizer()
    if kind == "bart":
        network, auto = tiny_encoder_decoder(kind, tokenizer), AutoModelForSeq2SeqLM
        forced = {**FORCED, "forced_bos_token_id": 50, "suppress_tokens": [7]}
    else:
        network, auto, forced = tiny_network(kind, len(tokenizer)), AutoModelForCausalLM, FORCED
    policy_of(network, tmp_path / "plain")
    policy = policy_of(network, tmp_path / "start", **forced)
    written = policy.sample([Prompt("a", TEXT)], CONTROL, 0, [0])
    out = exported(policy, form, tmp_path / "out")
    plain = auto.from_pretrained(out if form == "model" else tmp_path / "start")
    if form == "peft":  # as the README of an adapter has it
        plain.generation_config = GenerationConfig.from_pretrained(out)
        plain = PeftModel.from_pretrained(plain, out)
    ids = policy.tokenizer(TEXT, return_tensors="pt").input_ids
    found = plain.generate(input_ids=ids, attention_mask=torch.ones_like(ids))[0]
    found = found[1:] if kind == "bart" else found[ids.shape[1] :]
    assert found.tolist() == written.response[0][written.mask[0]].tolist()
    settings = json.loads((out / "generation_config.json").read_text())
    assert not settings.keys() & forced.keys()
    (note,) = unused_settings(policy.model.network, str(tmp_path / "start"))
    assert all(name in note for name in forced)
    plain = tmp_path / "plain"
    assert not unused_settings(auto.from_pretrained(plain), str(plain))


@pytest.mark.parametrize(
    ("stated", "noted"),
    [
        ({"temperature": 0.2, "top_k": 3}, "temperature=0.2, top_k=3"),
        ({"temperature": 1.0, "top_k": 0, "top_p": 1.0}, None),  # as a policy is exported
        ({"forced_decoder_ids": [[1, 5]], "odd": 3}, "forced_decoder_ids=[[1, 5]], odd=3"),
        ({"odd": None, "_odd": 3}, None),
    ],
)
def test_stated_sampling_is_noted_where_it_changes_texts(tmp_path, stated, noted):
    network = tiny_network("llama", len(build_tokenizer()))
    policy = policy_of(network, tmp_path, do_sample=True, **stated)
    notes = unused_settings(policy.model.network, str(tmp_path))
    assert len(notes) == bool(noted)
    assert all(f"not used: {noted}." in note for note in notes)


@pytest.mark.parametrize(
    ("stated", "noted"),
    [
        ({"prefix": "say: "}, "prefix='say: '"),
        ({"task_specific_params": {"sum": {"prefix": "sum up: "}}}, "sum.prefix='sum up: '"),
        ({"prefix": "", "task_specific_params": {"text": {"do_sample": True}}}, None),
    ],
)
def test_texts_stated_for_before_a_prompt_are_noted(tmp_path, stated, noted):
    policy = policy_of(tiny_network("llama", len(build_tokenizer())), tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | stated))
    notes = unused_settings(policy.model.network, str(tmp_path))
    assert len(notes) == bool(noted)
    assert all(f"not used: {noted}." in note for note in notes)


def test_every_end_token_ends_an_answer_and_is_exported(tmp_path):
    tokenizer = build_tokenizer()
    network = tiny_network("llama", len(tokenizer))
    free = policy_of(network, tmp_path / "one", length=30)
    prompts, seeds = [Prompt(str(i), TEXT) for i in range(8)], [0] * 8
    free.decoding = Decoding(30)
    long = free.sample(prompts, CONTROL.take(torch.zeros(8, dtype=torch.long)), 0, seeds)
    stop = int(long.response[0, 3])
    ends = [tokenizer.eos_token_id, stop]
    policy = policy_of(network, tmp_path / "two", length=30, eos_token_id=ends)
    policy.decoding = Decoding(30)
    assert policy.model.ends == tuple(ends)
    short = policy.sample(prompts, CONTROL.take(torch.zeros(8, dtype=torch.long)), 0, seeds)
    for before, after, mask in zip(long.response, short.response, short.mask, strict=True):
        written = after[mask].tolist()
        assert written == before[: len(written)].tolist()  # same noise, stopped earlier
        assert not set(written[:-1]) & set(ends)
    assert int(short.mask[0].sum()) <= 4
    scored = policy.log_probs(short, CONTROL.take(torch.zeros(8, dtype=torch.long)))
    torch.testing.assert_close(scored, short.log_probs, atol=1e-4, rtol=1e-4)
    exported(policy, "model", tmp_path / "out")
    settings = json.loads((tmp_path / "out" / "generation_config.json").read_text())
    assert settings["eos_token_id"] == ends


def test_no_end_token_comes_before_the_least_length(tmp_path):
    tokenizer = build_tokenizer()
    ends = list(range(len(tokenizer) // 2))
    policy = policy_of(tiny_network("llama", len(tokenizer)), tmp_path / "m", eos_token_id=ends)
    policy.decoding = Decoding(12, min_new_tokens=6)
    samples = policy.sample([Prompt("a", TEXT)], CONTROL, 0, [0])
    assert int(samples.mask[0].sum()) >= 6


@pytest.mark.parametrize("form", ["model", "peft"])
@pytest.mark.parametrize("kind", ["glm4_moe", "qwen2_moe", "mixtral", "opt"])
def test_mixtures_of_experts_are_exported_in_both_forms(tmp_path, kind, form):
    """PEFT looks for the factors of some dense layers among the experts."""
    network = architectures.tiny_network(kind, build_tokenizer())
    exported(policy_of(network, tmp_path / "start"), form, tmp_path / "out")


@pytest.mark.parametrize("form", ["model", "peft"])
def test_an_export_that_differs_is_refused(tmp_path, form):
    policy = policy_of(tiny_network("llama", len(build_tokenizer())), tmp_path / "start")
    folder = exported(policy, form, tmp_path / "out")
    (file,) = folder.glob("*.safetensors")
    tensors = load_file(file)
    name = next(name for name in tensors if "down_proj" in name)
    save_file(tensors | {name: 1.1 * tensors[name]}, file, metadata={"format": "pt"})
    with pytest.raises(UsageError, match=f"--as {form}: the export, loaded again, gives other"):
        check_export(policy, CONTROL, form, folder, str(tmp_path / "start"))


@pytest.mark.parametrize("changed", ["pad_token", "add_bos_token", "chat_template"])
def test_an_export_whose_tokenizer_differs_is_refused(tmp_path, changed):
    policy = policy_of(tiny_network("llama", len(build_tokenizer())), tmp_path / "start")
    folder = exported(policy, "model", tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if changed == "pad_token":
        tokenizer.pad_token = "."  # an ordinary token, which decoding would leave out
    elif changed == "chat_template":
        tokenizer.chat_template = "{{ messages[0].content }}"
    else:
        leave_bare(tokenizer, str(folder))
    tokenizer.save_pretrained(folder)
    with pytest.raises(UsageError, match="reads or writes texts as other tokens than the policy"):
        check_export(policy, CONTROL, "model", folder, str(tmp_path / "start"))


@pytest.mark.parametrize("change", [leave_bare, leave_open])
@pytest.mark.parametrize("make", [like_t5, like_llama2, like_gpt2])
def test_a_tokenizer_that_was_changed_at_its_load_is_exported_so(tmp_path, make, change):
    tokenizer = make()
    change(tokenizer, "some/folder")
    tokenizer.save_pretrained(tmp_path)
    assert read_alike(tokenizer, AutoTokenizer.from_pretrained(tmp_path))


@pytest.mark.parametrize("broken", [["model"], ["model", "peft"]])
def test_the_other_form_is_advised_only_if_it_agrees(tmp_path, monkeypatch, broken):
    policy = policy_of(tiny_network("llama", len(build_tokenizer())), tmp_path / "start")
    made = check_module._loaded

    def damaged(policy, form, folder, base):
        network = made(policy, form, folder, base)
        if form in broken:
            next(network.parameters()).data.mul_(1.5)
        return network

    monkeypatch.setattr(check_module, "_loaded", damaged)
    remedy = "use --as peft, which agrees" if broken == ["model"] else "use `paretosteer sample`"
    with pytest.raises(UsageError, match=rf"--as model: .*differ by .*; {remedy}$"):
        exported(policy, "model", tmp_path / "out")
    assert not list((tmp_path / "out").glob("tmp*"))
