"""Start models whose chat template refuses some prompts of the pairs, or all of them."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from small_model import write_model
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from paretosteer import make_benchmark
from paretosteer.errors import UsageError
from paretosteer.plugins import registry
from paretosteer.text.dialogue import messages_of
from paretosteer.text.samples import TextSamples

ALTERNATES = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate!') }}{% endif %}{{ m.content }} {% endfor %}"
)
NEVER = "{{ raise_exception('Not for chats!') }}"


@pytest.fixture(scope="module")
def twice_asked(pair_files, tmp_path_factory):
    """The pairs, with a second user turn in every third prompt of one objective."""
    folder = tmp_path_factory.mktemp("twice")
    path = folder / "helpful.jsonl.gz"
    with gzip.open(pair_files["helpful"], "rt") as lines:
        rows = [json.loads(line) for line in lines]
    mark = "\n\nHuman:"
    for row in rows[::3]:
        for side in ("chosen", "rejected"):
            row[side] = f"{mark} Hello.{row[side]}"
    path.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in rows).encode()))
    return {**pair_files, "helpful": str(path)}, len(rows[::3])


def world(folder, pairs, template):
    write_model(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return make_benchmark("preferences", budget="smoke", model=str(folder), pairs=pairs)


def test_refused_prompts_are_left_out_and_counted(twice_asked, tmp_path):
    pairs, count = twice_asked
    found = world(tmp_path / "chat", pairs, ALTERNATES)
    kept = {p.dialogue for split in ("train", "test") for p in found.split(split)}
    assert kept and not any(d[0].role == d[1].role for d in kept if len(d) > 1)
    assert 0 < len(found.reader.refused) <= count
    assert set(found.answers.prompts) <= set(found.split("train"))
    assert any("left out" in note and "Roles must alternate!" in note for note in found.notes)


def test_a_template_that_refuses_everything_is_an_error(pair_files, tmp_path):
    with pytest.raises(UsageError, match=r"refuses all \d+ prompts of split .*Not for chats!"):
        world(tmp_path / "never", pair_files, NEVER)


def parts(folder, template, adds):
    """Model folder with a template, whose tokenizer adds these tokens before every text."""
    write_model(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=[*adds, "$A"],
        pair=[*adds, "$A", "$B:1"],
        special_tokens=[(token, tokenizer.convert_tokens_to_ids(token)) for token in adds],
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


GIVEN = {"helpful": "folder", "harmless": "other"}
TURNS = "{% for m in messages %}{{ m.content }} {% endfor %}"


@pytest.mark.parametrize("adds", [["[bos]"], ["[pad]", "[bos]"], []])
@pytest.mark.parametrize("writes", ["", "[bos]", "[pad][bos]"])
def test_prompts_have_the_special_tokens_of_the_template(writes, adds, pair_files, tmp_path):
    """As many as `apply_chat_template` gives, whatever the tokenizer adds to other texts."""
    tokenizer = parts(tmp_path / "chat", writes + TURNS, adds)
    found = make_benchmark(
        "preferences", budget="smoke", model=str(tmp_path / "chat"), pairs=pair_files
    )
    for prompt in found.split("test")[:5]:
        plain = tokenizer.apply_chat_template(
            messages_of(prompt.dialogue), add_generation_prompt=True, return_dict=False
        )
        assert found.model.tokenizer(prompt.text)["input_ids"] == plain


def test_a_backbone_reads_the_same_tokens_whether_named_or_the_start_model(pair_files, tmp_path):
    parts(tmp_path / "chat", "[pad]" + TURNS, ["[bos]"])
    start = str(tmp_path / "chat")
    scores = []
    for backbone in ("start", start):
        found = make_benchmark(
            "preferences",
            budget="smoke",
            model=start,
            pairs=pair_files,
            reward_backbone=backbone,
        )
        prompts = found.split("test")[:4]
        samples = TextSamples.of_texts(prompts, [0] * 4, ["salt", "nothing", "care", "fire"])
        heads = found._rewards.models["helpful"].features.backbone
        scores.append(found.score(samples))
        assert found.model.tokenizer("salt") == heads.tokenizer("salt")
    np.testing.assert_array_equal(*scores)


def test_a_backbone_with_code_of_its_own_is_noted(pair_files, tmp_path):
    folder = write_model(tmp_path / "own")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps(config | {"auto_map": {"AutoModelForCausalLM": "modeling_own.Own"}})
    )
    given = {"pairs": pair_files, "reward_backbone": str(folder)}
    found = make_benchmark("preferences", budget="smoke", **given)
    assert [note for note in found.notes if note.startswith("The backbone of the reward models n")]


@pytest.mark.parametrize(
    ("before", "after", "end"),
    [("", "[pad]", "[pad]"), ("", "", "[eos]"), (" ", " [pad] ", "[pad]"), ("", "[bos]", "[eos]")],
)
def test_human_answers_are_written_as_the_template_does(before, after, end, pair_files, tmp_path):
    answer = f"{{{{ '{before}' + m.content + '{after}' }}}}"
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}[unk]"
        f"{{% else %}}{answer}{{% endif %}}{{% endfor %}}"
    )
    tokenizer = parts(tmp_path / "chat", template, [])
    settings = tmp_path / "chat" / "generation_config.json"
    stated = json.loads(settings.read_text())
    settings.write_text(json.dumps(stated | {"eos_token_id": [tokenizer.pad_token_id]}))
    found = make_benchmark(
        "preferences",
        budget="smoke",
        model=str(tmp_path / "chat"),
        pairs=pair_files,
        max_new_tokens=40,
    ).answers
    for prompt, text, ids in list(zip(found.prompts, found.texts, found.ids, strict=True))[:4]:
        messages = [*messages_of(prompt.dialogue), {"role": "assistant", "content": text}]
        whole = tokenizer.apply_chat_template(messages, return_dict=False)
        count = len(tokenizer(prompt.text)["input_ids"])
        assert ids[-1] == tokenizer.convert_tokens_to_ids(end)
        assert ids[:-1] == whole[count:][: len(ids) - 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"template": "Answer:"},
            r"benchmark\.template: found 'Answer:', which makes all .* alike",
        ),
        (
            {"template": "{prompt} {answer}"},
            r"benchmark\.template: \{answer\} is not a placeholder",
        ),
        ({"template": "Q: {Prompt}"}, r"benchmark\.template: \{Prompt\} is not a placeholder"),
        ({"start": {"width": 32}}, r"benchmark\.start: not used with model=hf"),
        ({"rewards": GIVEN, "reward_start": "start"}, r"benchmark\.reward_start: not used, since"),
        ({"rewards": GIVEN, "reward_backbone": "start"}, r"benchmark\.reward_backbone: not used,"),
    ],
)
def test_options_that_would_have_no_effect_are_refused(options, message, pair_files, tmp_path):
    write_model(tmp_path)
    with pytest.raises(UsageError, match=message):
        make_benchmark(
            "preferences", budget="smoke", model=str(tmp_path), pairs=pair_files, **options
        )


def test_a_template_beside_a_chat_template_is_refused(pair_files, tmp_path):
    parts(tmp_path, TURNS, [])
    with pytest.raises(UsageError, match=r"benchmark\.template: not used, since the tokenizer of"):
        make_benchmark(
            "preferences",
            budget="smoke",
            model=str(tmp_path),
            pairs=pair_files,
            template="Question: {prompt}",
        )


def test_objectives_of_the_same_pairs_or_the_same_reward_model_are_refused(pair_files, tmp_path):
    copied = tmp_path / "copy.jsonl.gz"
    copied.write_bytes(Path(pair_files["helpful"]).read_bytes())
    same = {**pair_files, "harmless": str(copied)}
    with pytest.raises(UsageError, match=r"pairs\.harmless: the same as benchmark\.pairs\.helpful"):
        make_benchmark("preferences", budget="smoke", pairs=same)
    path = str(write_model(tmp_path / "reward"))
    for harmless in (path, {"path": path, "sign": 1}, {"path": path, "mean": 2.0}):
        with pytest.raises(UsageError, match=r"rewards\.harmless: the same as benchmark\.rewards"):
            make_benchmark(
                "preferences",
                budget="smoke",
                pairs=same,  # of the prompts
                rewards={"helpful": path, "harmless": harmless},
            )


def test_the_same_pairs_in_two_formats_are_refused(tmp_path):
    kind = registry.load("benchmarks", "preferences")
    rows = [{"prompt": f"Dish {i}?", "chosen": f"Yes {i}.", "rejected": "No."} for i in range(300)]

    def said(question, answer):
        return f"\n\nHuman: {question}\n\nAssistant: {answer}"

    other = [
        {side: said(row["prompt"], row[side]) for side in ("chosen", "rejected")} for row in rows
    ]
    for name, given in (("plain", rows), ("chat", other[::-1])):
        text = "".join(json.dumps(row) + "\n" for row in given)
        (tmp_path / f"{name}.jsonl").write_text(text)
    pairs = {name: str(tmp_path / f"{name}.jsonl") for name in ("plain", "chat")}
    with pytest.raises(UsageError, match=r"pairs\.chat: the same as benchmark\.pairs\.plain"):
        kind.describe_data(kind.Options(pairs=pairs))
    assert kind.describe_data(kind.Options(pairs=pairs, rewards={"chat": "somewhere"}))


@pytest.mark.parametrize(
    ("opens", "thinks", "noted"), [("", "", False), ("<think>", "", True), ("", "<none> ", True)]
)
def test_answers_after_a_thought_are_noted(opens, thinks, noted, pair_files, tmp_path):
    template = (
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }} {% else %}"
        f"{thinks}{{{{ m.content }}}}{{% endif %}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{opens}{{% endif %}}"
    )
    parts(tmp_path, template, [])
    found = make_benchmark("preferences", budget="smoke", model=str(tmp_path), pairs=pair_files)
    assert any("Human answers follow their prompts directly" in n for n in found.notes) == noted
