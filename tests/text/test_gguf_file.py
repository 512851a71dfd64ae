"""GGUF files as start models: dequantised once, refused in one line, nothing half-written."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
import tokenizers
import torch

from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Banks
from paretosteer.policies.control import Control
from paretosteer.serving.export_folder import export
from paretosteer.storage import cache
from paretosteer.storage.digest import file_digest
from paretosteer.text import gguf_file
from paretosteer.text.generate import Decoding
from paretosteer.text.gguf_check import split_as_stated
from paretosteer.text.model import load_model
from paretosteer.text.model_source import model_digest, model_folder
from paretosteer.text.policy import TextPolicy

gguf = pytest.importorskip("gguf")
WIDTH, INNER = 32, 64
TOKENS = [
    "<unk>",
    "<s>",
    "</s>",
    *(f"<0x{i:02X}>" for i in range(256)),
    "▁",
    "▁a",
    "▁the",
    "e",
    "t",
]
Q8 = gguf.GGMLQuantizationType.Q8_0


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path / "cache"))


def write(path: Path, architecture: str = "llama", seed: int = 0, more=lambda writer: None) -> Path:
    """A llama of one layer in 8 bits, with a tokenizer of bytes; `more` adds to the file."""
    writer = gguf.GGUFWriter(path, architecture)
    more(writer)
    writer.add_name("tiny")
    writer.add_context_length(128)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // 2)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(TOKENS)
    writer.add_token_scores([-float(max(0, i - 258)) for i in range(len(TOKENS))])
    writer.add_token_types([2, 3, 3, *[6] * 256, *[1] * 5])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    generator = torch.Generator().manual_seed(seed)
    layer, vocabulary = "blk.0.", len(TOKENS)
    shapes = {
        "token_embd": (vocabulary, WIDTH),
        "output": (vocabulary, WIDTH),
        **{f"{layer}attn_{part}": (WIDTH, WIDTH) for part in ("q", "k", "v", "output")},
        **{f"{layer}ffn_{part}": (INNER, WIDTH) for part in ("gate", "up")},
        f"{layer}ffn_down": (WIDTH, INNER),
    }
    for name, shape in shapes.items():
        weight = gguf.quantize((0.1 * torch.randn(shape, generator=generator)).numpy(), Q8)
        writer.add_tensor(f"{name}.weight", weight, raw_dtype=Q8)
    for name in ("output_norm", f"{layer}attn_norm", f"{layer}ffn_norm"):
        writer.add_tensor(f"{name}.weight", torch.ones(WIDTH).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def entries() -> list[Path]:
    """Folders in the cache of GGUF files, drafts included."""
    return [path for path in (cache.root() / "gguf").glob("*") if path.is_dir()]


def test_a_file_is_dequantised_once(tmp_path, monkeypatch):
    path = str(write(tmp_path / "tiny.gguf"))
    model = load_model(path, torch.device("cpu"), torch.float32)
    assert model.hub_name is model.commit is None and model.name == "tiny.gguf"
    (folder,) = entries()
    assert model_folder(path) == str(folder) and (folder / "model.safetensors").is_file()
    # transformers permutes queries and keys only.
    tensors = {x.name: x for x in gguf.GGUFReader(path).tensors}
    expected = gguf.dequantize(tensors["token_embd.weight"].data, Q8)
    found = model.network.get_input_embeddings().weight
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=0, atol=0)

    def again(*_):
        raise AssertionError("was dequantised again")

    monkeypatch.setattr(gguf_file, "_dequantise", again)
    load_model(path, torch.device("cpu"), torch.float32)


def test_the_digest_is_that_of_the_file(tmp_path):
    path = write(tmp_path / "tiny.gguf")
    assert model_digest(str(path)) == file_digest(path)


@pytest.mark.parametrize("kept", [100, 200, 0.5, 0.95])
def test_a_truncated_file(tmp_path, kept):
    path = write(tmp_path / "tiny.gguf")
    content = path.read_bytes()
    path.write_bytes(content[: kept if kept > 1 else int(kept * len(content))])
    assert_refused(path, "cannot be read as GGUF")


def test_an_unknown_architecture(tmp_path):
    assert_refused(write(tmp_path / "odd.gguf", "strange"), "strange is not supported")


UNREAD = {
    "rope_freqs.weight": lambda w: w.add_tensor("rope_freqs.weight", 2 * np.ones(8, "float32")),
    "blk.0.attn_q.bias": lambda w: w.add_tensor("blk.0.attn_q.bias", np.ones(WIDTH, "float32")),
    "rope.scaling.factor=4.0": lambda w: w.add_rope_scaling_factor(4.0),
    "final_logit_softcapping=30.0": lambda w: w.add_final_logit_softcapping(30.0),
    "attention.sliding_window=16": lambda w: w.add_sliding_window(16),
    "attention.causal=False": lambda w: w.add_causal_attention(False),
    "add_space_prefix=False": lambda w: w.add_add_space_prefix(False),
    "remove_extra_whitespaces=True": lambda w: w.add_remove_extra_whitespaces(True),
    "ggml.lowercase=True": lambda w: w.add_bool("tokenizer.ggml.lowercase", True),
}


@pytest.mark.parametrize("part", UNREAD)
def test_what_transformers_does_not_read_of_a_file_is_refused(part, tmp_path):
    assert_refused(write(tmp_path / "tiny.gguf", more=UNREAD[part]), re.escape(part))


HARMLESS = {
    "no scaling": lambda w: w.add_rope_scaling_type(gguf.RopeScalingType.NONE),
    "factors of one": lambda w: w.add_tensor("rope_freqs.weight", np.ones(8, "float32")),
    "causal": lambda w: w.add_causal_attention(True),
    "spaces": lambda w: (w.add_add_space_prefix(True), w.add_remove_extra_whitespaces(False)),
    "numbers of tokens": lambda w: w.add_uint32("tokenizer.ggml.fim_pre_token_id", 5),
    "the head's own size": lambda w: w.add_key_length(WIDTH // 2),
}


@pytest.mark.parametrize("part", HARMLESS)
def test_what_changes_nothing_is_read(part, tmp_path):
    path = str(write(tmp_path / "tiny.gguf", more=HARMLESS[part]))
    assert load_model(path, torch.device("cpu"), torch.float32).name == "tiny.gguf"


def test_ends_of_turns_and_messages_are_ends(tmp_path):
    def ends(*names):
        def more(w):
            for i, name in enumerate(names):
                getattr(w, f"add_{name}_token_id")(7 + i)

        path = str(write(tmp_path / f"{'_'.join(names)}.gguf", more=more))
        return load_model(path, torch.device("cpu"), torch.float32).ends

    assert ends() == (2,)
    assert ends("eot", "eom") == (2, 7, 8)
    assert ends("eom") == (2, 7)


class Stated:
    """Reader of a file with a tokenizer's model and its way of splitting words."""

    def __init__(self, pre):
        kind = [gguf.GGUFValueType.STRING]
        stated = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": pre}
        self.fields = {
            key: SimpleNamespace(parts=[text.encode()], data=[0], types=kind)
            for key, text in stated.items()
            if text is not None
        }


