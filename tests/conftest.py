"""Tests reach no network, no display, and no cache of the user's."""

import gc
import os
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

_home = tempfile.TemporaryDirectory(prefix="hf-home-")  # removed when the session ends
os.environ.update(
    HF_HOME=_home.name,  # models, data sets, modules of metrics; read when they are imported
    HF_HUB_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    TOKENIZERS_PARALLELISM="false",
    WANDB_MODE="offline",
    MPLBACKEND="Agg",
    OMP_NUM_THREADS="1",  # tiny tensors; read when torch is first imported
    MKL_NUM_THREADS="1",
)
os.environ.pop("WANDB_API_KEY", None)

_OFFLINE = str(Path(__file__).parent / "offline")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_OFFLINE, os.environ.get("PYTHONPATH")]))

_BLANK = {  # one pixel
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
    "png": bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
        "0000000a49444154789c636000000002000148afa4710000000049454e44ae426082"
    ),
}


def pytest_collection_finish() -> None:
    """Leave imported modules out of garbage collection, which every cell does."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Save blank images where a test is not marked `figures`: they take most of a report's time."""
    if item.get_closest_marker("figures"):
        return (yield)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", _save_blank)
        return (yield)


def _save_blank(figure: object, file: Any, *, format: str, **options: object) -> None:
    file.write(_BLANK[format])


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """In this process; those that it starts find the guard on PYTHONPATH."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(_OFFLINE)
        from no_network import guard

        guard(patch.setattr)
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache for the whole session, so that shared work is made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOSTEER_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_terminal() -> Iterator[None]:
    """Tables as a pipe without COLUMNS gets them; pytest-xdist sets it in its workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COLUMNS", raising=False)
        yield


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real inputs beside the checkout; a test that needs them is skipped where there are none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real inputs at {folder}")
    return folder
