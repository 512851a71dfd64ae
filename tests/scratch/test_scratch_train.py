"""The start model from scratch: it learns, loads as any other, answers and ends its answers."""

import gzip
import json
import math
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up import TURN, dialogues, lists

from paretosteer.errors import UsageError
from paretosteer.policies.conditioning import Unconditioned
from paretosteer.policies.control import Control
from paretosteer.storage.cache import cached, unfinished
from paretosteer.text.generate import Decoding
from paretosteer.text.model import load_model
from paretosteer.text.policy import TextPolicy
from paretosteer.text.samples import Prompt
from paretosteer.text.scratch.model_size import SIZES, Size, size_for, smaller_sizes
from paretosteer.text.scratch.start_model import EPOCHS, refuse_poor, train_start_model, unigram
from paretosteer.text.scratch.token_rows import Row
from paretosteer.training.snapshots import Journal

SIZE = Size(
    400, width=32, layers=1, heads=2, steps=80, learning_rate=2e-2, batch_tokens=512, context=64
)
TEXTS, HELD_OUT = dialogues(200, 0), dialogues(40, 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scratch")
    before = torch.random.get_rng_state(), np.random.get_state()[1].tolist()
    facts = train_start_model(TEXTS, HELD_OUT, folder, SIZE)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()
    return folder, facts


@pytest.fixture(scope="module")
def loaded(trained):
    return load_model(str(trained[0]), torch.device("cpu"), torch.float32)


def test_the_facts_are_those_of_the_folder(trained, loaded):
    folder, facts = trained
    assert json.loads((folder / "scratch.json").read_text()) == facts
    assert facts["parameters"] == sum(p.numel() for p in loaded.network.parameters())
    assert facts["vocabulary"] == len(loaded.tokenizer) == loaded.network.config.vocab_size
    assert facts["steps"] == SIZE.steps
    assert facts["cut"] == 0
    assert loaded.context == SIZE.context


def test_the_loss_is_that_of_the_loaded_model(trained, loaded):
    facts, tokenizer = trained[1], loaded.tokenizer
    nats = tokens = length = 0
    for prompt, answer in HELD_OUT:
        asked = tokenizer(prompt)["input_ids"]
        written = tokenizer(f" {answer}", add_special_tokens=False)["input_ids"]
        written.append(tokenizer.eos_token_id)
        logits = loaded.network(torch.tensor([asked + written])).logits[0, len(asked) - 1 : -1]
        nats -= logits.log_softmax(-1)[range(len(written)), written].sum().item()
        tokens += len(written)
        length += len(f" {answer}".encode())
    assert facts["cross_entropy"] == pytest.approx(nats / tokens, rel=1e-4)
    assert facts["bits_per_byte"] == pytest.approx(nats / math.log(2) / length, rel=1e-4)


def test_it_learns_what_there_is_to_learn(trained):
    facts = trained[1]
    assert facts["cross_entropy"] < 0.2 * facts["unigram"]
    refuse_poor(facts)


def test_answers_are_as_learnt_and_end(loaded):
    policy = TextPolicy(loaded, Unconditioned(), Decoding(24), seed=0)
    prompts = [Prompt(thing, TURN.format(thing)) for thing in ("maps", "rivers", "songs")]
    samples = policy.sample(prompts, Control.start(3), 0, [0] * 3)
    assert (samples.mask.sum(dim=1) < 24).all()
    for text in samples.texts:
        assert re.fullmatch(r" I like \w+, and so does \w+\.", text)


def test_the_same_seed_gives_the_same_files(tmp_path):
    few = Size(300, width=16, layers=1, heads=2, steps=3, learning_rate=1e-2, context=64)
    for name, disturbance in (("a", 1), ("b", 2)):
        torch.manual_seed(disturbance)
        train_start_model(TEXTS, HELD_OUT, tmp_path / name, few, seed=3)
    for file in ("model.safetensors", "tokenizer.json", "config.json"):
        a, b = ((tmp_path / name / file).read_bytes() for name in "ab")
        assert a == b


def test_another_seed_gives_another_model(tmp_path):
    few = Size(300, width=16, layers=1, heads=2, steps=1, learning_rate=1e-2, context=64)
    for seed in (0, 1):
        train_start_model(TEXTS, HELD_OUT, tmp_path / str(seed), few, seed=seed)
    a, b = ((tmp_path / name / "model.safetensors").read_bytes() for name in "01")
    assert a != b


def test_an_untrained_model_is_refused(tmp_path):
    few = Size(400, width=16, layers=1, heads=2, steps=1, learning_rate=1e-6, context=64)
    facts = train_start_model(TEXTS, HELD_OUT, tmp_path, few)
    with pytest.raises(UsageError, match=r"held-out loss is \d\.\d\d .*budget\.embedded_steps"):
        refuse_poor(facts)


def test_a_loss_that_is_no_number_is_refused():
    with pytest.raises(UsageError, match="nan"):
        refuse_poor({"cross_entropy": math.nan, "unigram": 5.0})


def row(ids, answer):
    return Row(ids, ids, answer, cut=False)


def test_the_unigram_model_counts_answers():
    rows = [row((9, 1, 1, 2), 1), row((9, 9, 1, 3), 2)]
    held_out = [row((9, 1, 3), 1), row((5, 4), 1)]
    counts = Counter({1: 3, 2: 1, 3: 1})
    expected = -np.mean([math.log((counts[token] + 1) / (5 + 10)) for token in (1, 3, 4)])
    assert unigram(rows, held_out, 10) == pytest.approx(expected)


def test_larger_budgets_have_larger_models():
    smoke, quick, full = (SIZES[name] for name in ("smoke", "quick", "full"))
    for small, large in ((smoke, quick), (quick, full)):
        assert small.width * small.layers < large.width * large.layers
        assert small.steps < large.steps


def test_configured_fields_replace_those_of_the_budget():
    assert size_for("quick") == size_for("quick", width=None) == SIZES["quick"]
    found = size_for("quick", width=512, heads=8, layers=None)
    assert (found.width, found.heads) == (512, 8)
    assert found.layers == SIZES["quick"].layers


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match=r"width 100 with 8 heads.*multiple of 16"):
        size_for("quick", width=100, heads=8)
    with pytest.raises(UsageError, match="no start model for 'quik'; did you mean 'quick'"):
        size_for("quik")


