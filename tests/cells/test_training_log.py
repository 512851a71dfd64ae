"""`training.csv`: what a feedback measures, whatever it is called."""

from pathlib import Path

import pandas as pd
from accelerate import Accelerator

from paretosteer.training.trainer import Trainer


def test_a_figure_of_a_plugin_has_a_column(tmp_path: Path) -> None:
    trainer = Trainer(Accelerator(cpu=True), steps=2, rows=4, samples=2, seed=0)
    trainer.log += [
        {"step": 1, "phase": "all", "loss": 0.5, "kl": 0.1, "helpful": 2.0, "margin": 3.0},
        {"step": 2, "phase": "all", "loss": 0.4, "kl": 0.2, "helpful": 2.5},
    ]
    trainer.write_log(tmp_path / "training.csv", ["helpful"])
    log = pd.read_csv(tmp_path / "training.csv")
    assert list(log)[:4] == ["step", "phase", "loss", "helpful"] and list(log)[-1] == "margin"
    assert log["margin"].isna().tolist() == [False, True]
    assert log["helpful"].tolist() == [2.0, 2.5]
