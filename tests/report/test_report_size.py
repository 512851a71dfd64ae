"""A page stays below 10 MB whatever was written."""

import gzip
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_cells import EDGE, concave, only, write_cell

from paretosteer.report import write_report
from paretosteer.report.page.carried_texts import TEXT_BYTES, packed_texts, select, texts_data
from paretosteer.report.page.sample_texts import Sample, SampleTexts, read_texts
from paretosteer.report.page.script_json import safe_json

MOST = 10_000_000
GRID = [[i / 10, j / 10, (10 - i - j) / 10] for i in range(11) for j in range(11 - i)]  # 66


def made_up(rows: int, prompts: int, count: int, text: str) -> SampleTexts:
    names = {f"p{place:03d}": "Once upon a time" for place in range(prompts)}
    own = {name: {place: Sample(text, (0.5, 1.5, 2.5)) for place in range(count)} for name in names}
    return SampleTexts(names, [own] * rows)


def tables(page: str) -> list[dict[str, Any]]:
    """Data of a page's tables."""
    start = page.index('id="tables">') + len('id="tables">')
    found: list[dict[str, Any]] = json.loads(page[start : page.index("</script>", start)])
    return found


@pytest.mark.parametrize("text", ["word " * 120, "<" * 600, "狐" * 600])
def test_texts_keep_to_their_bytes(text: str) -> None:
    texts = made_up(rows=12, prompts=100, count=66, text=text)
    selection = select(texts, 66, TEXT_BYTES)
    assert 0 < len(selection.prompts) < 100
    assert len(selection.places) == 66  # prompts go first
    entry = safe_json([text, 0.5, 1.5, 2.5]) + ","
    size = 12 * 66 * len(selection.prompts) * len(entry.encode())
    assert TEXT_BYTES / 2 < size <= TEXT_BYTES


def test_preferences_go_where_one_prompt_is_too_much() -> None:
    selection = select(made_up(rows=12, prompts=3, count=66, text="word " * 120), 66, 100_000)
    assert len(selection.prompts) == 1
    assert selection.places == tuple(range(0, 66, 8))


def test_page_says_what_it_left_out(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0), grid=EDGE)
    result = only(tmp_path)
    whole = texts_data(result, read_texts(result), TEXT_BYTES)
    assert whole and whole["omission"] == "" and len(whole["prompts"]) == 12
    part = texts_data(result, read_texts(result), 2_000)
    assert part and part["omission"].endswith("texts of the first 8 of 12 prompts.")
    assert len(safe_json(part["rows"]).encode()) <= 2_000


def test_a_report_can_have_fewer_texts(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0))
    page = write_report([tmp_path], text_bytes=1_000).page.read_text(encoding="utf-8")
    (table,) = tables(page)
    assert len(safe_json(table["texts"]).encode()) <= 1_000 + len('{"packed":""}')


def test_texts_of_every_seed_and_dial_are_there(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_cell(tmp_path, "clp", concave(2.0), seed=seed, dials=({}, {"kappa": 0.5}))
    result = only(tmp_path)
    data = texts_data(result, read_texts(result), TEXT_BYTES)
    assert data and data["omission"] == ""
    assert len(data["further"]) == 60 + 120  # further dials of seed 0, then all of seed 1
    assert data["replicates"] == [["seed 0", "seed 1"]]
    assert data["dialled"][0] == "(1, 0), kappa 0.5"
    room = len(safe_json(data["rows"]).encode()) + 9_000
    part = texts_data(result, read_texts(result), room)
    assert part and len(part["further"]) == 60  # whole replicates or nothing
    assert part["omission"] == "To keep this page small, it has 120 of 240 recorded texts."


def test_many_texts_are_packed_within_their_bytes(tmp_path: Path) -> None:
    write_cell(tmp_path, "clp", concave(2.0), prompts=60, text="Once there was a fox." * 20)
    result = only(tmp_path)
    texts = read_texts(result)
    packed = packed_texts(result, texts, 100_000)
    assert packed and list(packed) == ["packed"] and len(packed["packed"]) <= 100_000
    content = json.loads(gzip.decompress(b64decode(packed["packed"])))
    assert content == json.loads(safe_json(texts_data(result, texts, 3 * 100_000)))


@pytest.mark.figures
def test_largest_page_is_below_ten_megabytes(tmp_path: Path) -> None:
    """Twelve methods at 66 preferences, and every byte that texts may take."""
    for place in range(12):
        write_cell(tmp_path, f"method_{place}", concave(1 + place / 10), grid=GRID, prompts=4)
    page = write_report([tmp_path]).page.read_text(encoding="utf-8")
    (table,) = tables(page)
    texts = len(safe_json(table["texts"]).encode())
    prompts = 100 * 600  # the longest prompts, of a hundred
    assert np.shape(table["texts"]["rows"])[:3] == (12, 4, 66)
    assert len(page.encode()) - texts + TEXT_BYTES + prompts < MOST
