"""Start models whose chat template refuses some prompts of the pairs, or all of them."""

import gzip
import json

import pytest
from small_model import write_model
from transformers import AutoTokenizer

from paretosteer import make_benchmark
from paretosteer.errors import UsageError

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
