"""Files that could run code are refused, in one line, and what could read them is never called."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from hostile import LYING, pickled
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

from paretosteer.benchmarks.stories.tokenizer import build_tokenizer
from paretosteer.errors import UsageError
from paretosteer.storage.safetensors_only import read_tensors
from paretosteer.text.model import load_model
from paretosteer.text.model_source import model_digest
from paretosteer.text.pairs import read_pairs
from paretosteer.text.read_peft import read_adapter
from paretosteer.text.rewards.loading import load_classifier
from paretosteer.text.rewards.reward_spec import RewardSpec

CPU = torch.device("cpu")
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model and a reward model that load as they are."""
    folder, tokenizer = tmp_path_factory.mktemp("saved"), build_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        num_labels=1,
        pad_token_id=tokenizer.pad_token_id,
    )
    for name, kind in (("start", LlamaForCausalLM), ("reward", LlamaForSequenceClassification)):
        kind(config).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


def load_start(folder: Path) -> object:
    return load_model(str(folder), CPU, torch.float32)


def load_reward(folder: Path) -> object:
    return load_classifier(RewardSpec("benchmark.rewards.kind", str(folder)), CPU)


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


def only_pickled(folder: Path, mark: Path) -> None:
    (folder / WEIGHTS).unlink()
    pickled(folder / "pytorch_model.bin", mark)


def pickled_under_another_name(folder: Path, mark: Path) -> None:
    pickled(folder / WEIGHTS, mark)


def shard_in_an_index(folder: Path, mark: Path) -> None:
    names = sorted(read_tensors(folder / WEIGHTS))
    (folder / WEIGHTS).rename(folder / "model-00001.safetensors")
    pickled(folder / "model-00002.bin", mark)
    shards = ["model-00001.safetensors"] * (len(names) - 1) + ["model-00002.bin"]
    index = {"metadata": {}, "weight_map": dict(zip(names, shards, strict=True))}
    (folder / INDEX).write_text(json.dumps(index))


def shard_elsewhere(folder: Path, mark: Path) -> None:
    (folder / WEIGHTS).rename(folder.parent / WEIGHTS)
    index = {"metadata": {}, "weight_map": {"lm_head.weight": f"../{WEIGHTS}"}}
    (folder / INDEX).write_text(json.dumps(index))


def adapter_beside(folder: Path, mark: Path) -> None:
    config = {"peft_type": "LORA", "r": 1, "target_modules": ["q_proj"]}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    pickled(folder / "adapter_model.bin", mark)


def code_of_its_own(folder: Path, mark: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    own = {
        "AutoConfig": "own.Config",
        "AutoModelForCausalLM": "own.Model",
        "AutoModelForSequenceClassification": "own.Model",
    }
    config |= {"model_type": "never_seen", "auto_map": own}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(mark)!r}, 'w')\n")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (only_pickled, "pickled weights only, such as pytorch_model.bin"),
        (pickled_under_another_name, "cannot be loaded as a"),
        (shard_in_an_index, "an index, .* that names 'model-00002.bin'"),
        (shard_elsewhere, r"an index, .* that names '\.\./model.safetensors'"),
        (adapter_beside, "a pickled adapter"),
        (code_of_its_own, "cannot be loaded as a|runs code of its own"),
    ],
)
@pytest.mark.parametrize(("name", "load"), [("start", load_start), ("reward", load_reward)])
def test_a_model_that_would_run_code_is_refused(
    saved: Path,
    tmp_path: Path,
    name: str,
    load: Callable[[Path], object],
    spoil: Callable[[Path, Path], None],
    told: str,
) -> None:
    folder, mark = copied(saved / name, tmp_path / "model"), tmp_path / "ran"
    load(folder)
    spoil(folder, mark)
    with pytest.raises(UsageError, match=told) as refused:
        load(folder)
    assert "\n" not in str(refused.value)
    assert not mark.exists()


def test_pickled_leftovers_that_nobody_reads_are_no_reason(saved: Path, tmp_path: Path) -> None:
    folder, mark = copied(saved / "start", tmp_path / "model"), tmp_path / "ran"
    before = model_digest(str(folder))
    for name in ("optimizer.pt", "training_args.bin"):
        pickled(folder / name, mark)
    load_start(folder)
    assert model_digest(str(folder)) == before
    assert not mark.exists()


