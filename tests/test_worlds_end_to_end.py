"""The bandit and the ranking benchmark through the command line: every method, folds, resuming."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paretosteer import leaderboard, load_cells, load_points
from paretosteer.cells.record import read_record
from paretosteer.commands.main import main

METHODS = ["rewarded_soup", "bone_soup", "clp", "cos_dpo", "interpolation", "morl", "start"]


def sweep(folder: Path, *overrides: str) -> int:
    return main(["sweep", "budget=smoke", f"sweep_dir={folder}", *overrides])


@pytest.fixture(scope="module")
def bandit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every method, and one variant that a table cannot carry."""
    folder = tmp_path_factory.mktemp("bandit")
    assert sweep(folder, f"method={','.join(METHODS)}", "benchmark=bandit") == 0
    assert sweep(folder, "method=clp", "method.variant=prompt", "benchmark=bandit") == 0
    return folder


@pytest.fixture(scope="module")
def ranking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every method on one fold, two of them on another one too."""
    folder = tmp_path_factory.mktemp("ranking")
    assert sweep(folder, f"method={','.join(METHODS)}", "benchmark=ranking") == 0
    assert sweep(folder, "method=clp,cos_dpo", "benchmark=ranking", "benchmark.fold=2") == 0
    return folder


def test_the_oracle_measures_every_method_of_the_bandit(bandit: Path) -> None:
    board = leaderboard(bandit).set_index("method")
    scored = board[board["status"] == "ok"]
    assert set(scored.index) == set(METHODS)
    assert set(scored["ratio_to"]) == {"oracle"}
    assert scored.loc["start", "oracle_regret"] == pytest.approx(1, abs=1e-5)
    # After 20 steps COS-DPO's network, which starts from scratch, has not caught up yet.
    others = scored.drop(["interpolation", "cos_dpo"])
    assert (others["oracle_regret"] <= 1 + 1e-5).all() and scored["oracle_regret"].max() < 1.5
    assert (scored["hypervolume_ratio"] < 1).all()
    assert (bandit / "report" / "figures" / "regret-1.svg").is_file()


def test_what_a_world_cannot_give_is_unsupported_with_the_reason(bandit: Path) -> None:
    cells = load_cells(bandit)
    (refused,) = cells[cells["status"] == "unsupported"]["reason"]
    assert "no text prompt to which a preference could be added" in refused


def test_points_of_the_bandit_are_regularised(bandit: Path) -> None:
    (folder,) = (bandit / "bandit" / "clp").glob("seed0-*/checkpoint/..")
    record = read_record(folder)
    scores = pd.read_parquet(folder / "scores.parquet").groupby("point").mean(numeric_only=True)
    kl = pd.read_parquet(folder / "drift.parquet").groupby("point")["kl"].mean()
    mean, std = record.normaliser.mean, record.normaliser.std
    z = (scores[["reward_1", "reward_2"]] - mean) / std
    expected = z.sub(record.kl_coefficient * kl, axis=0)
    points = load_points(bandit)
    own = points[points["path"].map(lambda p: Path(p).samefile(folder))]
    found = own.pivot(index="point", columns="objective", values="value")
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_a_bandit_and_ranking_record_follow_the_schema(bandit: Path, ranking: Path) -> None:
    for record_file in [*bandit.rglob("record.json"), *ranking.rglob("record.json")]:
        record = read_record(record_file.parent)
        assert record.exempt is (record.method == "morl")
        assert record.config["budget"]["steps"] is not None  # the benchmark's, spelled out


def test_the_reproducing_command_finds_its_own_cell(
    bandit: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The benchmark's defaults, spelled out, give the same digests and label."""
    (folder,) = (bandit / "bandit" / "bone_soup").glob("seed0-*")
    record = read_record(folder)
    import shlex

    assert main(shlex.split(record.command)[1:]) == 0
    assert "finished before, reused" in capfd.readouterr().err
    assert len(list((bandit / "bandit" / "bone_soup").glob("seed0-*"))) == 1


def test_folds_are_replicates_of_one_row(ranking: Path) -> None:
    board = leaderboard(ranking).set_index("method")
    assert set(board["table"]) == {1}
    assert board.loc["clp", "folds"] == 2 and board.loc["clp", "seeds"] == 1
    assert board.loc["morl", "folds"] == 1
    report = json.loads((ranking / "report" / "report.json").read_text())
    notes = " ".join(report["tables"][0]["notes"])
    assert "Fold 1: " in notes and "Fold 2: " in notes
    assert "queries left out: " in notes and "with no positive relevance" in notes


