"""`make speed` runs, at a tiny size, and prints every ratio."""

import re
from pathlib import Path

import page_speed
import pytest
import report_speed
import speed
import torch

TRL = Path(__file__).parents[1] / "build" / "trl" / "bin" / "python"  # `make speed` installs it
TINY = ["--prompts", "1", "--tokens", "2", "--rounds", "1", "--device", "cpu"]


@pytest.mark.slow
def test_every_side_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert speed.main(TINY) == 0
    printed = capsys.readouterr().out
    rates = re.findall(r"(\d+) tokens/s", printed)
    assert len(rates) == 8 and all(map(int, rates))
    for against in (
        "PEFT one by one",
        "generate()",
        "the plain start model, same loop",
        "generate(), to the end token",
    ):
        assert re.search(rf"one batch against {re.escape(against)}: \d", printed)
    assert re.search(r"bfloat16 against float32, one batch: \d", printed)
    assert "TRL's RLOOTrainer: not measured" in printed


@pytest.mark.slow
@pytest.mark.skipif(not TRL.exists(), reason="no environment with TRL: run make speed")
def test_training_is_compared_with_trl(capsys: pytest.CaptureFixture[str]) -> None:
    assert speed.main([*TINY, "--trl", str(TRL)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"training, TRL's RLOOTrainer +[1-9]\d* tokens/s +\d+ MB", printed)
    assert re.search(r"training against TRL's RLOOTrainer: \d", printed)


def test_a_step_of_another_process_reports_its_memory(tmp_path: Path) -> None:
    model = speed.small_llama(torch.device("cpu"), torch.float32)
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nread step && echo 1.5\nread step && echo nan\n")
    python.chmod(0o755)
    with speed.trl_training(str(python), model, [speed.Prompt("a", "One day,")], 4) as side:
        assert side.run() == 21 * 4
        assert side.memory is not None and side.memory() == 1.5
        side.run()
        assert side.memory() is None
        with pytest.raises(SystemExit, match=r"speed_trl\.py ended early"):
            side.run()


def test_answers_are_counted_up_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    model = speed.small_llama(torch.device("cpu"), torch.float32)
    end, prompts = model.ends[0], [speed.Prompt("a", "One day,")] * 3
    answers = torch.tensor([[5, end, end], [end, end, end], [5, 6, 7]])

    def generate(input_ids: torch.Tensor, **_: object) -> torch.Tensor:
        return torch.cat([input_ids, answers], dim=1)

    monkeypatch.setattr(model.network, "generate", generate)
    assert speed.plain_generate(model, prompts, 3) == 2 + 1 + 3


def test_a_report_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    report_speed.main(methods=2, prompts=4)
    assert re.search(r"2 methods x .* 1 pairs: \d", capsys.readouterr().out)


@pytest.mark.slow
def test_opening_a_page_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    page_speed.main(methods=2, divisions=1, prompts=3, repeats=1)
    printed = capsys.readouterr().out
    assert "2 methods x 3 preferences x 3 prompts" in printed
    assert re.search(r"opening 1: \d\.\d+ s of processor time, opened in \d", printed)
