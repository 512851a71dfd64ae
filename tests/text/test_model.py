"""Start models: what is refused, and in which words."""

import json
import os
import shutil

import huggingface_hub
import pytest
import torch

from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.serving.export_folder import export
from paretosteer.text.generate import Decoding
from paretosteer.text.model import load_model
from paretosteer.text.model_notes import model_notes
from paretosteer.text.model_source import model_digest
from paretosteer.text.policy import TextPolicy
from paretosteer.text.rewards import RewardSpec, reward_digest

CPU = torch.device("cpu")


def saved(model, folder):
    model.network.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_saved_folder_loads(llama, tmp_path):
    loaded = load_model(saved(llama, tmp_path), CPU, torch.float32)
    assert loaded.context == 128 and loaded.tokenizer.padding_side == "left"
    assert not any(p.requires_grad for p in loaded.network.parameters())


@pytest.mark.parametrize("path", ["mine", "mine/", "./mine", "../here/mine", ".", ".."])
def test_a_folder_in_any_spelling_is_no_name_of_the_hub(llama, tmp_path, monkeypatch, path):
    folder = tmp_path / "here" / "mine"
    saved(llama, folder)
    (folder / "inside").mkdir()
    places = {".": folder, "..": folder / "inside"}
    monkeypatch.chdir(places.get(path, folder.parent))
    loaded = load_model(path, CPU, torch.float32)
    assert (loaded.name, loaded.hub_name, loaded.commit) == ("mine", None, None)
    policy = TextPolicy(loaded, Banks(1, 2, 4.0), Decoding(4), seed=0)
    for layer in policy.layers.values():
        torch.nn.init.normal_(layer.parts(0)["B"], std=0.3)
    about = dict.fromkeys(("method", "variant", "benchmark", "cell"), "x")
    about |= {"preference": {"good": 1.0}, "dials": {}}
    export(policy, Control.soup([[1.0]]), tmp_path / "out", "peft", about)
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(folder)
    assert config.get("revision") is None


def test_the_digest_follows_the_weights(llama, tmp_path):
    before = model_digest(saved(llama, tmp_path))
    assert model_digest(str(tmp_path)) == before
    (tmp_path / "unrelated.log").write_text("x")
    assert model_digest(str(tmp_path)) == before
    llama.network.model.norm.weight.data += 1
    assert model_digest(saved(llama, tmp_path)) != before


@pytest.mark.parametrize("path", ["./missing", "/missing/model", "a/b/c"])
def test_a_missing_folder(path):
    with pytest.raises(UsageError, match=r"model.path: the folder .* does not exist"):
        load_model(path, CPU, torch.float32)


def test_a_folder_that_is_no_model(tmp_path):
    with pytest.raises(UsageError, match=r"has no config\.json"):
        load_model(str(tmp_path), CPU, torch.float32)
    for config in (json.dumps({"a": 1}), "[" * 100_000):
        (tmp_path / "config.json").write_text(config)
        with pytest.raises(UsageError, match="has no model_type"):
            load_model(str(tmp_path), CPU, torch.float32)


@pytest.mark.parametrize("place", ["attn_implementation", "text_config"])
def test_attention_code_of_the_hub_is_never_loaded(llama, tmp_path, place):
    """With the package kernels installed, transformers would download and run it."""
    saved(llama, tmp_path)
    name = "kernels-community/flash-attn"
    config = json.loads((tmp_path / "config.json").read_text())
    added = {place: {"_attn_implementation": name} if place == "text_config" else name}
    (tmp_path / "config.json").write_text(json.dumps(config | added))
    with pytest.raises(UsageError, match=rf"attention code of the hub, '{name}', .* remove _?attn"):
        load_model(str(tmp_path), CPU, torch.float32)


