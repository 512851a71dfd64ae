"""Small human data: counts before training, cuts, and the tolerance for few held-out pairs."""

import json
from types import SimpleNamespace

import pytest
from cooking_pairs import rows

from paretosteer.benchmarks.preferences.embedded_start import _sizes, size_note
from paretosteer.benchmarks.preferences.pair_data import (
    LONGEST,
    LONGEST_PROMPT,
    Data,
    _last_turns,
)
from paretosteer.benchmarks.preferences.pair_rewards import Rewards, _refuse_poor
from paretosteer.commands.main import main
from paretosteer.errors import UsageError
from paretosteer.runtime import progress
from paretosteer.text.dialogue import Turn


def files(folder, count, extra=()):
    paths = {}
    for seed, name in enumerate(("helpful", "harmless")):
        given = [row for _, row in zip(range(count), rows(seed, "salt", "fire"), strict=False)]
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in [*given, *extra]))
        paths[name] = str(path)
    return paths


def test_a_dry_run_counts_pairs_and_gives_reasons(tmp_path, capsys):
    tie = {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: b"}
    pairs = [f"benchmark.pairs.{n}={p}" for n, p in files(tmp_path, 80, [tie]).items()]
    assert main(["sweep", "benchmark=preferences", "--dry-run", *pairs]) == 0
    shown = capsys.readouterr().out
    assert shown.count("80 of 81 pairs are used; left out: 1 with the same answer") == 2


def test_too_few_pairs_are_counted_before_anything_is_trained(tmp_path, capsys):
    pairs = [f"benchmark.pairs.{n}={p}" for n, p in files(tmp_path, 7).items()]
    assert main(["run", "benchmark=preferences", f"sweep_dir={tmp_path / 'out'}", *pairs]) == 2
    error = capsys.readouterr().err
    assert "helpful: 7 of 7 pairs are used; split by prompt into train" in error
    assert "provide more pairs" in error
    assert not (tmp_path / "out").exists()


def test_a_huge_answer_is_cut_and_counted(tmp_path):
    prompt = "\n\nHuman: tell me all\n\nAssistant: "
    huge = {"chosen": prompt + "word " * 400_000, "rejected": prompt + "no"}
    data = Data.of(files(tmp_path, 80, [huge]), judge=False)
    assert max(len(pair.chosen) for pair in data.sets[0].pairs) == LONGEST
    assert data.counts()[-1] == "2 human answers exceed 20000 characters and are cut."


def test_a_huge_prompt_keeps_both_ends_and_is_counted(tmp_path):
    text = "first " + "word " * 400_000 + "last"
    huge = {"prompt": text, "chosen": "yes", "rejected": "no"}
    whole = [{"prompt": f"What is {n}?", "chosen": "yes", "rejected": "no"} for n in range(80)]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*whole, huge]))
    data = Data.of({"helpful": str(path), "harmless": str(path)}, judge=False)
    (turn,) = data.sets[0].pairs[-1].prompt
    assert len(turn.text) == LONGEST_PROMPT + 1
    assert turn.text.startswith("first word") and turn.text.endswith("word last")
    assert data.sets[0].pairs[0].prompt[0].text == "What is 0?"
    assert "1 prompts exceed 40000 characters" in data.counts()[-1]


def test_a_huge_dialogue_keeps_its_system_and_last_turns():
    turns = [
        turn for n in range(9_000) for turn in (Turn("user", f"Go on {n}"), Turn("assistant", "Ok"))
    ]
    kept = _last_turns((Turn("system", "Be kind."), *turns, Turn("user", "And now?")))
    assert kept[0].text == "Be kind." and kept[1].role == "user" and kept[-1].text == "And now?"
    assert 0.9 * LONGEST_PROMPT < sum(len(turn.text) for turn in kept) <= LONGEST_PROMPT + 8


@pytest.mark.parametrize(
    ("count", "accuracy", "refused"),
    [(90, 0.56, False), (90, 0.5, True), (90, 0.4, True), (600, 0.56, True), (600, 0.61, False)],
)
def test_few_held_out_pairs_do_not_refuse_a_reward_model_by_chance(count, accuracy, refused):
    figures = {"held_out_pairs": count, "accuracy": accuracy, "baseline_accuracy": 0.6}
    if not refused:
        _refuse_poor("models", "helpful", figures)
        return
    with pytest.raises(UsageError, match="no better than a bag of words"):
        _refuse_poor("models", "helpful", figures | {"source": "x"})


@pytest.mark.parametrize(
    ("count", "accuracy", "noted"),
    [
        (90, 0.55, "above chance (50%) or above a bag of words"),
        (90, 0.6, "above a bag of words"),
        (90, 0.7, ""),
        (600, 0.61, ""),
    ],
)
def test_the_record_notes_what_few_held_out_pairs_do_not_show(count, accuracy, noted):
    figures = {"held_out_pairs": count, "accuracy": accuracy, "baseline_accuracy": 0.6}
    figures |= {"tuned_baseline_accuracy": 0.6}
    notes = list(Rewards({}, {}, {"models": {"helpful": figures}}).notes)
    assert len(notes) == (2 if noted else 1)
    assert noted in notes[-1]


def test_lines_of_progress_start_at_once_and_keep_their_distance(monkeypatch):
    clock, said = [100.0], []
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    lines = progress.PeriodicLines("start model", said.append)
    for step in range(1, 41):
        lines.step(step, 400, "2.00 nats per token")
        clock[0] += 1.0
    assert said == [
        "start model: step 1/400, 2.00 nats per token",
        "start model: step 21/400, 2.00 nats per token, about 361 s left",
    ]


def budget(name="quick", embedded_steps=None):
    return SimpleNamespace(name=name, embedded_steps=embedded_steps)


@pytest.mark.parametrize(
    ("budget", "given", "widths"),
    [
        (budget(), {}, [32, 64, 128]),
        (budget("full"), {"vocabulary": 900}, [64, 128, 256]),
        (budget(), {"width": 64}, [64]),
        (budget(), {"steps": 9}, [128]),
        (budget("smoke", 30), {}, [32]),
    ],
)
def test_the_size_is_chosen_unless_it_is_configured(budget, given, widths):
    assert [size.width for size in _sizes(budget, given)] == widths


def test_the_choice_of_a_size_is_noted(tmp_path):
    sizes = [{"width": 32, "validation": 4.9}, {"width": 64, "validation": 5.0}]
    facts = {"parameters": 77888, "size": {"width": 32}, "sizes": sizes}
    (tmp_path / "scratch.json").write_text(json.dumps(facts))
    assert size_note(tmp_path) == (
        "The start model has 77,888 parameters; width 32 chosen by validation loss (4.90 at width "
        "32, 5.00 at width 64)."
    )
    (tmp_path / "scratch.json").write_text(json.dumps(facts | {"sizes": sizes[:1]}))
    assert size_note(tmp_path) is None
