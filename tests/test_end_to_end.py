"""The whole path at the smoke budget, through the command line's own `main`."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paretosteer import leaderboard, load_cells
from paretosteer.cells.record import read_record
from paretosteer.commands.main import main
from paretosteer.plugins import registry

METHODS = ["rewarded_soup", "bone_soup", "clp", "cos_dpo", "interpolation", "morl", "start"]
FIRST = [
    *("table", "benchmark", "model", "method", "variant", "seeds", "status", "hypervolume"),
    *("hypervolume_low", "hypervolume_high", "hypervolume_ratio", "ratio_to", "controllability"),
    *("utility_loss", "steering_regret", "oracle_regret", "dominated_by", "train_steps"),
    *("train_tokens", "stored_bytes", "switch_seconds", "kl"),
]


def sweep(folder: Path, *overrides: str) -> int:
    return main(["sweep", "budget=smoke", f"sweep_dir={folder}", *overrides])


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sweep over every method."""
    folder = tmp_path_factory.mktemp("sweep")
    assert sweep(folder, f"method={','.join(METHODS)}") == 0
    return folder


def cell(folder: Path, method: str) -> Path:
    (found,) = (folder / "stories" / method).glob("seed0-*")
    return found


def test_the_leaderboard_has_every_method_and_the_contracted_columns(swept: Path) -> None:
    board = pd.read_csv(swept / "report" / "leaderboard.csv")
    assert list(board.columns[: len(FIRST)]) == FIRST
    assert sorted(board["method"]) == sorted(METHODS)
    assert set(board["status"]) == {"ok"} and set(board["table"]) == {1}
    files = {path.name for path in (swept / "report").iterdir()}
    assert {
        "leaderboard.csv",
        "leaderboard.md",
        "leaderboard.tex",
        "report.json",
        "index.html",
        "figures",
    } <= files


def test_the_budget_is_a_cap_and_morl_is_exempt(swept: Path) -> None:
    steps = load_cells(swept).set_index("method")["cost.train_steps"]
    assert (steps.drop(["morl", "start"]) == 4).all()
    assert steps["morl"] == 4 * 6 and steps["start"] == 0


def test_a_cell_has_the_contracted_files_and_a_valid_record(swept: Path) -> None:
    folder = cell(swept, "clp")
    record = read_record(folder)
    assert record.status == "ok" and folder.name == f"seed0-{record.identity}"
    assert {"config.yaml", "checkpoint", "training.csv", "samples.jsonl", "scores.parquet"} <= {
        path.name for path in folder.iterdir()
    }
    scores = pd.read_parquet(folder / "scores.parquet")
    assert list(scores.columns) == ["point", "prompt_id", "sample", "positive", "varied"]
    assert len(scores) == record.n_total == 11 * 4
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert set(lines[0]) == {"point", "prompt_id", "sample", "prompt", "text"}
    for method in METHODS:
        log = pd.read_csv(cell(swept, method) / "training.csv")
        assert {"step", "loss", "positive", "varied", "kl", "tokens", "seconds"} <= set(log.columns)
    assert not list(swept.rglob("*.pkl")) and not list(swept.rglob("*.bin"))


def test_a_second_sweep_repeats_nothing(swept: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in swept.rglob("record.json")}
    assert sweep(swept, "method=clp,start") == 0
    assert {path: path.stat().st_mtime_ns for path in swept.rglob("record.json")} == before
    assert "finished before, reused" in capfd.readouterr().err


def test_the_same_command_gives_the_same_scores(swept: Path, tmp_path: Path) -> None:
    assert main(["run", "budget=smoke", f"sweep_dir={tmp_path}", "method=clp"]) == 0
    one, two = (pd.read_parquet(cell(f, "clp") / "scores.parquet") for f in (swept, tmp_path))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_another_batch_size_gives_the_same_samples(swept: Path, tmp_path: Path) -> None:
    assert (
        main(["run", "budget=smoke", f"sweep_dir={tmp_path}", "method=clp", "budget.eval_rows=7"])
        == 0
    )
    texts = [
        [
            json.loads(line)["text"]
            for line in (cell(f, "clp") / "samples.jsonl").read_text().splitlines()
        ]
        for f in (swept, tmp_path)
    ]
    same = np.mean([a == b for a, b in zip(*texts, strict=True)])
    assert same > 0.95  # all but floating-point ties


