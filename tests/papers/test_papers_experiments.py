"""Experiments of published comparisons, from the command to the leaderboard, on stand-ins."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from paper_rows import safe_rlhf, write_lines
from paper_standins import save_model

from paretosteer.commands.main import main
from paretosteer.sweeps.compose import compose_sweep

TINY = ["budget=smoke", "budget.steps=2", "method.rank=2", "dtype=float32", "threads=1"]
TASK = ["benchmark.train_prompts=12", "benchmark.evaluation_prompts=4"]
FEATURES = 136


@pytest.fixture(scope="module")
def chat(tmp_path_factory):
    """Stand-in for Llama-2-7B-chat."""
    folder = tmp_path_factory.mktemp("chat")
    save_model("meta-llama/Llama-2-7b-hf", folder)
    return folder


def swept(experiment):
    """Values of `method` in an experiment's grid."""
    text = (Path(str(files("paretosteer.conf"))) / f"experiment/{experiment}.yaml").read_text()
    return yaml.safe_load(text)["hydra"]["sweeper"]["params"]["method"].split(",")


def leaderboard(folder, experiment, *further):
    """Leaderboard of an experiment on stand-ins."""
    command = ["sweep", f"experiment={experiment}", f"sweep_dir={folder}", *TINY, *further]
    assert main(command) == 0
    board = pd.read_csv(folder / "report" / "leaderboard.csv")
    assert set(board["status"]) == {"ok"}
    return board


def rewards(hub, **paths):
    return [f"benchmark.rewards.{name}.path={hub / path}" for name, path in paths.items()]


def test_parm_safety(hub, tmp_path):
    data = tmp_path / "PKU-SafeRLHF-10K"
    write_lines(data / "train.jsonl", [safe_rlhf(i) for i in range(120)])
    board = leaderboard(
        tmp_path / "out",
        "parm_safety",
        "method=genarm,parm",
        f"model.path={hub / 'PKU-Alignment/alpaca-7b-reproduced'}",
        f"benchmark.data.path={data}",
        "benchmark.max_new_tokens=8",
        "report.raw_reference=[-99,-99]",
        *TASK,
        *rewards(
            hub,
            helpful="PKU-Alignment/beaver-7b-v1.0-reward",
            safe="PKU-Alignment/beaver-7b-v1.0-cost",
        ),
    )
    assert board["points"].tolist() == [11, 11]
    assert np.isfinite(board[["mip_raw", "hypervolume_raw"]].to_numpy()).all()


@pytest.mark.slow
def test_parm_assistant(hub, chat, tmp_path):
    board = leaderboard(
        tmp_path / "out",
        "parm_assistant",
        "method=parm",
        f"method.reward_model={hub / 'TinyLlama/TinyLlama-1.1B-Chat-v1.0'}",
        f"model.path={chat}",
        f"benchmark.data={hub / 'Anthropic/hh-rlhf'}",
        "benchmark.max_new_tokens=8",
        "benchmark.max_prompt_tokens=200",
        *TASK,
        *rewards(
            hub,
            helpful="Ray2333/gpt2-large-helpful-reward_model",
            harmless="Ray2333/gpt2-large-harmless-reward_model",
            humour="mohameddhiab/humor-no-humor",
        ),
    )
    assert board["points"].tolist() == [36]
    # Six slots around the queries, keys and values of a model of width 8, and the matrices between.
    assert board["trained_parameters"].tolist() == [6 * (3 * 16) + 3 * (16 + 3 * 4)]


