"""vLLM in a process of its own: it loads beside ours, logs into a file, and always ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import torch

from paretosteer.errors import UsageError
from paretosteer.text.engines.vllm_worker import Request, Work, Written

_SECONDS = 5.0  # in which the process may end by itself
_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # it is in a process of its own already
    "VLLM_USE_V2_MODEL_RUNNER": "0",  # runs no logits processors of others
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # cores are shared with other processes
    "HF_HUB_OFFLINE": "1",  # everything is in the model's folder
}
_CACHE = "raise engine.cache_gb or engine.memory_share, or lower engine.context"
_REMEDIES = {  # by words of vLLM's messages, which name its own settings
    "kv cache": _CACHE,
    "cache blocks": _CACHE,
    "memory": "lower engine.memory_share, engine.slots or method.rank, or free some memory",
}


class VLLMProcess:
    """A running vLLM.

    Parameters
    ----------
    settings
        Arguments of `vllm.LLM`.
    log
        File to which everything that it prints is appended.
    adapters
        Folder of the adapters, which it removes if this process is killed.
    gpus
        Value of CUDA_VISIBLE_DEVICES; None leaves it as it is.

    Raises
    ------
    UsageError
        If vLLM does not start.

    """

    def __init__(
        self, settings: Mapping[str, Any], log: Path, adapters: str, gpus: str | None = None
    ):
        self._log = log
        self._pipe, other = Pipe()
        threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
        visible = {} if gpus is None else {"CUDA_VISIBLE_DEVICES": gpus}
        # Not `-m`, which would name the module's classes after `__main__`.
        program = "from paretosteer.text.engines.vllm_worker import main; main({}, {}, {!r})"
        with log.open("ab") as file, other:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program.format(other.fileno(), os.getpid(), adapters)],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=os.environ | _ENVIRONMENT | threads | visible,
                pass_fds=[other.fileno()],
                start_new_session=True,  # Ctrl-C reaches this process alone, which ends it
            )
        try:
            self._ask(dict(settings), "does not start")
        except BaseException:
            self.close()
            raise

    def write(
        self, requests: Sequence[Request], decoding: Mapping[str, Any], ends: Sequence[int]
    ) -> list[Written]:
        """Responses to the requests, in their order."""
        work = Work(list(requests), dict(decoding), list(ends))
        written: list[Written] = self._ask(("write", work), "cannot write")
        return written

    def forget(self, adapters: Sequence[int]) -> None:
        """Free the memory of adapters that are not used again."""
        self._ask(("forget", list(adapters)), "cannot drop an adapter")

    def close(self) -> None:
        """End the process and those that it started."""
        with suppress(OSError):
            self._pipe.send(None)
        self._pipe.close()
        try:
            self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _ask(self, message: Any, problem: str) -> Any:
        try:
            self._pipe.send(message)
            outcome, result = self._pipe.recv()
        except (EOFError, OSError):
            outcome, result = "failed", "its process ended"
        if outcome == "failed":
            said = result.lower()
            remedy = next((f"{ours}, " for words, ours in _REMEDIES.items() if words in said), "")
            raise UsageError(
                f"engine: vLLM {problem} ({result}); {remedy}see {self._log}, or set engine=native"
            )
        return result
