"""`make speed` runs, at a tiny size, and prints every ratio."""

import re

import pytest
import report_speed
import speed


@pytest.mark.slow
def test_every_side_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert speed.main(["--prompts", "1", "--tokens", "2", "--rounds", "1", "--device", "cpu"]) == 0
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
    assert "TRL" in printed


def test_answers_are_counted_up_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

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
