"""A cell's figures do not depend on process-wide state that others set, and it leaves none."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
import torch
from small_cells import cell_folder, contents, run_cell

from paretosteer.methods.rewarded_soup import RewardedSoup
from paretosteer.runtime.process_state import PARTS, changes_since, known_state, process_state
from paretosteer.storage.cache import cached

SOUP = "method=rewarded_soup"


def everything() -> None:
    """Set what a plug-in or a notebook may set."""
    torch.set_default_dtype(torch.bfloat16)
    torch.set_autocast_enabled("cpu", True)
    torch.set_autocast_dtype("cpu", torch.float16)
    torch.set_float32_matmul_precision("medium")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_flush_denormal(True)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    torch.backends.mkldnn.enabled = False
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.enable_flash_sdp(False)
    np.seterr(all="raise")
    for generator in (random.seed, np.random.seed, torch.manual_seed):
        generator(5)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    with known_state():
        yield


def test_a_cell_does_not_change_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_cell(tmp_path / "alone", SOUP)
    train = RewardedSoup.train

    def disturbing(self, benchmark, trainer):
        train(self, benchmark, trainer)
        everything()
        torch.set_default_device("meta")

    before = process_state()
    with monkeypatch.context() as patch:
        patch.setattr(RewardedSoup, "train", disturbing)
        run_cell(tmp_path / "first", SOUP)
    assert changes_since(before) == []
    run_cell(tmp_path / "second", SOUP)
    alone, second = (contents(cell_folder(tmp_path / name, SOUP)) for name in ("alone", "second"))
    assert second == alone


def meta() -> torch.device:
    return torch.device("meta")


@pytest.mark.parametrize("around", [meta, torch.inference_mode, torch.no_grad])
def test_a_cell_does_not_depend_on_what_its_caller_set(
    tmp_path: Path, around: Callable[[], AbstractContextManager[object]]
) -> None:
    run_cell(tmp_path / "alone", SOUP)
    everything()
    with around():
        before = process_state()
        run_cell(tmp_path / "called", SOUP)
        assert changes_since(before) == []
    alone, called = (contents(cell_folder(tmp_path / name, SOUP)) for name in ("alone", "called"))
    assert called == alone


def test_global_generators_start_from_the_seed_of_the_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def drawing(self, benchmark, trainer):
        drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
        return train(self, benchmark, trainer)

    train = RewardedSoup.train
    monkeypatch.setattr(RewardedSoup, "train", drawing)
    for number, seed in enumerate((0, 0, 1)):
        run_cell(tmp_path / str(number), SOUP, f"seed={seed}")
    assert drawn[0] == drawn[1]
    assert not set(drawn[1]) & set(drawn[2])


def test_work_that_cells_share_is_made_in_the_known_state(tmp_path: Path) -> None:
    everything()
    before = process_state()
    found = {}

    def make(folder: Path) -> None:
        found.update(process_state())
        torch.rand(1)

    cached("probe", {"folder": str(tmp_path)}, make)
    known = {name: part.known for name, part in PARTS.items() if part.known is not None}
    assert {name: found[name] for name in known} == known
    assert changes_since(before) == []
