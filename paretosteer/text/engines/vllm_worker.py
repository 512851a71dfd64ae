"""Process that holds vLLM; `vllm_process` starts it.

It reads messages from a pipe and answers each with ("done", result) or ("failed", reason). It ends
on request, and with the process that started it, even while it writes.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
import traceback
from multiprocessing.connection import Connection
from textwrap import shorten
from typing import Any, NamedTuple

from paretosteer.errors import first_line

WATCH_SECONDS = 1.0
LONGEST_REASON = 300  # characters; vLLM lists all architectures where it lacks one


class Request(NamedTuple):
    """A response to write: under an adapter or none, to tokens or to vectors in their place."""

    tokens: list[int]
    vectors: Any  # (P, width) float32 array, or None: tensors are shared through files
    adapter: tuple[int, str] | None  # number and folder
    key: int  # of the row's random numbers


class Work(NamedTuple):
    """Requests of one decoding."""

    requests: list[Request]
    decoding: dict[str, Any]
    ends: list[int]


class Written(NamedTuple):
    """A response: its tokens, and their log-probabilities by the plain softmax."""

    tokens: list[int]
    log_probs: list[float]


def main(descriptor: int, parent: int, adapters: str) -> None:
    """Start vLLM with the settings of the first message, then serve the others.

    `adapters` is the folder that the process `parent` fills, removed if that process is killed.
    """
    threading.Thread(target=_end_with, args=(parent, adapters), daemon=True).start()
    pipe = Connection(descriptor)
    try:
        engine = _answer(pipe, lambda: _start(pipe.recv()))
        while engine is not None and (message := pipe.recv()) is not None:
            kind, content = message
            serve = {"write": _write, "forget": _forget}[kind]
            _answer(pipe, lambda serve=serve, content=content: serve(engine, content))
    except (EOFError, BrokenPipeError):  # the other process is gone
        shutil.rmtree(adapters, ignore_errors=True)


def _end_with(parent: int, adapters: str) -> None:
    """End this process and those that it started once its parent is gone."""
    while os.getppid() == parent:
        time.sleep(WATCH_SECONDS)
    shutil.rmtree(adapters, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _answer(pipe: Connection, work: Any) -> Any:
    """Send the result of some work, or why it failed; the engine itself stays here."""
    try:
        result = work()
    except (EOFError, BrokenPipeError):
        raise
    except BaseException as error:  # vLLM may raise anything
        traceback.print_exc()
        pipe.send(("failed", _reason(error)))
        return None
    pipe.send(("done", result if isinstance(result, list) else None))
    return result


def _reason(error: BaseException) -> str:
    """One line about an error. The first line of pydantic's only counts its messages."""
    from pydantic import ValidationError

    reason = f"{type(error).__name__}: {first_line(error)}"
    if isinstance(error, ValidationError):
        reason = error.errors(include_context=False, include_input=False)[0]["msg"]
    return shorten(reason, LONGEST_REASON, placeholder=" …")


def _start(settings: dict[str, Any]) -> Any:
    import torch
    from vllm import LLM

    if not torch.cuda.is_available():
        from paretosteer.text.engines.small_heads import pad_small_heads

        pad_small_heads()
    return LLM(**settings)


def _write(engine: Any, work: Work) -> list[Written]:
    import torch
    from vllm import SamplingParams
    from vllm.lora.request import LoRARequest

    from paretosteer.text.engines.vllm_noise import NAME

    prompts: list[dict[str, Any]] = []
    adapters, params = [], []
    new_tokens, room = work.decoding["max_new_tokens"], engine.model_config.max_model_len
    for request in work.requests:
        length = len(request.tokens if request.vectors is None else request.vectors)
        if length + new_tokens > room:  # vLLM would cut the response
            raise ValueError(f"{length} tokens and {new_tokens} new ones exceed its {room}")
        given = {"decoding": work.decoding, "ends": work.ends, "key": request.key}
        params.append(
            SamplingParams(
                temperature=0,  # the noise is in the scores
                max_tokens=new_tokens,
                stop_token_ids=work.ends,
                ignore_eos=True,  # ends are ours
                detokenize=False,
                logprobs=0,  # of the token taken
                extra_args={NAME: given},
            )
        )
        if request.vectors is None:
            prompts.append({"prompt_token_ids": request.tokens})
        else:
            vectors = torch.from_numpy(request.vectors).to(engine.model_config.dtype)
            prompts.append({"prompt_embeds": vectors})
        number, folder = request.adapter or (None, "")
        adapters.append(number and LoRARequest(f"{number}", number, folder))
    outputs = engine.generate(prompts, params, lora_request=adapters, use_tqdm=False)
    return [_written(output.outputs[0]) for output in outputs]


def _written(output: Any) -> Written:
    tokens = list(output.token_ids)
    steps = zip(tokens, output.logprobs, strict=True)
    return Written(tokens, [step[token].logprob for token, step in steps])


def _forget(engine: Any, adapters: list[int]) -> None:
    for number in adapters:
        engine.llm_engine.remove_lora(number)
