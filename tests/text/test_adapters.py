"""PEFT adapters in and out, against PEFT itself."""

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from paretosteer.conditioning import Unconditioned
from paretosteer.control import Control
from paretosteer.errors import UsageError
from paretosteer.text.adapters import add_adapters, read_adapter, write_adapter
from paretosteer.text.generate import Decoding
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt

PROMPTS = [Prompt("a", "Once upon a time,"), Prompt("b", "Lily was happy.")]
IDS = torch.tensor([[5, 6, 7, 8, 9]])


def trained_adapter(model, folder, kind="llama", **settings):
    """A PEFT LoRA with random factors, saved; returns PEFT's own logits."""
    import copy

    settings.setdefault("target_modules", ["c_attn"] if kind == "gpt2" else ["q_proj", "up_proj"])
    fan = {"fan_in_fan_out": True} if kind == "gpt2" else {}
    torch.manual_seed(settings.pop("seed", 0))
    network = get_peft_model(
        copy.deepcopy(model.network), LoraConfig(lora_alpha=6, **fan, **settings)
    )
    for name, p in network.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(p, std=0.3)
    network.save_pretrained(folder)
    with torch.no_grad():
        return network(IDS).logits


def logits(policy, coefficients):
    with torch.no_grad():
        return policy.materialise(torch.tensor(coefficients))(IDS).logits


@pytest.mark.parametrize("rslora", [False, True])
def test_a_peft_adapter_becomes_a_bank(model, tmp_path, rslora):
    expected = trained_adapter(model, tmp_path, model.name, r=3, use_rslora=rslora)
    policy = TextPolicy(model, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [read_adapter(tmp_path)])
    torch.testing.assert_close(logits(policy, [1.0]), expected, atol=1e-5, rtol=1e-4)


def test_adapters_of_different_rank_and_target_mix(llama, tmp_path):
    trained_adapter(llama, tmp_path / "a", r=3)
    trained_adapter(llama, tmp_path / "b", r=5, target_modules=["v_proj"], seed=1)
    policy = TextPolicy(llama, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [read_adapter(tmp_path / name) for name in "ab"])
    control = Control.soup([[0.4, -0.6], [1.5, 0.0]])
    samples = policy.sample(PROMPTS, control, 0, [0, 0])
    torch.testing.assert_close(
        policy.scores(samples, control), samples.log_probs, atol=1e-5, rtol=1e-4
    )
    only_a = TextPolicy(llama, Unconditioned(), Decoding(4), seed=0)
    add_adapters(only_a, [read_adapter(tmp_path / "a")])
    torch.testing.assert_close(logits(policy, [1.5, 0.0]), logits(only_a, [1.5]))


def test_a_soup_leaves_as_an_exact_peft_adapter(model, tmp_path):
    import copy

    targets = (
        [["c_attn"], ["c_attn"]] if model.name == "gpt2" else [["q_proj"], ["q_proj", "o_proj"]]
    )
    for i, target in enumerate(targets):
        trained_adapter(
            model, tmp_path / str(i), model.name, r=2 + i, target_modules=target, seed=i
        )
    policy = TextPolicy(model, Unconditioned(), Decoding(4), seed=0)
    add_adapters(policy, [read_adapter(tmp_path / str(i)) for i in range(2)])
    coefficients = torch.tensor([1.75, -0.75])
    write_adapter(policy, coefficients, tmp_path / "out", base="somewhere")
    loaded = PeftModel.from_pretrained(copy.deepcopy(model.network), tmp_path / "out")
    with torch.no_grad():
        found = loaded(IDS).logits
    torch.testing.assert_close(found, logits(policy, coefficients.tolist()), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "bias=all"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
    ],
)
def test_what_is_not_a_sum_of_deltas_is_refused_by_name(llama, tmp_path, settings, named):
    trained_adapter(llama, tmp_path, r=2, **settings)
    with pytest.raises(UsageError, match=named):
        read_adapter(tmp_path)


def test_an_adapter_of_another_model_names_both_shapes(llama, tmp_path):
    trained_adapter(llama, tmp_path, r=2)
    adapter = read_adapter(tmp_path)
    (name, (_, b, s)), *_ = adapter.layers.items()
    wrong = type(adapter)({name: (torch.zeros(2, 99), b, s)})
    policy = TextPolicy(llama, Unconditioned(), Decoding(4), seed=0)
    with pytest.raises(UsageError, match=r"24 x 99 in the adapter and 24 x 16 in the model"):
        add_adapters(policy, [wrong])


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(UsageError, match="give a PEFT folder"):
        read_adapter(tmp_path)
