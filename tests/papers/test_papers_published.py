"""The published settings, as a user's cell gets them."""

import pytest
from test_papers_tasks import overrides

from paretosteer.cells.plan import plan_cell
from paretosteer.plugins import registry
from paretosteer.policies.conditioning import Banks
from paretosteer.sweeps.compose import compose_cell, compose_sweep
from paretosteer.text.generate import Decoding
from paretosteer.text.policy import TextPolicy


def test_policy_gradient_with_the_published_lora_and_batch():
    for task in ("helpful_assistant", "reddit_summary"):
        cells = compose_sweep([f"experiment={task}"])
        assert [cell.method.name for cell in cells] == ["rewarded_soup", "bone_soup", "clp"]
        for cell in cells:
            method = cell.method.values
            assert (method["rank"], method["alpha"], method["dropout"]) == (64, 128.0, 0.05)
            assert cell.budget.prompts * cell.budget.samples == 64
            assert cell.model.path == "meta-llama/Llama-2-7b-hf"
    assert compose_sweep(["experiment=long_form_qa"])[0].method.values["epochs"] == 4


@pytest.mark.parametrize(("task", "kappa"), [("helpful_assistant", 0.2), ("long_form_qa", 0.3)])
def test_step_size_and_kl_are_the_tasks_own(task, kappa, hub):
    plan = plan_cell(compose_cell([*overrides(hub, task), "method=clp"]))
    assert plan.config.method.values["learning_rate"] == 1e-5
    assert plan.config.method.values["kappa"] == kappa


def test_decoding_and_lengths(make_task):
    lengths = {"helpful_assistant": 128, "reddit_summary": 48, "long_form_qa": 200}
    for task, longest in lengths.items():
        assert registry.load("benchmarks", task).Options().max_new_tokens == longest
    qa = make_task("long_form_qa", "benchmark.max_new_tokens=9")
    assert qa.decodings() == (Decoding(9, 1, 0.7, 20), Decoding(9, 1, 0.0))
    assistant = make_task("helpful_assistant", "benchmark.max_new_tokens=9")
    assert assistant.decodings() == (Decoding(9, 1, 0.7), None)


def test_interpolation_on_q_k_v_and_o(make_task):
    (cell,) = compose_sweep(["experiment=continuous_interpolation"])
    method = cell.method.values
    assert (method["rank"], method["scope"], method["learning_rate"]) == (32, "attention", 1.4e-4)
    assert cell.benchmark.values["max_new_tokens"] == 128
    world = make_task("helpful_assistant")
    kind = registry.load("methods", "interpolation")
    banks = kind(kind.Options(scope="attention", dropout=0.1)).conditioning(3)
    assert isinstance(banks, Banks) and banks.dropout == 0.1 and banks.count == 6
    policy = world.start_policy(banks, seed=0)
    assert isinstance(policy, TextPolicy) and policy.active.dropout == 0.1
    assert {name.rpartition(".")[2] for name in policy.layers} == {
        *("q_proj", "k_proj", "v_proj", "o_proj")
    }


def test_every_trained_method_hands_its_dropout_on(make_task):
    for name in ("rewarded_soup", "bone_soup", "clp", "cos_dpo", "interpolation", "morl"):
        kind = registry.load("methods", name)
        assert kind(kind.Options(dropout=0.2)).conditioning(2).dropout == 0.2
    clp = registry.load("methods", "clp")
    assert clp(clp.Options(variant="prompt", dropout=0.2)).conditioning(2).dropout == 0.2
    cos_dpo = registry.load("methods", "cos_dpo")
    assert cos_dpo(cos_dpo.Options(condition="banks", dropout=0.2)).conditioning(2).dropout == 0.2