def byte_level():
    tokenizer = SimpleNamespace(backend_tokenizer=tokenizers.Tokenizer(tokenizers.models.BPE()))
    tokenizer.backend_tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=False
    )
    return tokenizer


@pytest.mark.parametrize(
    ("pre", "words"),
    [
        (None, ["in", "Ġ1024"]),
        ("gpt-2", ["in", "Ġ1024"]),
        ("smollm", ["in", "Ġ", "1", "0", "2", "4"]),
    ],
)
def test_words_are_split_as_the_file_states(pre, words):
    tokenizer = byte_level()
    split_as_stated(Stated(pre), tokenizer)
    split = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("in 1024")
    assert [word for word, _ in split] == words


def test_an_unknown_way_of_splitting_words_is_refused():
    with pytest.raises(ValueError, match="split in a way that is not known, 'poro-chat'"):
        split_as_stated(Stated("poro-chat"), byte_level())


def test_a_way_that_transformers_knows_stays(tmp_path):
    tokenizer = byte_level()
    own = tokenizers.pre_tokenizers.Sequence([tokenizer.backend_tokenizer.pre_tokenizer])
    tokenizer.backend_tokenizer.pre_tokenizer = own
    split_as_stated(Stated("llama-bpe"), tokenizer)
    assert isinstance(tokenizer.backend_tokenizer.pre_tokenizer, tokenizers.pre_tokenizers.Sequence)


