"""Sampler that lets vLLM write the responses to our prompts, under our random numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol

import torch
from torch import Tensor

from paretosteer.policies.common_random_numbers import stream_keys
from paretosteer.policies.control import Control
from paretosteer.text.engines.lora_adapters import LoRAAdapters, coefficient_rows
from paretosteer.text.engines.vllm_limits import refuse
from paretosteer.text.engines.vllm_process import VLLMProcess
from paretosteer.text.engines.vllm_worker import Request, Written
from paretosteer.text.generate import Decoding
from paretosteer.text.policy import TextPolicy
from paretosteer.text.sampler import Responses
from paretosteer.text.samples import Prompt
from paretosteer.text.softprompt import with_vectors


class Served(Protocol):
    """Parts of an engine that the sampler uses."""

    @property
    def adapters(self) -> LoRAAdapters:
        """Adapters of the policies."""
        ...

    def process(self, policy: TextPolicy, control: Control) -> VLLMProcess:
        """Running vLLM with room for the adapters and prompts of a control."""
        ...


class VLLMSampler:
    """Writes with vLLM; log-probabilities are computed by the policy itself.

    vLLM rounds otherwise than the network that trains, so its own would bias policy gradients.
    """

    def __init__(self, policy: TextPolicy, engine: Served):
        self.policy, self.engine = policy, engine

    def __call__(
        self,
        prompts: Sequence[Prompt],
        control: Control,
        seed: int,
        samples: Sequence[int],
        decoding: Decoding,
    ) -> Responses:
        """Write responses; see `paretosteer.text.sampler.Sampler`."""
        written, _ = self.written(prompts, control, seed, samples, decoding)
        return written._replace(log_probs=self.score(prompts, control, written, decoding))

    @torch.no_grad()
    def written(
        self,
        prompts: Sequence[Prompt],
        control: Control,
        seed: int,
        samples: Sequence[int],
        decoding: Decoding,
    ) -> tuple[Responses, Tensor]:
        """Responses without log-probabilities, and vLLM's own (rows, T) by the plain softmax."""
        policy, engine = self.policy, self.engine
        refuse(policy, control)
        tokens, vectors = self._inputs(prompts, control, decoding.max_new_tokens)
        rows = coefficient_rows(policy, control)
        process = engine.process(policy, control)
        if dropped := engine.adapters.outdated(policy):
            process.forget(dropped)
        keys = stream_keys(seed, [p.id for p in prompts], samples).tolist()
        requests = [
            Request(ids, vector, engine.adapters.of(policy, row), key)
            for ids, vector, row, key in zip(tokens, vectors, rows, keys, strict=True)
        ]
        done = self._done(process, requests, decoding)
        written = self._padded([response.tokens for response in done])
        return written, self._floats([response.log_probs for response in done])

    def _done(
        self, process: VLLMProcess, requests: Sequence[Request], decoding: Decoding
    ) -> list[Written]:
        """Responses to the requests, in their order.

        Rows without an adapter go first and alone: beside others, vLLM's kernels for CPUs give them
        the adapter of the last slot. Rows of one adapter stand together, so that each adapter is
        moved into a slot once.
        """
        ends = list(self.policy.model.ends)
        by_row: dict[int, Written] = {}
        for alone in (True, False):
            some = [i for i, each in enumerate(requests) if (each.adapter is None) == alone]
            some.sort(key=lambda i: requests[i].adapter or (0, ""))
            if some:
                responses = process.write([requests[i] for i in some], asdict(decoding), ends)
                by_row |= dict(zip(some, responses, strict=True))
        return [by_row[i] for i in range(len(requests))]

    @torch.no_grad()
    def score(
        self,
        prompts: Sequence[Prompt],
        control: Control,
        written: Responses,
        decoding: Decoding,
        plain: bool = False,
    ) -> Tensor:
        """Log-probabilities (rows, T) under the decoding; with `plain`, by the plain softmax."""
        shown = Decoding(decoding.max_new_tokens) if plain else decoding
        ends = () if plain else self.policy.model.ends
        return self.policy.token_log_probs(
            prompts, control, written.tokens, written.mask, shown, ends
        )

    @torch.no_grad()
    def prompt_tokens(self, prompts: Sequence[Prompt], control: Control, new_tokens: int) -> int:
        """Number of tokens of the longest prompt, with the words or vectors before it."""
        tokens, vectors = self._inputs(prompts, control, new_tokens)
        pairs = zip(tokens, vectors, strict=True)
        return max(len(ids if vector is None else vector) for ids, vector in pairs)

    def _inputs(
        self, prompts: Sequence[Prompt], control: Control, new_tokens: int
    ) -> tuple[list[list[int]], list[Any]]:
        """Tokens of every prompt, and where virtual tokens precede it, vectors (P, width)."""
        policy = self.policy
        ids, mask, virtual = policy.inputs(prompts, control, new_tokens)
        texts = [row[keep] for row, keep in zip(ids, mask.bool(), strict=True)]
        tokens: list[list[int]] = [text.tolist() for text in texts]
        if virtual is None:
            return tokens, [None] * len(tokens)
        vectors = [
            with_vectors(policy.network, own.unsqueeze(0), text.unsqueeze(0))["inputs_embeds"][0]
            for own, text in zip(virtual.expand(len(texts), -1, -1), texts, strict=True)
        ]
        return tokens, [vector.float().cpu().numpy() for vector in vectors]

    def _padded(self, responses: Sequence[Sequence[int]]) -> Responses:
        width, pad = max(map(len, responses)), self.policy.tokenizer.pad_token_id
        tokens = torch.tensor([[*row, *[pad] * (width - len(row))] for row in responses])
        mask = torch.arange(width) < torch.tensor([len(row) for row in responses]).unsqueeze(1)
        device = self.policy.device
        return Responses(tokens.to(device), mask.to(device), torch.zeros(mask.shape).to(device))

    def _floats(self, rows: Sequence[Sequence[float]]) -> Tensor:
        width = max(map(len, rows))
        padded = [[*row, *[0.0] * (width - len(row))] for row in rows]
        return torch.tensor(padded, device=self.policy.device)