def test_pickled_weights_are_never_loaded(llama, tmp_path):
    saved(llama, tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save(llama.network.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(UsageError, match="pickled weights only"):
        load_model(str(tmp_path), CPU, torch.float32)


def test_damaged_weights(llama, tmp_path):
    path = saved(llama, tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UsageError, match=r"model\.path: .* cannot|can be loaded"):
        load_model(path, CPU, torch.float32)


def test_a_tokenizer_without_padding_names_the_remedy(llama, tmp_path):
    llama.tokenizer.pad_token = None
    path = saved(llama, tmp_path)
    with pytest.raises(UsageError, match=r"no padding token; set model\.pad_token=eos"):
        load_model(path, CPU, torch.float32)
    loaded = load_model(path, CPU, torch.float32, pad_token="eos")
    assert loaded.tokenizer.pad_token_id == loaded.tokenizer.eos_token_id
    unknown = loaded.tokenizer.unk_token  # a common choice for Llama
    assert load_model(path, CPU, torch.float32, pad_token=unknown).tokenizer.pad_token == unknown
    with pytest.raises(UsageError, match=r"model\.pad_token: 'nope' is not a token"):
        load_model(path, CPU, torch.float32, pad_token="nope")
    word = next(token for token in llama.tokenizer.get_vocab() if token.isalpha())
    with pytest.raises(UsageError, match=r"model\.pad_token: the padding token .* ordinary text"):
        load_model(path, CPU, torch.float32, pad_token=word)


def test_a_hub_name_without_network(monkeypatch):
    with pytest.raises(UsageError, match=r"use a folder with config\.json"):
        load_model("someone/no-such-model", CPU, torch.float32)


READ = [
    "chat_template.jinja",
    "additional_chat_templates/tools.jinja",
    "qwen.tiktoken",
    "source.spm",
    "tokenizer_own.py",
    "vocab.txt",
    "merges",
    "nested/deeper/bpe.model",
]
UNREAD = [
    "README.md",
    "LICENSE",
    "training.log",
    "tf_model.h5",
    "optimizer.pt",
    "checkpoint-10/model.safetensors",
    ".git/HEAD",
    ".cache/huggingface/x.json",
    "__pycache__/own.json",
]


@pytest.mark.parametrize("name", [*READ, *UNREAD])
def test_the_digest_covers_every_file_that_is_read(llama, tmp_path, name):
    file = tmp_path / "model" / name
    digests = [model_digest(saved(llama, tmp_path / "model"))]
    file.parent.mkdir(parents=True, exist_ok=True)
    for text in ("one", "two, longer"):
        file.write_text(text)
        digests.append(model_digest(str(tmp_path / "model")))
    assert len(set(digests)) == (3 if name in READ else 1)


@pytest.mark.parametrize("name", ["generation_config.json", "chat_template.jinja", "more/x.json"])
def test_a_link_to_nothing_is_refused(llama, tmp_path, name):
    """As in a hub cache of which a blob was removed; loaders would do without the file."""
    saved(llama, tmp_path / "model")
    link = tmp_path / "model" / name
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "blobs" / "0a1b2c")
    with pytest.raises(UsageError, match=f"'{name}' in .* is not a file, or a link to one"):
        model_digest(str(tmp_path / "model"))
    link.unlink()
    (tmp_path / "model" / "README.md").symlink_to(tmp_path / "blobs" / "0a1b2c")
    model_digest(str(tmp_path / "model"))


def test_an_edit_that_preserves_size_and_times_changes_the_digest(llama, tmp_path):
    folder = tmp_path / "model"
    saved(llama, folder)
    file = folder / "chat_template.jinja"
    file.write_text("one")
    before, stat = model_digest(str(folder)), file.stat()
    file.write_text("two")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    assert model_digest(str(folder)) != before


def test_the_digest_follows_links_and_ends(llama, tmp_path):
    before = model_digest(saved(llama, tmp_path / "model"))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "tools.jinja").write_text("one")
    (tmp_path / "model" / "loop").symlink_to(tmp_path / "model")
    assert model_digest(str(tmp_path / "model")) == before
    (tmp_path / "model" / "additional_chat_templates").symlink_to(tmp_path / "elsewhere")
    linked = model_digest(str(tmp_path / "model"))
    (tmp_path / "elsewhere" / "tools.jinja").write_text("two, longer")
    assert len({before, linked, model_digest(str(tmp_path / "model"))}) == 3


