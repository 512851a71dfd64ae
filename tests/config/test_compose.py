import shlex
from pathlib import Path

import pytest

from paretosteer.errors import UsageError
from paretosteer.sweeps.compose import compose_cell, compose_sweep


def test_the_default_cell() -> None:
    cell = compose_cell([])
    assert (cell.method.name, cell.benchmark.name, cell.model.name) == (
        "rewarded_soup",
        "stories",
        "embedded",
    )
    assert (cell.budget.name, cell.budget.steps, cell.budget.test_prompts) == ("quick", None, None)
    assert cell.sweep_dir == "results/default"


def test_an_experiment_is_a_grid_that_overrides_extend() -> None:
    cells = compose_sweep(
        ["experiment=five_methods", "model=hf", "model.path=some/folder", "seed=0,1"]
    )
    assert [cell.method.name for cell in cells[::2]] == [
        "rewarded_soup",
        "bone_soup",
        "clp",
        "cos_dpo",
        "interpolation",
    ]
    assert [cell.seed for cell in cells] == [0, 1] * 5
    assert {cell.model.path for cell in cells} == {"some/folder"}
    assert {cell.sweep_dir for cell in cells} == {"results/five_methods"}


def test_a_setting_may_refer_to_the_choices_of_hydra() -> None:
    overrides = ["seed=0,1", "sweep_dir='x/${hydra:runtime.choices.benchmark}'"]
    assert {cell.sweep_dir for cell in compose_sweep(overrides)} == {"x/stories"}


@pytest.mark.parametrize("name", ["job.num", "job.id", "nothing"])
def test_a_reference_to_hydra_without_a_value_is_an_error(name: str) -> None:
    with pytest.raises(UsageError, match=rf"hydra:{name}}}: has no value for a cell"):
        compose_cell([f"sweep_dir='x/${{hydra:{name}}}'"])


def test_an_option_of_the_swept_methods_need_not_be_one_of_the_default_method() -> None:
    cells = compose_sweep(["method=clp,cos_dpo", "method.concentration=0.5"])
    assert [cell.method.values["concentration"] for cell in cells] == [0.5, 0.5]


def test_the_command_of_a_cell_composes_it_again() -> None:
    cell = compose_cell(
        [
            "method=bone_soup",
            "method.betas=[0.6,0.7]",
            "model=hf",
            "model.path='/it\\'s (my), folder'",
            "preferences=random",
            "seed=3",
            "sweep_dir='results/1,2'",
        ]
    )
    program, command, *overrides = shlex.split(cell.command)
    assert (program, command) == ("paretosteer", "run")
    assert compose_cell(overrides) == cell