@pytest.mark.parametrize(("texts", "held_out"), [([], HELD_OUT), (TEXTS, [])])
def test_no_texts_are_refused(texts, held_out, tmp_path):
    with pytest.raises(UsageError, match="provide some of both"):
        train_start_model(texts, held_out, tmp_path / "none", SIZE)
    assert not (tmp_path / "none").exists()


def test_real_dialogues_are_learnt_in_seconds(shared_data, tmp_path):
    texts = []
    for path in sorted((shared_data / "hh_rlhf").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                prompt, mark, answer = json.loads(line)["chosen"].rpartition("\n\nAssistant:")
                texts.append((prompt + mark, answer))
    facts = train_start_model(texts[:900], texts[900:1000], tmp_path, SIZES["smoke"])
    assert facts["cross_entropy"] < facts["unigram"]
    assert facts["seconds"] < 60


def test_few_texts_are_passed_over_a_few_times_and_the_best_checkpoint_is_kept(tmp_path):
    long = Size(300, width=16, layers=1, heads=2, steps=2000, learning_rate=5e-2, context=64)
    few = [(prompt, f"{answer} {i}") for i, (prompt, answer) in enumerate(TEXTS[:60])]
    facts = train_start_model(few, HELD_OUT, tmp_path, long, validation=HELD_OUT, epochs=EPOCHS)
    assert facts["epochs"] == EPOCHS and facts["steps"] < 2000
    assert 0 < facts["best_step"] <= facts["steps"]


LADDER = smaller_sizes(
    Size(300, width=64, layers=2, heads=2, steps=999, learning_rate=5e-3, context=64)
)


@pytest.mark.parametrize(("make", "count", "width"), [(dialogues, 100, 64), (lists, 80, 16)])
def test_the_size_with_the_lowest_validation_loss_is_chosen(tmp_path, make, count, width):
    def train(name, sizes):
        few = {"validation": make(40, 2), "epochs": EPOCHS}
        return train_start_model(make(count, 0), make(40, 1), tmp_path / name, sizes, **few)

    facts = train("ladder", LADDER)
    losses = {size["width"]: size["validation"] for size in facts["sizes"]}
    assert facts["size"]["width"] == width == min(losses, key=losses.get)
    # Sizes that are larger than one that is already too large are not tried.
    assert list(losses) == ([16, 32, 64] if width == 64 else [16, 32])
    (alone,) = (size for size in LADDER if size.width == width)
    train("alone", alone)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("ladder", "alone")]
    assert weights[0] == weights[1]


