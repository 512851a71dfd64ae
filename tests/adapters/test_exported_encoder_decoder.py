"""Exports of an encoder-decoder policy, loaded as anybody would load them."""

from pathlib import Path

import pytest
import torch
from peft import AutoPeftModelForSeq2SeqLM
from small_model import SMALL, write_encoder_decoder
from transformers import AutoModelForSeq2SeqLM

from paretosteer import restore_cell
from paretosteer.errors import UsageError
from paretosteer.sweeps.compose import compose_cell
from paretosteer.sweeps.sweep import PlannedCell, run_one

MU = [0.3, 0.7]


def trained(folder: Path, model: Path, *words: str) -> Path:
    where = [f"sweep_dir='{folder}'", "model=hf", f"model.path='{model}'"]
    config = compose_cell([*where, *SMALL, "method.learning_rate=0.1", *words])
    return config.folder / f"seed0-{run_one(PlannedCell.of(config)).identity}"


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder_decoder(tmp_path_factory.mktemp("t5") / "model")


@pytest.mark.parametrize("form", ["model", "peft"])
def test_what_is_exported_gives_the_policy_s_scores(t5: Path, tmp_path: Path, form: str) -> None:
    cell = restore_cell(trained(tmp_path / "sweep", t5, "method=bone_soup", "method.beta=0.6"))
    cell.export(MU, tmp_path / "out", form=form)  # type: ignore[arg-type]
    auto = AutoModelForSeq2SeqLM if form == "model" else AutoPeftModelForSeq2SeqLM
    network = auto.from_pretrained(tmp_path / "out").eval()
    (prompt,), control = cell.benchmark.prompts("test")[:1], cell.control([MU])
    samples = cell.method.policy.sample([prompt], control, 0, [0])
    start, response = cell.benchmark.model.tokenizer.pad_token_id, samples.response[:1]
    with torch.no_grad():
        logits = network(
            input_ids=torch.tensor([cell.benchmark.model.tokenizer(prompt.text)["input_ids"]]),
            decoder_input_ids=torch.cat([torch.tensor([[start]]), response[:, :-1]], dim=1),
        ).logits
    found = logits.log_softmax(-1).gather(-1, response.unsqueeze(-1)).squeeze(-1)
    expected = cell.method.policy.log_probs(samples, control)  # type: ignore[attr-defined]
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)


def test_soft_prompts_before_an_encoder_cannot_leave(t5: Path, tmp_path: Path) -> None:
    cell = restore_cell(trained(tmp_path / "sweep", t5, "method=cos_dpo"))
    with pytest.raises(UsageError, match="soft prompt"):
        cell.export(MU, tmp_path / "out", form="peft")
    assert not (tmp_path / "out").exists()