def test_names_that_a_user_adds_to_a_mapping_are_added_again() -> None:
    given = [
        "experiment=human_preferences",
        "method=clp",
        "benchmark.pairs.helpful=some/pairs.jsonl.gz",
        "+benchmark.pairs.humour={path: owner/name, split: test, winner: funnier}",
        "+benchmark.rewards.humour={path: owner/model, logit: 1, sign: -1}",
    ]
    (cell,) = compose_sweep(given)
    assert cell.benchmark.values["pairs"] == {
        "helpful": "some/pairs.jsonl.gz",
        "harmless": None,
        "humour": {"path": "owner/name", "split": "test", "winner": "funnier"},
    }
    assert compose_cell(shlex.split(cell.command)[2:]) == cell


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["method=rewarded_suop"],
            "method=rewarded_suop: no such method; did you mean 'rewarded_soup'? If it is in a "
            "file, pass --plugin FILE.py",
        ),
        (
            ["benchmark=preferences", "benchmark.pairs.helpfull=x"],
            "benchmark.pairs.helpfull is not an option of benchmark.pairs; did you mean 'helpful'? "
            "(to add it, use +benchmark.pairs.helpfull=VALUE)",
        ),
        (
            ["benchmark=preferences", "benchmark.pairs.helpfull.split=x"],
            "benchmark.pairs.helpfull is not an option of benchmark.pairs; did you mean 'helpful'? "
            "(to add it, use +benchmark.pairs.helpfull=VALUE)",
        ),
        (
            ["benchmark=preferences", "benchmark.pairs.humour=x"],
            "benchmark.pairs.humour is not an option of benchmark.pairs; known: harmless, helpful "
            "(to add it, use +benchmark.pairs.humour=VALUE)",
        ),
        (
            ["hydra.sweeper.params.seed='0,1'"],
            "hydra.sweeper.params.seed is not an option of hydra.sweeper.params, which has none "
            "(to add it, use +hydra.sweeper.params.seed=VALUE)",
        ),
        (["method.rank.x=3"], "method.rank.x is not an option of method.rank, which has none"),
        (["+seed=3"], "+seed: seed exists; omit the +"),
        (["~threads"], "~threads: threads is null or unset; omit it"),
        (
            ["+method=clp"],
            "method: chosen twice; on the command line omit the +, in a file write "
            "`override /method: NAME`",
        ),
        (["seed=range(0)"], "seed=range(0): has no values; give at least one"),
        (["metod=clp"], "metod: not a setting; did you mean 'method'?"),
        (
            ["launcher.n_jobs=4"],
            "launcher.n_jobs: settings of the launcher are Hydra's; write hydra.launcher.n_jobs",
        ),
        (
            ["+sweeper.params=4"],
            "sweeper.params: settings of the sweeper are Hydra's; write hydra.sweeper.params",
        ),
        (["experimnt=x"], "experimnt: not a setting; did you mean 'experiment'?"),
        (
            ["method=clp", "method.rnak=3"],
            "method.rnak is not an option of clp; did you mean 'rank'?",
        ),
        (
            ["method=modpo", "method.feedback=reward"],  # kappa and others have no effect in it
            "method.feedback is not an option of modpo; known: alpha, anchor, beta_dpo, divisions, "
            "dropout, labels, learning_rate, list_size, margin, margins, prompt_tokens, rank, "
            "share",
        ),
        (["budget.stepz=1"], "budget.stepz is not an option of quick; did you mean 'steps'?"),
        (["budget.steps=0"], "budget.steps: found 0, expected greater than or equal to 1"),
        (["budget.steps=many"], "budget.steps: found 'many', expected a valid integer"),
        (["+budget.stepz=1"], "budget.stepz: not a setting; did you mean 'steps'?"),
        (["seed=-1"], "seed: found -1, expected greater than or equal to 0"),
        (["~method"], "method: missing from the configuration; add it"),
        (["preferences=file"], "preferences.path: needs a value, it has no default"),
        (
            ["preferences.divisions=x"],
            "preferences.divisions: found 'x', expected a valid integer",
        ),
        (
            ["model=hf"],
            "model.path: required with model=hf; set it to a folder, a GGUF file or a hub name",
        ),
        (
            ["model.path=x"],
            "model.path: 'x' is not used with model=embedded; add model=hf",
        ),
        (["dtype=double"], "dtype: found 'double', expected 'auto', 'float32' or 'bfloat16'"),
    ],
)
def test_a_wrong_setting_is_named(overrides: list[str], message: str) -> None:
    for compose in (compose_cell, compose_sweep):
        with pytest.raises(UsageError) as error:
            compose(overrides)
        assert str(error.value) == message


@pytest.mark.parametrize("methods", ["adapters,rewarded_soup", "rewarded_soup,adapters"])
def test_an_option_of_some_methods_of_a_sweep_needs_several_sweeps(methods: str) -> None:
    message = r"method.paths is not an option of rewarded_soup, only of adapters; run one"
    with pytest.raises(UsageError, match=message):
        compose_sweep([f"method={methods}", "method.paths=[a,b]"])


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["method=clp,morl"], "method=clp,morl: several values at once need `paretosteer sweep`"),
        (["seed=range(3)"], "seed=range(3): several values at once need `paretosteer sweep`"),
        (
            ["experiment=five_methods"],
            "method=rewarded_soup,bone_soup,clp,cos_dpo,interpolation: several values at once need "
            "`paretosteer sweep`; for one cell, set method=VALUE",
        ),
        (["experiment=field", "method=clp"], "seed=0,1,2: several values at once need"),
    ],
)
def test_a_run_is_one_cell(overrides: list[str], message: str) -> None:
    with pytest.raises(UsageError) as error:
        compose_cell(overrides)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("seed", ["seed=1", "++seed=1", "seed=choice(1)"])
def test_overrides_pick_one_cell_of_an_experiment(seed: str) -> None:
    overrides = ["experiment=field", "method=clp", seed]
    cell = compose_cell(overrides)
    assert (cell.method.name, cell.seed, cell.sweep_dir) == ("clp", 1, "results/field")
    assert compose_sweep(overrides) == [cell]


def test_the_grid_keeps_the_order_of_an_experiments_axes() -> None:
    cells = compose_sweep(["experiment=field", "seed=3,4", "method=clp,morl"])
    assert [(cell.method.name, cell.seed) for cell in cells] == [
        *(("clp", 3), ("clp", 4), ("morl", 3), ("morl", 4))
    ]


def test_experiments_with_grids_are_swept_one_at_a_time() -> None:
    with pytest.raises(UsageError, match=r"experiment=five_methods: sweeps over method, which"):
        compose_sweep(["experiment=five_methods,three_objectives"])