def test_a_file_of_something_else(tmp_path):
    path = tmp_path / "text.gguf"
    path.write_text("Once upon a time")
    assert_refused(path, "cannot be read as GGUF")


def test_without_the_package(tmp_path, monkeypatch):
    path = write(tmp_path / "tiny.gguf")
    monkeypatch.setattr(gguf_file, "find_spec", lambda _: None)
    assert_refused(path, r"pip install 'paretosteer\[gguf\]'")


def test_a_missing_file(tmp_path):
    assert_refused(tmp_path / "none.gguf", "does not exist")


def test_a_revision(tmp_path):
    with pytest.raises(UsageError, match="is a file; use it with hub names only"):
        model_folder(str(write(tmp_path / "tiny.gguf")), revision="main")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub's cache with two commits of one GGUF file in a folder; returns where they are."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--someone--small-GGUF"
    for seed, commit in enumerate(("a" * 40, "b" * 40)):
        folder = repository / "snapshots" / commit / "quantised"
        folder.mkdir(parents=True)
        write(folder / "tiny.gguf", seed=seed)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    return repository


NAME = "someone/small-GGUF/quantised/tiny.gguf"


def test_a_file_of_the_hub_is_that_of_its_commit(hub):
    files = {c: hub / "snapshots" / (c * 40) / "quantised" / "tiny.gguf" for c in "ab"}
    model = load_model(NAME, torch.device("cpu"), torch.float32)
    assert (model.name, model.commit) == ("tiny.gguf", "a" * 40)
    assert model.hub_name is None  # by which PEFT would load the base of an export
    assert model_digest(NAME) == file_digest(files["a"])
    (hub / "refs" / "main").write_text("b" * 40)
    moved = load_model(NAME, torch.device("cpu"), torch.float32)
    assert moved.commit == "b" * 40 and model_digest(NAME) == file_digest(files["b"])
    assert model_digest(NAME, revision="a" * 40) == file_digest(files["a"])
    pinned = load_model(NAME, torch.device("cpu"), torch.float32, revision="a" * 40)
    assert pinned.commit == "a" * 40
    weights = [m.network.get_input_embeddings().weight for m in (model, moved, pinned)]
    assert torch.equal(weights[0], weights[2]) and not torch.equal(weights[0], weights[1])


def test_a_file_of_the_hub_is_exported_with_a_base_that_loads(hub, tmp_path):
    model = load_model(NAME, torch.device("cpu"), torch.float32)
    policy = TextPolicy(model, Banks(1, 2, 4.0), Decoding(4), seed=0)
    about = dict.fromkeys(("method", "variant", "benchmark", "cell"), "x")
    about |= {"preference": {"a": 1.0}, "dials": {}}
    export(policy, Control.soup([[1.0]]), tmp_path / "out", "peft", about)
    (folder,) = entries()
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(folder) and "revision" not in config
    readme = (tmp_path / "out" / "README.md").read_text()
    assert f'from_pretrained("{folder}")' in readme and "revision" not in readme


@pytest.mark.parametrize(
    "path", ["someone/small-GGUF/other.gguf", "nobody/none/tiny.gguf", "models/sub/tiny.gguf"]
)
def test_a_file_that_neither_the_hub_nor_the_disk_has(hub, path):
    assert_refused(path, f"the file '{path}' does not exist, and no file .* from the hub")


def test_a_folder_that_has_gguf_files_only(tmp_path):
    (tmp_path / "model").mkdir()
    write(tmp_path / "model" / "tiny.gguf")
    with pytest.raises(UsageError, match=r"model\.path=.*/model/FILE\.gguf$"):
        model_folder(f"{tmp_path / 'model'}/")


def test_a_name_of_the_hub_that_has_gguf_files_only(hub):
    with pytest.raises(UsageError, match=r"model\.path=someone/small-GGUF/FILE\.gguf$"):
        model_folder("someone/small-GGUF")


def assert_refused(path: Path, match: str) -> None:
    """One line that names the option, and nothing in the cache."""
    with pytest.raises(UsageError, match=match) as caught:
        load_model(str(path), torch.device("cpu"), torch.float32)
    assert str(caught.value).startswith("model.path: ") and "\n" not in str(caught.value)
    assert entries() == []
