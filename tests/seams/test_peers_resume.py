"""Every trained method, killed and resumed; exported as a model and as an adapter, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from seam_cells import TEXT, assert_resumes, finish
from small_model import errors

from paretosteer.commands.main import main
from paretosteer.plugins import registry

MIXES = "this policy mixes the next-token scores of several models"
MIXTURE = {"model": MIXES, "peft": MIXES}
WORDS = "method.condition=prompt_text"
# Settings, and the forms that an export is refused in, with the reason.
METHODS: dict[str, tuple[list[str], dict[str, str]]] = {
    "rewarded_soup": ([], {}),
    "bone_soup": (["budget.steps=24"], {}),
    "interpolation": ([], {}),
    "merge": ([], {"peft": "a merge by ties has full rank"}),
    "clp": ([], {}),
    "panacea": ([], {}),
    "pblora": ([], {}),
    "pareto_merging": ([], {}),
    "cos_dpo": ([], {"model": "this policy reads the preference as soft prompt vectors"}),
    "mo_odpo": ([WORDS], {}),
    "mi_epo": ([WORDS], {}),
    "ric": ([WORDS, "method.offline=8", "budget.steps=12"], {}),
    "mod": ([], MIXTURE),
    "genarm": ([], MIXTURE),
    "parm": ([], MIXTURE),
    "morl": (["method.divisions=1"], {}),
    "modpo": (["method.divisions=1", "method.share=true", "budget.steps=8"], {}),
}
UNTRAINED = {"start", "best_of_n", "adapters"}
# Start from a checkpoint that cells share, so that a second run has nothing to be killed in; their
# own training is resumed by `check method` and in test_shared_training.py.
SHARED = {"merge", "mod"}
SOON = {"panacea", "modpo"}  # the others in `make test-long`


def test_no_method_is_left_out() -> None:
    assert METHODS.keys() | UNTRAINED == {*registry.names("methods")}


@pytest.mark.parametrize(
    "method",
    [name if name in SOON else pytest.param(name, marks=pytest.mark.slow) for name in METHODS],
)
def test_a_language_model_resumes_and_is_exported(
    tmp_path: Path, method: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, refused = METHODS[method]
    end = finish if method in SHARED else assert_resumes
    cell = end(tmp_path / "cell", *TEXT, f"method={method}", *settings)
    for form in ("model", "peft"):  # an export is loaded again and compared before it is written
        out = tmp_path / form
        words = ["export", str(cell), "--preference", "0.3,0.7", "--as", form, "--out", str(out)]
        capsys.readouterr()
        assert main(words) == (2 if form in refused else 0)
        assert out.exists() is (form not in refused)
        if form in refused:
            (line,) = errors(capsys.readouterr().err)
            assert f"--as {form}: {refused[form]}" in line


@pytest.mark.slow
def test_panacea_resumes_with_tchebycheff(tmp_path: Path) -> None:
    bandit = ("benchmark=bandit", "benchmark.policy=mlp", "method=panacea")
    for feedback in ("reward", "preference"):
        chosen = ("method.aggregation=tchebycheff", f"method.feedback={feedback}")
        assert_resumes(tmp_path / feedback, *bandit, *chosen)
    assert_resumes(tmp_path / "text", *TEXT, "method=panacea", "method.aggregation=tchebycheff")


@pytest.mark.slow
def test_modpo_resumes_with_margins_of_models(tmp_path: Path) -> None:
    settings, _ = METHODS["modpo"]
    assert_resumes(tmp_path, *TEXT, "method=modpo", *settings, "method.margin=models")


@pytest.mark.slow
def test_decoupled_advantages_train_and_resume(tmp_path: Path) -> None:
    cell = assert_resumes(tmp_path, *TEXT, "method=clp", "method.advantage=decoupled")
    joint = finish(tmp_path / "joint", *TEXT, "method=clp")
    file = "checkpoint/policy.safetensors"
    assert (cell / file).read_bytes() != (joint / file).read_bytes()
