"""Reward models trained from another language model than the start model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from seam_cells import TEXT, assert_resumes, finish
from small_model import errors, write_encoder_decoder, write_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from paretosteer import Control, make_benchmark, make_method, make_trainer, restore_cell
from paretosteer.cells.plan import CellPlan, plan_cell
from paretosteer.commands.main import main
from paretosteer.errors import UnsupportedError, UsageError
from paretosteer.report.analysis import row_key
from paretosteer.sweeps.compose import compose_cell
from paretosteer.text.engines.vllm_limits import refuse

METHODS = ("genarm", "parm")
FILES = ("checkpoint/policy.safetensors", "samples.jsonl", "drift.parquet", "scores.parquet")
MU = np.array([[0.25, 0.75], [1.0, 0.0]])


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The start model."""
    return write_model(tmp_path_factory.mktemp("start"), width=24)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A smaller model with the same tokenizer."""
    return write_model(tmp_path_factory.mktemp("small"), width=8)


def world(start: Path, **options: Any) -> Any:
    sizes = {"max_new_tokens": 6, "min_new_tokens": 0} | options
    return make_benchmark("stories", model=str(start), budget="smoke", device="cpu", **sizes)


def settings(start: Path, method: str, *more: str) -> list[str]:
    return [*TEXT, "model=hf", f"model.path={start}", f"method={method}", *more]


def plan(start: Path, method: str, reward_model: Path) -> CellPlan:
    given = settings(start, method, f"method.reward_model={reward_model}")
    return plan_cell(compose_cell([*given, "budget=smoke", "device=cpu"]))


def record(cell: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((cell / "record.json").read_text())
    return found


@pytest.mark.parametrize("method", METHODS)
def test_the_start_model_itself_changes_no_bit(method: str, start: Path, tmp_path: Path) -> None:
    own = finish(tmp_path / "own", *settings(start, method))
    given = settings(start, method, f"method.reward_model={start}")
    same = finish(tmp_path / "same", *given)
    for file in FILES:
        assert (own / file).read_bytes() == (same / file).read_bytes(), file
    for name in ("flops", "forward_passes_per_token", "trained_parameters"):
        assert record(own)["cost"][name] == record(same)["cost"][name]


@pytest.mark.parametrize("method", METHODS)
def test_a_smaller_one_resumes_answers_and_is_not_exported(
    method: str, start: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = assert_resumes(tmp_path, *settings(start, method, f"method.reward_model={small}"))
    found = record(cell)
    assert found["method_files"] == plan(start, method, small).content_key
    assert any(f"are trained from {small.name}, not" in note for note in found["notes"])
    words = [str(cell), "--preference", "0.3,0.7"]
    assert main(["sample", *words, "--prompt", "Once upon a time,"]) == 0
    capsys.readouterr()
    assert main(["export", *words, "--out", str(tmp_path / "out")]) == 2
    (line,) = errors(capsys.readouterr().err)
    assert "mixes the next-token scores of several models" in line


@pytest.mark.parametrize("name", METHODS)
def test_the_mixture_is_that_of_the_two_networks(name: str, start: Path, small: Path) -> None:
    """Against both networks run by transformers on single, unpadded texts."""
    benchmark = world(start)
    method = make_method(name, reward_model=str(small), beta=2.0)
    method.build_policy(benchmark, seed=0)
    policy: Any = method.policy
    torch.manual_seed(0)
    for parameter in policy.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    prompts = benchmark.prompts("test")[:2]
    control = method.control(MU)
    samples = policy.sample(prompts, control, 0, [0, 0])
    with torch.no_grad():
        scored = policy.log_probs(samples, control)
    torch.testing.assert_close(scored, samples.log_probs, atol=1e-4, rtol=1e-4)
    tokenizer = AutoTokenizer.from_pretrained(start)
    plain = AutoModelForCausalLM.from_pretrained(start)
    for row, mu in enumerate(torch.tensor(MU, dtype=torch.float32)):
        if name == "genarm":
            parts = [(0.5 * float(w), torch.eye(2)[i]) for i, w in enumerate(mu) if w]
        else:
            parts = [(0.5, mu)]
        models = [(1.0, plain), *((w, policy.guide.materialise(c)) for w, c in parts)]
        prompt = tokenizer(prompts[row].text)["input_ids"]
        answer = samples.response[row][samples.mask[row]]
        text = torch.cat([torch.tensor(prompt), answer]).unsqueeze(0)
        with torch.no_grad():
            logs = [w * model(text).logits[0].log_softmax(-1) for w, model in models]
        mixed = sum(logs)[len(prompt) - 1 : -1].log_softmax(-1)  # type: ignore[index, union-attr]
        expected = mixed.gather(1, answer.unsqueeze(1)).squeeze(1)
        torch.testing.assert_close(scored[row][: len(answer)], expected, atol=1e-4, rtol=1e-4)


def test_each_reward_model_learns_its_own_objective(start: Path, small: Path) -> None:
    benchmark = world(start)
    method = make_method("genarm", reward_model=str(small), beta_r=0.5)
    method.build_policy(benchmark, seed=0)
    lists = benchmark.lists(np.random.default_rng(1), np.full((64, 2), 0.5), 2)

    def losses() -> Any:
        """Of bank k (rows) on the labels of objective j."""
        found = []
        for bank in range(2):
            with torch.no_grad():
                own = method.policy.list_log_probs(lists.candidates, Control.bank([bank] * 64))
            cross = -(lists.labels * (0.5 * own).log_softmax(dim=1).unsqueeze(-1)).sum(dim=1)
            found.append(cross.mean(dim=0).numpy())
        return np.stack(found)

    before = losses()
    method.train(benchmark, make_trainer(benchmark, seed=0, steps=120))
    after = losses()
    assert (after.argmin(axis=0) == [0, 1]).all()
    assert (after.diagonal() < before.diagonal()).all()


def test_flops_are_those_of_the_model_that_is_trained(start: Path, small: Path) -> None:
    benchmark = world(start)
    spent = []
    for path in (start, small):
        method, trainer = make_method("parm", reward_model=str(path)), None
        trainer = make_trainer(benchmark, seed=0, steps=1)
        method.train(benchmark, trainer)
        policy: Any = method.policy
        spent.append(trainer.account.flops / policy.guide.size)
        two = policy.weights_passed(method.control(MU))
        assert (
            two
            == policy.size
            == sum(p.numel() for p in policy.network.parameters()) + (policy.guide.size)
        )
    assert spent[0] == pytest.approx(spent[1])


def test_its_content_and_not_its_place_is_the_cells_identity(
    start: Path, small: Path, tmp_path: Path
) -> None:
    moved = shutil.copytree(small, tmp_path / "moved" / small.name)
    given, same = (plan(start, "parm", path) for path in (small, moved))
    assert given.identity == same.identity != plan(start, "parm", start).identity
    keys = [row_key.key(x.config.model_dump(mode="json"), x.content_key) for x in (given, same)]
    assert keys[0] == keys[1]
    cell = finish(tmp_path / "cell", *settings(start, "parm", f"method.reward_model={moved}"))
    write_model(moved, width=16)
    assert plan(start, "parm", moved).identity != given.identity
    with pytest.raises(UsageError, match="is not the model that the cell was trained with"):
        restore_cell(cell)
    shutil.rmtree(moved)
    with pytest.raises(UsageError, match=r"method\.reward_model: the folder .* does not exist"):
        restore_cell(cell)


def test_the_default_learning_rate_fits_the_model_that_learns(start: Path, tmp_path: Path) -> None:
    wide = write_model(tmp_path / "wide", width=512)
    rates = [
        plan(*models).method_options.learning_rate
        for models in ((start, "parm", start), (start, "parm", wide), (wide, "parm", start))
    ]
    assert rates[0] == rates[2] == 2 * rates[1]


def _swap(folder: Path) -> None:
    """Two tokens of the vocabulary change places."""
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    vocabulary = content["model"]["vocab"]
    one, other = list(vocabulary)[40:42]
    vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]
    file.write_text(json.dumps(content))


def _resize(folder: Path) -> None:
    network = AutoModelForCausalLM.from_pretrained(folder)
    network.resize_token_embeddings(network.config.vocab_size + 8)
    network.save_pretrained(folder)


def _shorten(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 10}))


def _cut(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_swap, r"token \d+ is '.+' in .*, but '.+' in the start model .*; use a model with the"),
        (
            _resize,
            r"has embeddings for \d+ tokens, but the start model .* for \d+; use .*, or save",
        ),
        (_shorten, r"prompt '.+' has \d+ tokens, but in the context of .* leave room for only 4;"),
        (_cut, "has no weights for model.layers.2"),
        (shutil.rmtree, "does not exist; use a folder or a hub name"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_before_any_training(
    edit: Any, message: str, start: Path, small: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(small, tmp_path / "edited")
    edit(folder)
    with pytest.raises(UsageError, match=rf"^method\.reward_model: .*{message}"):
        make_method("genarm", reward_model=str(folder)).prepare(world(start))


def test_models_with_an_encoder_are_refused(start: Path, small: Path, tmp_path: Path) -> None:
    encoder = write_encoder_decoder(tmp_path / "t5")
    for model, reward_model, remedy in (
        (start, encoder, "use another model"),
        (encoder, small, "leave it null"),
    ):
        method = make_method("parm", reward_model=str(reward_model))
        with pytest.raises(UsageError, match=f"needs two causal models, but .*; {remedy}"):
            method.prepare(world(model))


@pytest.mark.parametrize("method", METHODS)
def test_vllm_is_refused(method: str, start: Path, small: Path) -> None:
    built = make_method(method, reward_model=str(small))
    built.build_policy(world(start), seed=0)
    with pytest.raises(UnsupportedError, match=r"it cannot mix .*; set engine=native"):
        refuse(built.policy, built.control(MU))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["bandit", "ranking"])
def test_benchmarks_without_a_language_model_do_not_support_it(name: str, small: Path) -> None:
    benchmark = make_benchmark(name, **({"policy": "mlp"} if name == "bandit" else {}))
    method = make_method("parm", reward_model=str(small))
    method.prepare(benchmark)  # nothing to load
    with pytest.raises(UnsupportedError, match=rf"method\.reward_model: {name} has no language"):
        method.build_policy(benchmark, seed=0)


def test_other_feedback_is_refused(small: Path) -> None:
    with pytest.raises(UsageError, match=r"method\.reward_model: has no effect with feedback="):
        make_method("genarm", reward_model=str(small), feedback="reward")
