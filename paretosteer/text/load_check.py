"""Check of a loaded model: what sampling, scoring and training assume holds for its architecture.

Every row of a batch has its own prompt and control, sampling reads tokens one by one through a
cache, and banks are trained through the layers that they surround. An architecture can break each
of these without an error, so a handful of tokens is run before anything is trained.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from paretosteer.errors import UsageError, first_line
from paretosteer.policies.banks import frozen
from paretosteer.policies.conditioning import Banks, Conditioning, Features
from paretosteer.policies.control import Control
from paretosteer.text.generate import Decoding, Stream
from paretosteer.text.layers import linear_layers
from paretosteer.text.model import LanguageModel
from paretosteer.text.policy import TextPolicy
from paretosteer.text.softprompt import with_vectors

PROMPTS = (7, 4)  # tokens of the two rows
RESPONSE = 4
# Largest difference between logits, relative to their spread over the vocabulary: in a batch, and
# in sampling, which rounds the banks to the model's dtype. A violated assumption changes them by
# far more, rounding by far less.
LIMITS = {torch.bfloat16: (0.08, 0.2), torch.float16: (0.02, 0.05)}
LIMIT = (1e-3, 1e-3)
FLOOR = -50.0  # of log-probabilities


def checked(model: LanguageModel, option: str = "model.path") -> LanguageModel:
    """Return the model, with `own_cache` set if it runs with its own cache and masks only.

    `option` is the name of the option that holds it, for errors.

    Raises
    ------
    UsageError
        If the model runs with neither, naming the architecture and what failed.

    """
    banks = Banks(2, rank=2, alpha=2.0)
    control = Control.soup([[1.0, -0.5], [0.5, 1.0]])
    if not (problem := _problem(model, banks, control)):
        return model
    own = replace(model, own_cache=True)
    if not _problem(own, banks, control):
        return own
    remedy = "use a model of an architecture in docs/architectures.md"
    raise _refusal(model, problem, remedy, option)


def check_soft_prompts(model: LanguageModel) -> None:
    """Raise UsageError if the model does not run with soft prompt vectors before its text."""
    prompts = Features(2, tokens=2, hidden=4)
    if problem := _problem(model, prompts, Control.features([[1.0, -0.5], [0.5, 1.0]])):
        raise _refusal(
            model, f"with soft prompts, {problem}", "use a method without them, such as clp"
        )


class _Failed(Exception):
    """A part of the check failed; the message says which, and how."""


def _problem(model: LanguageModel, conditioning: Conditioning, control: Control) -> str | None:
    """First assumption that does not hold, in words."""
    device = model.network.device
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            _run(model, conditioning, control.to(device))
    except _Failed as failed:
        return str(failed)
    return None


def _run(model: LanguageModel, conditioning: Conditioning, control: Control) -> None:
    with _named("it takes no banks"):
        probe = _Probe(model, conditioning)
    rows = list(range(len(PROMPTS)))
    in_batch, in_sampling = LIMITS.get(model.network.dtype, LIMIT)
    with _named("a batch cannot be scored"):
        together = probe.scores(rows, control)  # (rows, T, vocabulary)
        if not together.isfinite().any(dim=-1).all():
            raise _Failed("a batch has scores that are not finite")
    with _named("banks cannot be trained"):
        probe.check_gradients(together)
    with torch.no_grad(), _named("a single row cannot be scored"):
        for row in rows:
            plain = probe.plain_scores(row, control.take(torch.tensor([row])))
            _compare(
                plain[0],
                together[row],
                in_batch,
                "a text has different scores in a batch and alone",
            )
    with torch.no_grad(), _named("responses cannot be sampled"):
        sampled = probe.sampling_scores(rows, control)
        for row in rows:
            _compare(
                sampled[row],
                together[row],
                in_sampling,
                "scores during sampling differ from those of a full pass",
            )


class _Probe:
    """A policy with banks of some size, and tokens for it to read."""

    def __init__(self, model: LanguageModel, conditioning: Conditioning):
        self.policy = policy = TextPolicy(model, conditioning, Decoding(RESPONSE), seed=0)
        if policy.layers:
            with suppress(UsageError):  # some methods train the head, where it is a layer
                head = linear_layers(policy.network, "head")
                policy.add_banks(head, lambda _, layer: conditioning.linear(layer, policy.active))
        generator = torch.Generator().manual_seed(0)
        policy.initialise_banks(generator)
        self.called: set[str] = set()
        for name, layer in policy.layers.items():
            layer.register_forward_hook(partial(self._note, name))
            for bank in range(layer.count):  # they start at 0, and would do nothing
                b = layer.parts(bank)["B"]
                b.data.copy_(0.3 * torch.randn(b.shape, generator=generator))
        ids = ordinary_tokens(model)
        self.texts = [[ids[(31 * i + 7 * n) % len(ids)] for i in range(n)] for n in PROMPTS]
        flat = [ids[(17 * i + 5) % len(ids)] for i in range(RESPONSE * len(PROMPTS))]
        self.response = torch.tensor(flat, device=policy.device).view(len(PROMPTS), -1)

    def scores(self, rows: Sequence[int], control: Control) -> Tensor:
        """Logits (rows, T, vocabulary) of the responses, read as a whole."""
        response = self.response[rows]
        with self.policy.recompute():
            logits = self._stream(rows, control).logits(response, torch.ones_like(response).bool())
        return logits.float()

    def plain_scores(self, row: int, control: Control) -> Tensor:
        """Logits (1, T, vocabulary) of one response, as the model itself numbers and masks it."""
        network, response = self.policy.network, self.response[[row]]
        text = torch.tensor([self.texts[row]], device=response.device)
        with self.policy.mixed(control):
            return plain_logits(
                self.policy.model, network, self.policy.read(control), text, response
            )

    def sampling_scores(self, rows: Sequence[int], control: Control) -> Tensor:
        """Logits (rows, T, vocabulary) of the responses, read token by token."""
        response = self.response[rows]
        with frozen(self.policy.active, self.policy.layers.values()):
            stream = self._stream(rows, control)
            logits = [stream.start(response.shape[1])]
            logits += [stream.step(token) for token in response.T[:-1]]
        return torch.stack(logits, dim=1).float()

    def check_gradients(self, logits: Tensor) -> None:
        """Raise _Failed unless a gradient reaches every bank of every layer that ran.

        Layers of one kind differ in their numbers only. One of each kind must have run: tokens
        do not reach every expert of a mixture, but a layer whose weight is read directly never
        runs.
        """
        taken = torch.log_softmax(logits, dim=-1).gather(-1, self.response.unsqueeze(-1))
        taken.sum().backward()  # type: ignore[no-untyped-call]
        running = {_kind(name) for name in self.called}
        for name, layer in self.policy.layers.items():
            if _kind(name) not in running:
                raise _Failed(f"its layer {name!r} never runs, so that banks there have no effect")
            if name not in self.called:
                continue
            for bank in range(layer.count):
                for part in layer.parts(bank).values():
                    if part.grad is None or not part.grad.isfinite().all() or not part.grad.any():
                        raise _Failed(f"no gradient reaches the banks of its layer {name!r}")
        for part in self.policy.reader.parameters() if self.policy.reader else ():
            if part.grad is None or not part.grad.isfinite().all() or not part.grad.any():
                raise _Failed("no gradient reaches the vectors")

    def _stream(self, rows: Sequence[int], control: Control) -> Stream:
        texts = [self.texts[row] for row in rows]
        ids, mask = self.policy.encode.pad(texts)
        return self.policy.stream(ids, mask, control, partial(self.policy.mixed, control))

    def _note(self, name: str, *_: Any) -> None:
        self.called.add(name)


def plain_logits(
    model: LanguageModel, network: Any, vectors: Tensor | None, text: Tensor, response: Tensor
) -> Tensor:
    """Logits (1, T, vocabulary) of a response (1, T) to a text (1, P), by the network itself.

    `network` is one of the model's architecture; `vectors` (1, V, width) stand before the text.
    """
    if model.encoder_decoder:
        begin = response.new_full((1, 1), model.begin)
        written = {"decoder_input_ids": torch.cat([begin, response[:, :-1]], dim=1)}
    else:
        text, written = torch.cat([text, response], dim=1), {}
    out = network(**with_vectors(network, vectors, text), **written, use_cache=False)
    last = 0 if written else 1  # no token follows the last one of a response
    logits: Tensor = out.logits[:, -response.shape[1] - last : out.logits.shape[1] - last]
    return logits.float()


def ordinary_tokens(model: LanguageModel) -> list[int]:
    """Tokens without a role: not special, and no placeholders of images or sounds."""
    config = model.network.config
    marks = {
        value
        for part in (config, config.get_text_config())
        for key, value in part.to_dict().items()
        if key.endswith(("token_id", "token_index")) and isinstance(value, int)
    }
    size = min(len(model.tokenizer), model.network.get_input_embeddings().weight.shape[0])
    special = marks | set(model.tokenizer.all_special_ids)
    return [token for token in range(min(size, 1000)) if token not in special] or [0]


def relative_difference(one: Tensor, other: Tensor) -> float:
    """Difference of logits (T, vocabulary), relative to their spread over the vocabulary."""
    # Logits count up to a constant, and some architectures forbid tokens with enormous ones.
    one, other = (torch.log_softmax(x, dim=-1).clamp(min=FLOOR) for x in (one, other))
    return float((one - other).std() / other.std(dim=-1).mean())


def _compare(one: Tensor, other: Tensor, limit: float, problem: str) -> None:
    """Raise _Failed if logits (T, vocabulary) differ by more than rounding."""
    difference = relative_difference(one, other)
    if not difference <= limit:
        raise _Failed(f"{problem} (they differ by {difference:.2g} of their spread)")


def _kind(name: str) -> str:
    """Name of a layer without its numbers."""
    return re.sub(r"\d+", "*", name)


@contextmanager
def _named(step: str) -> Iterator[None]:
    try:
        yield
    except (torch.OutOfMemoryError, UsageError, _Failed):
        raise
    except Exception as error:  # the code of any architecture may raise anything
        raise _Failed(f"{step} ({type(error).__name__}: {first_line(error)})") from None


def _refusal(
    model: LanguageModel, problem: str, remedy: str, option: str = "model.path"
) -> UsageError:
    kind = model.network.config.model_type
    name = type(model.network).__name__
    return UsageError(
        f"{option}: {model.name!r} is of the architecture {kind!r} ({name}), which fails the "
        f"load check: {problem}; {remedy}"
    )