@pytest.mark.parametrize("fault", LYING)
def test_weights_that_lie_are_refused(saved: Path, tmp_path: Path, fault: str) -> None:
    folder = copied(saved / "start", tmp_path / "model")
    (folder / WEIGHTS).write_bytes(LYING[fault])
    with pytest.raises(UsageError, match=r"cannot be read as safetensors"):
        read_tensors(folder / WEIGHTS)
    with pytest.raises(UsageError, match=r"model\.path: .* cannot be loaded") as refused:
        load_start(folder)
    assert "\n" not in str(refused.value)


def test_an_adapter_is_safetensors(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 1}))
    pickled(tmp_path / "adapter_model.bin", tmp_path / "ran")
    with pytest.raises(UsageError, match="pickled adapters are not loaded"):
        read_adapter(tmp_path)
    pickled(tmp_path / "adapter_model.safetensors", tmp_path / "ran")
    with pytest.raises(UsageError, match="cannot be read as safetensors"):
        read_adapter(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_data_set_runs_no_script_and_reads_no_pickle(tmp_path: Path) -> None:
    folder, mark = tmp_path / "pairs", tmp_path / "ran"
    folder.mkdir()
    (folder / "pairs.py").write_text(f"open({str(mark)!r}, 'w')\n")
    pickled(folder / "train.pkl", mark)
    sources = [str(folder), {"path": "pandas", "folder": str(folder)}]
    for source in sources:
        with pytest.raises(UsageError, match=r"benchmark\.pairs\.kind: ") as refused:
            read_pairs(source, "kind")
        assert "\n" not in str(refused.value)
    assert not mark.exists()


FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
LOKY = "joblib.externals.loky"  # starts processes
CALLS = r"(torch|np|numpy)\.load|pd\.read_pickle|yaml\.(unsafe_|full_)?load|os\.(system|popen)"


def sources() -> Iterator[tuple[str, ast.AST]]:
    for package in ("", ".methods", ".benchmarks", ".metrics"):
        root = Path(str(files(f"paretosteer{package}")))
        for path in sorted(root.rglob("*.py")):
            yield path.name, ast.parse(path.read_text(encoding="utf-8"))


COMPILED = "compile(source, path, 'exec', dont_inherit=True)"
ASKED = {COMPILED, f"exec({COMPILED}, vars(module))"}  # the file that `--plugin` names


def test_nothing_in_the_source_reads_pickles_or_runs_text() -> None:
    for name, module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                named += [alias.name for alias in node.names]
                roots = {each.partition(".")[0] for each in named if each != LOKY}
                assert not FORBIDDEN & roots, name
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert not re.fullmatch(CALLS, called), f"{name}: {called}"
                asked = ast.unparse(node) in ASKED
                assert asked or called not in {"eval", "exec", "compile", "__import__"}, name
                if called.startswith("subprocess."):
                    assert name in (
                        "provenance.py",
                        "vllm_process.py",
                    ) and "shell" not in ast.unparse(node)


def test_every_model_is_loaded_from_safetensors_and_without_its_code() -> None:
    loads = [
        (name, node)
        for name, module in sources()
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).endswith(".from_pretrained")
        # An adapter has no code, and its weights are those that the export has just written.
        and ast.unparse(node.func) != "PeftModel.from_pretrained"
    ]
    assert len(loads) >= 6
    for name, load in loads:
        given = {each.arg: ast.unparse(each.value) for each in load.keywords}
        owner = ast.unparse(load.func)
        # Of reward models, the one that the command line names: see test_rewards_chat.py.
        allowed = {"False"} | (
            {"trusted"} if name in {"loading.py", "read_tokenizer.py", "load_weights.py"} else set()
        )
        assert given.get("trust_remote_code") in allowed, owner
        assert "Config" in owner or "Tokenizer" in owner or given["use_safetensors"] == "True"


def test_only_the_command_line_says_what_is_trusted() -> None:
    found = []
    for name, module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "trusted":
                found.append((name, ast.unparse(node.value)))
            if isinstance(node, ast.NamedExpr) and node.target.id == "trusted":
                found.append((name, ast.unparse(node.value)))
    allowed = {"_runs_own_code(spec, folder)", "is_trusted(spec.path)"}
    assert set(found) == {("loading.py", call) for call in allowed}
