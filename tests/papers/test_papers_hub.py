"""The published names themselves: found in a cache as the hub's own library lays it out."""

import shutil

import datasets
import huggingface_hub
import pytest
from paper_rows import hh_rlhf
from test_papers_tasks import TINY

from paretosteer.benchmarks.papers.task_data import read_items
from paretosteer.cells.record import read_record
from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.text.pairs.hub_commit import hub_commit
from paretosteer.text.pairs.pair_source import Source

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TASK = ["benchmark=helpful_assistant", "model=hf", "model.pad_token=eos", "method=start"]
START = "model.path=meta-llama/Llama-2-7b-hf"


@pytest.fixture
def empty_hub(tmp_path, monkeypatch):
    """No network, and nothing in the caches."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "datasets"))
    read_items.cache_clear()  # what another test read under the same name
    hub_commit.cache_clear()
    return tmp_path / "hub"


def keep_model(cache, hub, name) -> None:
    """A model as downloads leave it: models--org--name/snapshots/COMMIT, and a ref to it."""
    folder = cache / f"models--{name.replace('/', '--')}"
    shutil.copytree(hub / name, folder / "snapshots" / COMMIT)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)


def keep_data(cache, name, rows, commit=COMMIT) -> None:
    """A data set as `datasets` keeps what it has loaded: org___name/default/0.0.0/COMMIT."""
    whole = datasets.DatasetDict(
        {split: datasets.Dataset.from_list(list(part)) for split, part in rows.items()}
    )
    folder = cache / name.replace("/", "___") / "default" / "0.0.0" / commit
    folder.mkdir(parents=True)
    short = name.rpartition("/")[2]
    splits = datasets.SplitDict(dataset_name=short)
    for split, part in whole.items():
        with datasets.arrow_writer.ArrowWriter(path=f"{folder}/{short}-{split}.arrow") as writer:
            for row in part:
                writer.write(row)
            count, size = writer.finalize()
        splits.add(datasets.SplitInfo(split, num_bytes=size, num_examples=count))
    info = datasets.DatasetInfo(
        features=part.features, splits=splits, builder_name="json", dataset_name=short,
        config_name="default", version="0.0.0",
    )  # fmt: skip
    info.write_to_directory(str(folder))


def test_hub_names_resolve_offline_from_the_cache(hub, empty_hub, tmp_path):
    """Not one path is given: every name is the published one."""
    for name in (
        "meta-llama/Llama-2-7b-hf",
        "Ray2333/gpt2-large-helpful-reward_model",
        "Ray2333/gpt2-large-harmless-reward_model",
        "mohameddhiab/humor-no-humor",
    ):
        keep_model(empty_hub, hub, name)
    rows = {"train": map(hh_rlhf, range(60)), "test": map(hh_rlhf, range(100, 106))}
    keep_data(tmp_path / "datasets", "Anthropic/hh-rlhf", rows)
    tiny = [setting for setting in TINY if not setting.startswith("method.")]
    where = [f"sweep_dir={tmp_path / 'out'}", "benchmark.max_new_tokens=6"]
    assert main(["run", *TASK, START, *tiny, *where]) == 0
    (cell,) = (tmp_path / "out/helpful_assistant/start").glob("seed0-*")
    record = read_record(cell)
    assert record.status == "ok" and record.model.name == "Llama-2-7b-hf"
    paths = [reward["path"] for reward in record.config["benchmark"]["rewards"].values()]
    assert paths[0] == "Ray2333/gpt2-large-helpful-reward_model"


def test_data_of_another_commit_are_another_cell(empty_hub, tmp_path):
    cache, name = tmp_path / "datasets", "Anthropic/hh-rlhf"
    other = COMMIT[::-1]
    rows = {"train": list(map(hh_rlhf, range(6)))}
    keep_data(cache, name, rows)
    hub_commit.cache_clear()
    first = Source.of(name, "helpful").digest()
    assert first == Source.of({"path": name, "revision": COMMIT}, "helpful").digest()
    with pytest.raises(UsageError, match=rf"revision {other} cannot be resolved .* has {COMMIT}"):
        Source.of({"path": name, "revision": other}, "helpful").digest()
    keep_data(cache, name, rows, other)
    hub_commit.cache_clear()
    assert Source.of(name, "helpful").digest() != first
    with pytest.raises(UsageError, match="revision v1 cannot be resolved without a network"):
        Source.of({"path": name, "revision": "v1"}, "helpful").digest()
    hub_commit.cache_clear()


@pytest.mark.parametrize("missing", ["model.path", "benchmark.data", "benchmark.rewards.helpful"])
def test_a_name_that_cannot_be_fetched_names_the_folder_option(
    missing, hub, empty_hub, tmp_path, capsys
):
    given = {
        "model.path": hub / "meta-llama/Llama-2-7b-hf",
        "benchmark.data": hub / "Anthropic/hh-rlhf",
        "benchmark.rewards.helpful": hub / "Ray2333/gpt2-large-helpful-reward_model",
        "benchmark.rewards.harmless": hub / "Ray2333/gpt2-large-harmless-reward_model",
        "benchmark.rewards.humour": hub / "mohameddhiab/humor-no-humor",
    }
    del given[missing]
    paths = [f"{option}={path}" for option, path in given.items()]
    unfound = [START] if missing == "model.path" else []
    tiny = [setting for setting in TINY if not setting.startswith("method.")]
    assert main(["run", *TASK, *unfound, *paths, *tiny, f"sweep_dir={tmp_path / 'out'}"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert line.startswith(f"paretosteer: {missing}")
    assert "use a folder" in line or "use a file" in line
    assert not (tmp_path / "out").exists()