def test_keys_inside_an_option_need_no_plus() -> None:
    given = [
        "benchmark=preferences",
        "benchmark.pairs.helpful.path=x",
        "benchmark.pairs.helpful.columns.prompt=question",
        "+benchmark.pairs.honest=y",
        "benchmark.start.width=32",
        "benchmark.rewards.helpful.logit=1",
    ]
    cell = compose_cell(given)
    values = cell.benchmark.values
    helpful = {"path": "x", "columns": {"prompt": "question"}}
    assert values["pairs"] == {"helpful": helpful, "harmless": None, "honest": "y"}
    assert values["start"] == {"width": 32}
    assert values["rewards"] == {"helpful": {"logit": 1}}
    assert compose_cell(shlex.split(cell.command)[2:]) == cell
    one, two = compose_sweep([*given, "benchmark.pairs.helpful.split=train,test"])
    assert [each.benchmark.values["pairs"]["helpful"]["split"] for each in (one, two)] == [
        *("train", "test")
    ]


@pytest.mark.parametrize(
    "given",
    [
        ["benchmark.rewards.helpful=/model", "benchmark.rewards.helpful.sign=-1"],
        ["benchmark.rewards.helpful.sign=-1", "benchmark.rewards.helpful=/model"],
        ["benchmark.rewards.helpful=/model,/other", "benchmark.rewards.helpful.sign=-1"],
        ["+benchmark.pairs.new=a.jsonl", "+benchmark.pairs.new.split=test"],
        ["benchmark.pairs.helpful.columns=x", "benchmark.pairs.helpful.columns.prompt=question"],
        ["+report.extra=1", "+report.extra.more=2"],
    ],
)
def test_an_override_that_would_discard_another_is_refused(given: list[str]) -> None:
    with pytest.raises(UsageError, match=r"sets \S+ as a whole, so one of the two would be lost"):
        compose_sweep(["benchmark=preferences", *given])


def test_an_override_that_would_discard_a_value_of_a_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n- override /benchmark: preferences\n"
        "benchmark:\n  rewards:\n    helpful: /model\n    harmless: {path: /other}\n"
    )
    monkeypatch.setenv("PARETOSTEER_CONFIG_DIR", str(tmp_path))
    with pytest.raises(UsageError, match=r"helpful\.sign: '.*helpful=/model' sets .*{sign: -1, …}"):
        compose_cell(["experiment=mine", "benchmark.rewards.helpful.sign=-1"])
    cell = compose_cell(["experiment=mine", "benchmark.rewards.harmless.sign=-1"])
    assert cell.benchmark.values["rewards"]["harmless"] == {"path": "/other", "sign": -1}


def test_a_mapping_that_hydra_merges_says_what_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(
        "# @package _global_\ndefaults:\n- override /benchmark: preferences\n"
        "benchmark:\n  pairs:\n    helpful: {path: a.jsonl, split: test}\n"
    )
    monkeypatch.setenv("PARETOSTEER_CONFIG_DIR", str(tmp_path))
    given = "benchmark.pairs.helpful={path: b.jsonl}"
    cell = compose_cell(["experiment=mine", given])
    assert cell.benchmark.values["pairs"]["helpful"] == {"path": "b.jsonl", "split": "test"}
    said = capsys.readouterr().err
    assert said == (
        f"note: benchmark.pairs.helpful: {given!r} is merged with the settings of a file, which "
        "keeps split=test\n"
    )
    compose_cell(["experiment=mine", "benchmark.pairs={helpful: {path: b.jsonl}}"])
    assert "keeps helpful.split=test\n" in capsys.readouterr().err
    compose_cell(["experiment=mine", "benchmark.pairs.helpful={path: b.jsonl, split: null}"])
    assert not capsys.readouterr().err


@pytest.mark.parametrize("change", ["++benchmark.pairs.harmless=x ~benchmark.pairs.harmless", ""])
def test_a_name_that_is_removed_does_not_return(change: str) -> None:
    cell = compose_cell(["benchmark=preferences", *change.split()])
    assert ("harmless" in cell.benchmark.values["pairs"]) == (not change)
    assert compose_cell(shlex.split(cell.command)[2:]) == cell
    assert compose_sweep(shlex.split(cell.command)[2:]) == [cell]


@pytest.mark.parametrize("override", ["nonsense", "seed=[1", "=3", "sweep_dir=${nope}"])
def test_what_hydra_cannot_read_is_one_line(override: str) -> None:
    with pytest.raises(UsageError) as error:
        compose_cell([override])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("seeds", ["range(0,2),5", "5,choice(1,2)"])
def test_a_sweep_in_a_list_is_one_line(seeds: str) -> None:
    with pytest.raises(UsageError, match=r"seed=.*a sweep in a list cannot be swept over; list"):
        compose_sweep(["method=clp", "benchmark=bandit", f"seed={seeds}"])
