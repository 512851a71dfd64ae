"""One training for Rewarded Soup and every merge of its specialists."""

import pandas as pd
import pytest

from paretosteer.storage.cache import root
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, run_one
from paretosteer.training.trainer import Trainer

STEPS = 12
WORLD = [
    *("benchmark=bandit", "benchmark.contexts=8", "benchmark.actions=4", "device=cpu"),
    *(f"budget.steps={STEPS}", "preferences.divisions=2", "checkpoint_seconds=0"),
]
TIES = ["method=merge", "method.kind=ties"]


class Killed(BaseException):
    """As sudden as a signal."""


@pytest.fixture
def phases(monkeypatch, tmp_path):
    """Phases that were trained, and a cache of the test's own."""
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path / "cache"))
    found, fit = [], Trainer.fit

    def counted(self, phase, *args, **kwargs):
        found.append(phase)
        return fit(self, phase, *args, **kwargs)

    monkeypatch.setattr(Trainer, "fit", counted)
    return found


def run(place, *words, **values):
    words = [*WORLD, *words, *(f"{key}={value}" for key, value in values.items())]
    config = compose_cell([f"sweep_dir='{place}'", *words])
    record = run_one(PlannedCell.of(config))
    assert record.status == "ok", record.explanation
    return record, config.folder / f"seed{config.seed}-{record.identity}"


def scores(folder):
    return pd.read_parquet(folder / "scores.parquet")


def test_merges_and_mod_share_one_training_with_rewarded_soup(phases, tmp_path):
    cells = [
        run(tmp_path, *TIES),
        run(tmp_path, "method=merge", "method.kind=dare_linear"),
        run(tmp_path, "method=merge", "method.kind=task_arithmetic"),
        run(tmp_path, "method=rewarded_soup"),
        run(tmp_path, "method=mod"),
        run(tmp_path, "method=mod", "method.divergence=forward"),
        run(tmp_path / "another", *TIES),
    ]
    assert phases == ["bank 0", "bank 1"]
    assert len({record.identity for record, _ in cells}) == 6  # one of them in two sweeps
    for record, folder in cells:
        assert record.cost.train_steps == STEPS
        passes = 4 / 3 if record.method == "mod" else 1  # 1, 2 and 1 at three preferences
        assert record.cost.forward_passes_per_token == pytest.approx(passes)
        assert record.cost.reward_calls_per_answer == 0
        assert record.cost.train_tokens == cells[0][0].cost.train_tokens > 0
        assert record.cost.trained_parameters == cells[3][0].cost.trained_parameters > 0
        assert record.cost.seconds["train"] >= cells[0][0].cost.seconds["train"] * 0.5 > 0
        log = pd.read_csv(folder / "training.csv")
        pd.testing.assert_frame_equal(log, pd.read_csv(cells[0][1] / "training.csv"))
    pd.testing.assert_frame_equal(scores(cells[2][1]), scores(cells[3][1]))
    assert not scores(cells[0][1]).equals(scores(cells[3][1]))
    # In a table the mixture of logits is the soup.
    pd.testing.assert_frame_equal(scores(cells[4][1]), scores(cells[3][1]), atol=1e-5)
    assert not scores(cells[5][1]).equals(scores(cells[4][1]))


def test_rewarded_soup_before_merges_is_what_it_is_alone(phases, tmp_path):
    soup, folder = run(tmp_path / "alone", "method=rewarded_soup")
    assert not (root() / "training").exists()  # nothing to share yet
    _, first = run(tmp_path / "sweep", "method=rewarded_soup")
    assert phases == ["bank 0", "bank 1"] * 2
    merged, _ = run(tmp_path / "sweep", *TIES)
    assert len(phases) == 4  # copied from the cell beside it
    assert merged.cost.flops == soup.cost.flops
    again, last = run(tmp_path / "after", "method=rewarded_soup")
    assert len(phases) == 4
    for other in (first, last):
        pd.testing.assert_frame_equal(scores(folder), scores(other))
        for name in ("policy.safetensors", "method.json"):
            path = f"checkpoint/{name}"
            assert (folder / path).read_bytes() == (other / path).read_bytes()
    assert again.stages == soup.stages


@pytest.mark.parametrize("word", ["seed=1", "method.rank=4", "method.kappa=0.3"])
def test_other_training_options_are_trained_apart(phases, tmp_path, word):
    run(tmp_path, *TIES)
    run(tmp_path, *TIES, word)
    assert len(phases) == 4


def test_a_killed_shared_training_resumes(phases, monkeypatch, tmp_path):
    _, whole = run(tmp_path / "whole", *TIES)
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path / "cache2"))
    step = Trainer.fit

    def killed(self, phase, *args, **kwargs):
        if phase == "bank 1":
            raise Killed
        return step(self, phase, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "fit", killed)
        with pytest.raises(Killed):
            run(tmp_path / "cut", *TIES)
    record, resumed = run(tmp_path / "cut", *TIES)
    pd.testing.assert_frame_equal(scores(whole), scores(resumed))
    assert record.cost.train_steps == STEPS


def test_what_no_merge_can_do_is_refused_before_training(phases, tmp_path):
    words = [f"sweep_dir='{tmp_path}'", *WORLD, "method=merge", "method.kind=regmean"]
    record = run_one(PlannedCell.of(compose_cell(words)))
    assert record.status == "unsupported"
    assert "a table has none" in record.reason
    assert phases == []