def test_no_smaller_size_is_tried_where_texts_are_many_or_no_loss_is_measured(tmp_path):
    texts, short = dialogues(300, 0), [replace(size, steps=3) for size in LADDER]
    for name, few in (("many", {"validation": HELD_OUT}), ("unmeasured", {})):
        facts = train_start_model(texts, HELD_OUT, tmp_path / name, short, epochs=EPOCHS, **few)
        assert facts["sizes"] == [{"width": 64, "layers": 2, "validation": None}]


def test_a_killed_choice_of_size_resumes_to_the_same_weights(tmp_path):
    def train(name, **how):
        few = {"validation": lists(20, 2), "epochs": EPOCHS}
        return train_start_model(lists(40, 0), lists(20, 1), tmp_path / name, LADDER, **few, **how)

    whole, seen = train("whole"), []

    def kill(step, total, loss):
        seen.append(step)
        if seen.count(total - 1) == 2:
            raise KilledError

    with pytest.raises(KilledError):
        train("killed", progress=kill, journal=Journal(tmp_path / "kept", every=0))
    more = []
    resumed = train(
        "resumed", progress=lambda *at: more.append(at[0]), journal=Journal(tmp_path / "kept")
    )
    assert more[0] == whole["steps"] - 1  # the first size is not trained again
    assert resumed | {"seconds": 0} == whole | {"seconds": 0}
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "resumed")]
    assert files[0] == files[1]


def test_a_poor_model_of_few_texts_is_not_to_be_trained_longer():
    with pytest.raises(UsageError, match="provide more texts, use a pretrained") as error:
        refuse_poor({"cross_entropy": 9.3, "unigram": 6.35, "epochs": EPOCHS})
    assert "longer" not in str(error.value)


class KilledError(Exception):
    """In place of a kill."""


@pytest.mark.parametrize("epochs", [EPOCHS, 1])
def test_a_killed_training_resumes_to_the_same_weights(tmp_path, epochs):
    size = Size(300, 16, 1, 2, steps=40, learning_rate=1e-2, context=64)

    def train(name, **how):
        return train_start_model(
            TEXTS[:32], HELD_OUT, tmp_path / name, size, validation=HELD_OUT, epochs=epochs, **how
        )

    whole = train("whole")
    seen = []

    def kill(step, total, loss):
        seen.append(step)
        if step == (total * 2) // 3:
            raise KilledError

    with pytest.raises(KilledError):
        train("killed", progress=kill, journal=Journal(tmp_path / "kept", every=0))
    resumed = train(
        "resumed",
        progress=lambda step, total, loss: seen.append(step),
        journal=Journal(tmp_path / "kept"),
    )
    # The step that was killed had no snapshot yet.
    steps, last = whole["steps"], whole["steps"] * 2 // 3
    assert seen == [*range(1, last + 1), *range(last, steps + 1)]
    assert resumed | {"seconds": 0} == whole | {"seconds": 0}
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / "resumed" / name).read_bytes() == (
            tmp_path / "whole" / name
        ).read_bytes()


def test_a_cache_entry_keeps_snapshots_until_it_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("PARETOSTEER_CACHE", str(tmp_path))

    def killed(folder):
        Journal(unfinished(folder)).write({"parameter.0": torch.ones(1)}, {"done": 1})
        raise KilledError

    with pytest.raises(KilledError):
        cached("model", {"a": 1}, killed)

    found = []
    folder = cached("model", {"a": 1}, lambda draft: found.extend(unfinished(draft).iterdir()))
    assert len(found) == 1
    assert not unfinished(folder).exists()