@pytest.fixture
def hub(llama, tmp_path, monkeypatch):
    """A hub's cache with two commits of one model; returns a function that moves its main."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--someone--small"
    for commit in ("a" * 40, "b" * 40):
        saved(llama, repository / "snapshots" / commit)
        llama.network.model.norm.weight.data += 1
    (repository / "refs").mkdir()

    def move(commit, ref="main"):
        (repository / "refs" / ref).write_text(commit)

    move("a" * 40)
    return move


def test_a_hub_name_is_its_commit(hub, tmp_path):
    first = model_digest("someone/small")
    assert load_model("someone/small", CPU, torch.float32).commit == "a" * 40
    hub("b" * 40)
    second = model_digest("someone/small")
    loaded = load_model("someone/small", CPU, torch.float32)
    assert first != second and loaded.commit == "b" * 40 and loaded.name == "small"
    assert model_digest("someone/small", revision="a" * 40) == first
    hub("a" * 40, ref="v1")
    pinned = load_model("someone/small", CPU, torch.float32, revision="v1")
    assert model_digest("someone/small", revision="v1") == first and pinned.commit == "a" * 40
    assert not torch.equal(pinned.network.model.norm.weight, loaded.network.model.norm.weight)


def test_an_edited_snapshot_is_another_model(hub, tmp_path):
    first = model_digest("someone/small")
    template = (
        tmp_path / "models--someone--small" / "snapshots" / ("a" * 40) / "chat_template.jinja"
    )
    template.write_text("{{ messages }}")
    assert model_digest("someone/small") != first


@pytest.mark.skipif(
    not hasattr(huggingface_hub, "get_cached_repo_tree"), reason="this version keeps no lists"
)
def test_a_snapshot_that_lacks_files_or_may_lack_them_is_noted(hub, tmp_path):
    repository = tmp_path / "models--someone--small"
    snapshot = repository / "snapshots" / ("a" * 40)
    model = load_model("someone/small", CPU, torch.float32)
    names = [path.name for path in snapshot.iterdir()]
    unread = ["README.md", "pytorch_model.bin", "onnx/model.onnx"]
    (repository / "trees").mkdir()

    def noted(listed):
        if listed is not None:
            content = {"format_version": 1, "files": {name: {} for name in listed}}
            (repository / "trees" / f"{'a' * 40}.json").write_text(json.dumps(content))
        return model_notes("The start model", model.network, model.tokenizer, str(snapshot))

    (unknown,) = noted(None)
    assert "never compared with the hub's list of files" in unknown
    own = shutil.copytree(snapshot, tmp_path / "run" / "snapshots" / "step100")
    assert model_notes("The start model", model.network, model.tokenizer, str(own)) == []
    assert noted(names + unread) == []
    assert noted([*names, "chat_template.jinja", "added_tokens.json"]) == [
        "The start model is a snapshot in the hub's cache that lacks added_tokens.json, "
        "chat_template.jinja."
    ]


def test_revisions_that_do_not_exist(hub, tmp_path):
    with pytest.raises(UsageError, match=r"model\.path: .* at revision 'v9' can be loaded"):
        model_digest("someone/small", revision="v9")
    folder = str(tmp_path / "models--someone--small" / "snapshots" / ("a" * 40))
    with pytest.raises(UsageError, match=r"^model\.revision: found 'v1', but .* is a folder"):
        load_model(folder, CPU, torch.float32, revision="v1")


def test_a_reward_model_of_the_hub_is_its_commit(hub):
    spec = RewardSpec.of({"path": "someone/small"}, "good")
    first = reward_digest(spec)
    hub("b" * 40)
    assert reward_digest(spec) != first
    pinned = RewardSpec.of({"path": "someone/small", "revision": "a" * 40}, "good")
    assert reward_digest(pinned) == first


@pytest.mark.parametrize("form", ["model", "peft"])
def test_an_export_names_the_hub_s_model_and_its_commit(hub, tmp_path, form):
    """Not the folder of this machine's cache, which other machines do not have."""
    model = load_model("someone/small", CPU, torch.float32)
    policy = TextPolicy(model, Banks(1, 2, 4.0), Decoding(4), seed=0)
    for layer in policy.layers.values():
        torch.nn.init.normal_(layer.parts(0)["B"], std=0.3)
    about = dict.fromkeys(("method", "variant", "benchmark", "cell"), "x")
    about |= {"preference": {"good": 1.0}, "dials": {}}
    export(policy, Control.soup([[1.0]]), tmp_path / "out", form, about)
    readme = (tmp_path / "out" / "README.md").read_text()
    assert str(tmp_path) not in readme
    if form == "peft":
        config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
        assert config["base_model_name_or_path"] == "someone/small"
        assert config["revision"] == "a" * 40
        assert f'from_pretrained("someone/small", revision="{"a" * 40}")' in readme