@pytest.fixture(scope="module")
def mslr(tmp_path_factory):
    """Stand-in for MSLR-WEB10K: one fold."""
    rng = np.random.default_rng(0)
    fold = tmp_path_factory.mktemp("MSLR") / "Fold1"
    fold.mkdir()
    for number, (name, queries) in enumerate((("train", 12), ("vali", 4), ("test", 4))):
        lines = []
        for query in range(queries):
            for label in (0, 1, 2, *rng.integers(0, 5, size=4)):
                values = enumerate(rng.integers(0, 1000, size=FEATURES), start=1)
                features = " ".join(f"{i}:{value}" for i, value in values)
                lines.append(f"{label} qid:{100 * number + query} {features}")
        (fold / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return fold.parent


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(method, marks=[] if method == "cos_dpo" else pytest.mark.slow)
        for method in swept("cos_dpo_mslr")
    ],
)
def test_cos_dpo_mslr(mslr, tmp_path, method):
    board = leaderboard(
        tmp_path / "out", "cos_dpo_mslr", f"method={method}", f"benchmark.path={mslr}"
    )
    assert board["points"].tolist() == [11]
    assert board["auxiliary_hypervolume"][0] > 0 and 0 < board["main_objective"][0] < 1


@pytest.mark.slow
def test_cos_dpo_safe(hub, tmp_path):
    rows = [safe_rlhf(i) | {"better_response_id": i % 2} for i in range(200)]
    write_lines(tmp_path / "pairs.jsonl", rows)
    methods = swept("cos_dpo_safe")
    board = leaderboard(
        tmp_path / "out",
        "cos_dpo_safe",
        f"method={','.join(methods)}",
        f"model.path={hub / 'PKU-Alignment/alpaca-7b-reproduced'}",
        f"benchmark.pairs.helpful.path={tmp_path / 'pairs.jsonl'}",
        f"benchmark.pairs.harmless.path={tmp_path / 'pairs.jsonl'}",
        "benchmark.max_new_tokens=8",
        "benchmark.evaluation_prompts=6",
    )
    assert board["points"].tolist() == [11] * len(methods)
    losses = board[["negative_dpo_loss_helpful", "negative_dpo_loss_harmless"]].to_numpy()
    assert (abs(losses + np.log(2)) < 0.5).all()
    assert (board["hypervolume_dpo_loss"] > 0).all()


def test_settings_are_the_published_ones():
    for cell in compose_sweep(["experiment=parm_safety"]):
        options = cell.benchmark.values
        assert cell.model.path == "PKU-Alignment/alpaca-7b-reproduced" and options["greedy"]
        assert cell.method.values["beta_dpo"] == 0.01
        assert (cell.budget.prompts, cell.budget.steps) == (32, 500)
        assert options["data"] == {"path": "PKU-Alignment/PKU-SafeRLHF-10K", "split": "train"}
    for cell in compose_sweep(["experiment=parm_assistant"]):
        assert cell.preferences.name == "parm36" and cell.benchmark.values["greedy"]
        assert cell.method.values["beta_dpo"] == 0.001
        assert (cell.budget.prompts, cell.budget.steps) == (32, 312)
        assert cell.method.values["reward_model"] == "TinyLlama/TinyLlama-1.1B-Chat-v1.0"
    for name in ("parm_safety", "parm_assistant"):
        for cell in compose_sweep([f"experiment={name}"]):
            options = cell.method.values
            assert (options["scope"], options["learning_rate"]) == ("qkv", 5e-4)
    baselines = ["method=rewarded_soup,mod", "method.beta_dpo=null", "method.learning_rate=null"]
    removed = ["~method.scope", "~method.reward_model"]
    for cell in compose_sweep(["experiment=parm_assistant", *baselines, *removed]):
        assert not {"scope", "reward_model"} & set(cell.method.values)
    for cell in compose_sweep(["experiment=cos_dpo_mslr", "benchmark.path=somewhere"]):
        options = cell.benchmark.values
        columns = [int(entry.partition(":")[2]) for entry in options["auxiliary"]]
        assert columns == [132, 133, 134, 135, 136]
        assert options["hidden"] == [128, 128] and options["attention"]
        assert cell.method.values.get("feedback", "preference") == "preference"
    for cell in compose_sweep(["experiment=cos_dpo_safe"]):
        options = cell.method.values
        assert options["beta_dpo"] == 0.1 and options["feedback"] == "preference"
        assert (options["rank"], options["alpha"]) == (4, 8)
        assert options.get("prompt_tokens", options.get("tokens")) == 8