def test_a_second_sweep_over_a_fold_repeats_nothing(
    ranking: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in ranking.rglob("record.json")}
    assert sweep(ranking, "method=clp", "benchmark=ranking", "benchmark.fold=2") == 0
    assert {path: path.stat().st_mtime_ns for path in ranking.rglob("record.json")} == before
    assert "finished before, reused" in capfd.readouterr().err


def test_the_same_command_gives_the_same_scores(ranking: Path, tmp_path: Path) -> None:
    command = ["run", "budget=smoke", f"sweep_dir={tmp_path}", "method=clp", "benchmark=ranking"]
    assert main([*command, "budget.eval_rows=7"]) == 0
    (again,) = (tmp_path / "ranking" / "clp").glob("seed0-*")
    first = ranking / "ranking" / "clp" / again.name
    one, two = (pd.read_parquet(folder / "scores.parquet") for folder in (first, again))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.slow
def test_a_folder_in_mslr_form_is_read(tmp_path: Path) -> None:
    """136 features in Fold1 … with train, vali and test; the auxiliary columns 132 and 133."""
    data = tmp_path / "MSLR"
    rng = np.random.default_rng(0)
    qid = 0
    for fold in (1, 2):
        (data / f"Fold{fold}").mkdir(parents=True)
        for split, queries in (("train", 12), ("vali", 4), ("test", 4)):
            lines = []
            for _ in range(queries):
                qid += 1
                for label in (0, 1, 2, *rng.integers(0, 5, size=4)):
                    x = rng.integers(0, 1000, size=136)
                    x[0] = 100 * label
                    pairs = " ".join(f"{i}:{value}" for i, value in enumerate(x, start=1))
                    lines.append(f"{label} qid:{qid} {pairs}")
            (data / f"Fold{fold}" / f"{split}.txt").write_text("\n".join(lines) + "\n")
    where = [f"benchmark.path={data}", "benchmark.fold=1,2", "experiment=mslr"]
    assert sweep(tmp_path / "out", "method=cos_dpo", *where) == 0
    cells = load_cells(tmp_path / "out", records=True)
    assert set(cells["status"]) == {"ok"} and len(cells) == 2
    names = [objective["name"] for objective in cells["record"][0]["objectives"]]
    assert names == ["relevance", "quality", "quality2", "query_url_clicks", "url_clicks", "dwell"]


def test_a_bad_line_stops_the_sweep_with_file_and_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train.txt", "vali.txt", "test.txt"):
        (tmp_path / name).write_text("0 qid:1 1:0.5 2:0.5\n1.5 qid:1 1:0.5 2:0.5\n")
    where = f"benchmark.path={tmp_path}"
    columns = "benchmark.auxiliary=[first:1,second:2]"
    out = f"sweep_dir={tmp_path / 'out'}"
    command = ["run", "budget=smoke", "benchmark=ranking", where, columns, out]
    assert main(command) == 2
    assert "train.txt:2: label '1.5' is not an integer >= 0" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("record.json"))


def test_the_same_data_elsewhere_is_the_same_cell(tmp_path: Path, shared_data: Path) -> None:
    """Digests depend on the content of a folder, not on its path."""
    import shutil

    from paretosteer.cells.plan import plan_cell
    from paretosteer.sweeps.compose import compose_cell

    shutil.copytree(shared_data / "mq2008", tmp_path / "moved")
    here, moved = (
        plan_cell(compose_cell(["benchmark=ranking", f"benchmark.path={path}"]))
        for path in (shared_data / "mq2008", tmp_path / "moved")
    )
    assert here.digests == moved.digests
    with (tmp_path / "moved" / "S1.txt").open("a") as file:
        file.write("0 qid:99999 1:0.5\n")
    changed = plan_cell(compose_cell(["benchmark=ranking", f"benchmark.path={tmp_path / 'moved'}"]))
    assert changed.digests["train"] != here.digests["train"]


def test_an_objective_may_not_take_the_name_of_a_column(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["budget=smoke", f"sweep_dir={tmp_path}", "benchmark=ranking"]
    assert main(["run", *where, "benchmark.auxiliary=['loss:41']"]) == 2
    assert "an objective is called 'loss'" in capsys.readouterr().err
    assert not list(tmp_path.rglob("record.json"))
