"""Tests reach no network, no display, and no cache of the user's."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real inputs beside the checkout; a test that needs them is skipped where there are none."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real inputs at {folder}")
    return folder
