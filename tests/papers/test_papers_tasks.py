"""Every published task from data to record, on stand-ins in the published forms."""

import json

import numpy as np
import pandas as pd
import pytest

from paretosteer.cells.plan import plan_cell
from paretosteer.cells.record import read_record
from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.sweeps.compose import compose_cell

# What stands in for each hub name: the option, and where the stand-in is.
TASKS = {
    "helpful_assistant": (
        "bone_soup",
        "meta-llama/Llama-2-7b-hf",
        "Anthropic/hh-rlhf",
        {
            "helpful": "Ray2333/gpt2-large-helpful-reward_model",
            "harmless": "Ray2333/gpt2-large-harmless-reward_model",
            "humour": "mohameddhiab/humor-no-humor",
        },
    ),
    "reddit_summary": (
        "clp",
        "meta-llama/Llama-2-7b-hf",
        "openai/summarize_from_feedback/comparisons",
        {
            "preferred": "Tristan/gpt2_reward_summarization",
            "liked": "OpenAssistant/reward-model-deberta-v3-large-v2",
            "faithful": "CogComp/bart-faithful-summary-detector",
        },
    ),
    "long_form_qa": (
        "rewarded_soup",
        "google-t5/t5-large",
        "qa_feedback/data",
        {"relevance": "rel_rm", "factuality": "fact_rm", "completeness": "comp_rm"},
    ),
    "safe_rlhf": (
        "interpolation",
        "PKU-Alignment/alpaca-7b-reproduced",
        "PKU-Alignment/PKU-SafeRLHF",
        {
            "helpful": "PKU-Alignment/beaver-7b-v1.0-reward",
            "safe": "PKU-Alignment/beaver-7b-v1.0-cost",
        },
    ),
    "xsum": (
        "rewarded_soup",
        "google-t5/t5-large",
        "EdinburghNLP/xsum/default",
        {"faithful": "CogComp/bart-faithful-summary-detector"},
    ),
    "nli_summary": (
        "cos_dpo",
        "google-t5/t5-large",
        "EdinburghNLP/xsum/default",
        {
            "entailed": "MoritzLaurer/DeBERTa-v3-base-mnli-fever-anli",
            "preferred": "Tristan/gpt2_reward_summarization",
        },
    ),
}
TINY = [
    *("budget=smoke", "budget.steps=2", "preferences.divisions=1", "method.rank=2"),
    *("benchmark.pool_prompts=4", "benchmark.evaluation_prompts=4", "budget.test_samples=2"),
    *("benchmark.train_prompts=12", "benchmark.max_prompt_tokens=200", "method.dropout=0.05"),
]

LONGER = {"long_form_qa": 60, "xsum": 40}  # what they measure is rare in random letters


def overrides(hub, task):
    method, start, data, rewards = TASKS[task]
    yield from (f"benchmark={task}", f"method={method}", "model=hf", f"model.path={hub / start}")
    yield from ("model.pad_token=eos",) if "Llama-2" in start else ()
    yield f"benchmark.data={hub / data}"
    yield from (f"benchmark.rewards.{name}.path={hub / path}" for name, path in rewards.items())
    yield from TINY
    yield f"benchmark.max_new_tokens={LONGER.get(task, 8)}"


@pytest.mark.parametrize("task", TASKS)
def test_a_task_runs_from_data_to_record(task, hub, tmp_path):
    assert main(["run", f"sweep_dir={tmp_path}", *overrides(hub, task)]) == 0
    (cell,) = (tmp_path / task / TASKS[task][0]).glob("seed0-*")
    record = read_record(cell)
    assert record.status == "ok", record.explanation
    names = record.objective_names
    scores = pd.read_parquet(cell / "scores.parquet")
    assert list(scores.columns[3:]) == names
    assert record.n_failed == 0 and np.isfinite(scores[names]).all(axis=None)
    assert min(record.normaliser.std) > 0  # the reward models tell answers apart
    assert any("Prompts from" in note for note in record.notes)
    with (cell / "samples.jsonl").open(encoding="utf-8", newline="\n") as lines:
        shown = pd.DataFrame([json.loads(line) for line in lines])
    assert shown["prompt"].str.contains(PROMPTS[task], regex=False).all()
    different = shown.groupby(["point", "prompt_id"])["text"].nunique()
    assert different.max() == (1 if task == "long_form_qa" else 2)  # greedy as published, or drawn


def test_one_reward_model_for_two_objectives_is_refused(hub):
    given = [each for each in overrides(hub, "safe_rlhf") if "rewards.safe" not in each]
    path = next(each.partition("=")[2] for each in given if "rewards.helpful" in each)
    safe = "benchmark.rewards.safe"
    cell = compose_cell([*given, f"{safe}.path={path}", f"{safe}.sign=1", f"+{safe}.std=2.0"])
    with pytest.raises(UsageError, match=r"rewards\.safe: the same as benchmark\.rewards\.help"):
        plan_cell(cell)


PROMPTS = {
    "helpful_assistant": "?\n\nAssistant:",
    "reddit_summary": "### Instruction: Generate a one-sentence summary of this post. ### Input: I",
    "long_form_qa": "question: How long does dish",
    "safe_rlhf": "BEGINNING OF CONVERSATION: USER: How do I cook dish",
    "xsum": "summarize: A cook has made",
    "nli_summary": "summarize: A cook has made",
}
