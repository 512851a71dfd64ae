"""The experiment on human pairs from the command line: every method, judge, records, errors."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from paretosteer import leaderboard
from paretosteer.cells.record import read_record
from paretosteer.commands.main import main

METHODS = ["rewarded_soup", "bone_soup", "clp", "cos_dpo", "interpolation"]


def where(pair_files):
    return [f"benchmark.pairs.{name}={path}" for name, path in pair_files.items()]


@pytest.fixture(scope="module")
def swept(pair_files, tmp_path_factory):
    """The experiment, with a judge."""
    folder = tmp_path_factory.mktemp("sweep")
    words = ["sweep", "experiment=human_preferences", "budget=smoke", "benchmark.judge=true"]
    assert main([*words, *where(pair_files), f"sweep_dir={folder}"]) == 0
    return folder


def cell(folder, method):
    (found,) = (folder / "preferences" / method).glob("seed0-*")
    return found


def test_every_method_is_on_the_leaderboard(swept):
    board = leaderboard(swept)
    assert sorted(board["method"]) == sorted(METHODS)
    assert set(board["status"]) == {"ok"} and set(board["table"]) == {1}
    assert np.isfinite(board["hypervolume"]).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_judge_scores_the_same_samples(swept, method):
    folder = cell(swept, method)
    proxy, judge = (pd.read_parquet(folder / f"{name}.parquet") for name in ("scores", "judge"))
    keys = ["point", "prompt_id", "sample"]
    pd.testing.assert_frame_equal(proxy[keys], judge[keys])
    assert list(proxy.columns) == list(judge.columns) == [*keys, "helpful", "harmless"]
    assert not np.allclose(proxy["helpful"], judge["helpful"])


def test_the_record_says_how_good_the_reward_models_are(swept):
    record = read_record(cell(swept, "clp"))
    found = record.as_dict()["reward_models"]
    assert found.keys() == {"models", "judges", "judge_normaliser"}
    for kind in ("models", "judges"):
        assert list(found[kind]) == ["helpful", "harmless"]
        for facts in found[kind].values():
            assert 0 <= facts["accuracy"] <= 1 and facts["held_out_pairs"] > 10
    notes = " ".join(record.notes)
    assert "helpful: the reward model agrees" in notes and "harmless: the judge agrees" in notes
    report = json.loads((swept / "report" / "report.json").read_text())
    assert "the judge agrees with people" in " ".join(report["tables"][0]["notes"])


def test_the_recorded_command_finds_its_own_cell(swept, capfd):
    import shlex

    before = read_record(cell(swept, "cos_dpo"))
    assert main(shlex.split(before.command)[1:]) == 0
    assert "finished before, reused" in capfd.readouterr().err


def test_other_pairs_make_another_cell_and_the_same_elsewhere_do_not(pair_files, tmp_path):
    from paretosteer.cells.plan import plan_cell
    from paretosteer.sweeps.compose import compose_cell

    def digest(**paths):
        given = where(pair_files | paths)
        return plan_cell(compose_cell(["benchmark=preferences", *given])).digests["train"]

    moved = tmp_path / "moved.jsonl.gz"
    moved.write_bytes(Path(pair_files["helpful"]).read_bytes())
    assert digest(helpful=str(moved)) == digest()
    swapped = {"helpful": pair_files["harmless"], "harmless": pair_files["helpful"]}
    assert digest(**swapped) != digest()


def test_an_unreadable_line_stops_the_run_before_anything_is_written(pair_files, tmp_path, capsys):
    path = tmp_path / "broken.jsonl"
    path.write_text('{"chosen": "a", "rejected": "b"}\nno json\n')
    given = where(pair_files | {"helpful": str(path)})
    command = ["run", "benchmark=preferences", "budget=smoke", f"sweep_dir={tmp_path / 'out'}"]
    assert main([*command, *given]) == 2
    error = capsys.readouterr().err
    assert "benchmark.pairs.helpful: " in error and "broken.jsonl:2: not JSON" in error
    assert not (tmp_path / "out").exists()


def test_no_pairs_at_all_says_what_to_give(tmp_path, capsys):
    assert main(["run", "benchmark=preferences", f"sweep_dir={tmp_path}"]) == 2
    assert "set benchmark.pairs.helpful=/path/to/file.jsonl.gz" in capsys.readouterr().err