def test_a_new_grid_samples_again_but_trains_nothing(
    swept: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import shutil

    shutil.copytree(swept / "stories" / "clp", tmp_path / "stories" / "clp")
    trained = (cell(tmp_path, "clp") / "training.csv").stat().st_mtime_ns
    command = [
        "run",
        "budget=smoke",
        f"sweep_dir={tmp_path}",
        "method=clp",
        "preferences.divisions=4",
    ]
    assert main(command) == 0
    assert "training is finished, not repeated" in capfd.readouterr().err
    assert (cell(tmp_path, "clp") / "training.csv").stat().st_mtime_ns == trained
    assert len(read_record(cell(tmp_path, "clp")).points) == 5


def test_every_row_of_the_start_model_is_the_same(swept: Path) -> None:
    row = leaderboard(swept).set_index("method").loc["start"]
    assert row["controllability"] == 0 and row["steering_regret"] == 0
    assert row["train_steps"] == 0 and abs(row["kl"]) < 1e-3


@pytest.mark.slow
def test_every_variant_runs(tmp_path: Path) -> None:
    assert sweep(tmp_path, "method=clp", "method.variant=attention,logit,prompt") == 0
    assert sweep(tmp_path, "method=cos_dpo", "method.variant=temperature") == 0
    assert sweep(tmp_path, "method=cos_dpo", "method.condition=banks,none") == 0
    board = leaderboard(tmp_path)
    assert set(board["variant"]) == {
        *("attention", "logit", "prompt", "temperature"),
        *("weight, condition=banks", "weight, condition=none"),
    }
    none = board.set_index("variant").loc["weight, condition=none"]
    assert none["controllability"] == 0 and none["steering_regret"] == 0
    record = read_record(next((tmp_path / "stories" / "cos_dpo").glob("*/record.json")).parent)
    dials = [p["dials"] for c in load_cells(tmp_path, records=True)["record"] for p in c["points"]]
    assert {"temperature": 2.0} in dials and record.status == "ok"


def test_a_reward_that_raises_fails_the_cell_and_the_sweep_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    def broken(text: str) -> float:
        raise RuntimeError("no score today")

    offer = registry.find("objectives", "readable")
    assert offer is not None
    changed = replace(offer.load(), score=broken, version="broken")
    monkeypatch.setitem(offer.__dict__, "_loaded", changed)
    words = "benchmark.objectives=[positive,varied],[varied,readable]"
    assert sweep(tmp_path, "method=start", words) == 1
    cells = load_cells(tmp_path, records=True)
    assert sorted(cells["status"]) == ["failed", "ok"]
    failed = cells[cells["status"] == "failed"].iloc[0]["record"]
    assert failed["error"]["type"] == "ScoringError"
    assert "could not be scored by readable" in failed["error"]["message"]
    assert "failed" in (tmp_path / "report" / "index.html").read_text()


def test_texts_with_any_separator_of_lines_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretosteer.benchmarks.stories.benchmark import Stories

    def described(self: Stories, samples: object) -> list[dict[str, str]]:
        texts = samples.texts  # type: ignore[attr-defined]
        return [{"prompt": "p", "text": f"one\u2028two\x85{text}\r"} for text in texts]

    monkeypatch.setattr(Stories, "describe", described)
    assert main(["run", "budget=smoke", f"sweep_dir={tmp_path}", "method=start"]) == 0


def test_a_benchmark_without_the_feedback_makes_the_method_unsupported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretosteer.benchmarks.stories.benchmark import Stories

    monkeypatch.setattr(Stories, "feedback", {"reward": "scores"})
    assert sweep(tmp_path, "method=cos_dpo,start") == 0  # not a failure
    cells = load_cells(tmp_path, records=True).set_index("method")
    assert cells.loc["cos_dpo", "status"] == "unsupported"
    assert "gives no preference feedback" in cells.loc["cos_dpo", "record"]["reason"]
    assert not (cell(tmp_path, "cos_dpo") / "training.csv").exists()


def test_a_tracker_is_told_of_steps_and_of_a_cell_with_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paretosteer.sweeps import sweep as sweeps

    seen: dict[str, list[object]] = {"log": [], "cell": [], "finish": []}

    class Recorder:
        def start(self, config: object, folder: Path, key: str, title: str) -> None:
            assert title
            assert folder.name.endswith(key.partition("-")[0])

        def cell(self, folder: Path) -> None:
            seen["cell"].append(json.loads((folder / "record.json").read_text())["status"])

        def __getattr__(self, name: str) -> object:
            return lambda *values: seen[name].append(values)

    monkeypatch.setattr(sweeps, "make_tracker", lambda settings: Recorder())
    assert main(["run", "budget=smoke", f"sweep_dir={tmp_path}", "method=rewarded_soup"]) == 0
    assert [step for step, _ in seen["log"]] == [1, 2, 3, 4]  # type: ignore[misc]
    assert seen["cell"] == ["ok"]
    assert len(seen["finish"]) == 1


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["method=clp", "method.variant=fool"], "method.variant"),
        (["method=bone_soup", "method.beta=0.5"], "method.beta: 0.5 with 2 objectives"),
        (["method=clp", "method.concentration=0.0"], "found 0.0, expected above 0"),
        (["method.epochs=0"], "method.epochs: found 0, expected at least 1"),
        (["method=bone_soup", "method.betas=[]"], "method.betas"),
        (["preferences=file", "preferences.path=./none.txt"], "preferences.path"),
        (["device=mps"], "device: found 'mps'"),
        (["benchmark.objectives=[positive]"], "benchmark.objectives"),
        (["benchmark.objectives=[positive,vary]"], "did you mean 'varied'?"),
        (["benchmark.max_new_tokens=400"], "benchmark.max_new_tokens"),
        (["model=hf", "model.path=./nowhere"], "model.path: the folder './nowhere' does not exist"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    tmp_path: Path, overrides: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "budget=smoke", f"sweep_dir={tmp_path}", *overrides]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("paretosteer: ") and message in last
    assert not list(tmp_path.rglob("record.json"))


@pytest.mark.slow
def test_a_real_language_model(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "stories260k"
    assert sweep(tmp_path, "method=rewarded_soup,cos_dpo", "model=hf", f"model.path={path}") == 0
    board = leaderboard(tmp_path)
    assert set(board["model"]) == {"stories260k"} and set(board["status"]) == {"ok"}
    (first, *_) = (cell(tmp_path, "rewarded_soup") / "samples.jsonl").read_text().splitlines()
    assert len(json.loads(first)["text"].split()) > 5
