"""A causal language model that takes a preference: the text world's policy."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from paretosteer.banks import BankedLinear, Mixture, frozen
from paretosteer.conditioning import Banks, Conditioning, Features, PromptText
from paretosteer.control import Control
from paretosteer.errors import UsageError
from paretosteer.text.attention import use_single_query
from paretosteer.text.generate import Decoding, Stream, generate, mix
from paretosteer.text.layers import insert_banks, linear_layers
from paretosteer.text.model import LanguageModel
from paretosteer.text.noise import stream_keys
from paretosteer.text.samples import Prompt, TextSamples
from paretosteer.text.softprompt import SoftPrompt


class TextPolicy:
    """A frozen start model, its trainable conditioning, and one control row per batch row.

    The start model itself is never changed: switching the conditioning off (`Control.start`) gives
    its exact outputs, so no second copy is held for KL terms.
    """

    def __init__(
        self, model: LanguageModel, conditioning: Conditioning, decoding: Decoding, seed: int
    ):
        self.tokenizer = model.tokenizer
        self.context = model.context
        self.decoding = decoding
        self.conditioning = conditioning
        self.mixture = Mixture()
        # Modules are new, tensors are shared: policies of one process hold the weights once.
        shared = {id(p): p for p in (*model.network.parameters(), *model.network.buffers())}
        self.network = copy.deepcopy(model.network, shared)
        use_single_query(self.network)
        self.layers: dict[str, BankedLinear] = {}
        self.soft: SoftPrompt | None = None
        self._ids: dict[str, list[int]] = {}
        self._build(conditioning, torch.Generator().manual_seed(seed))

    def _build(self, conditioning: Conditioning, generator: torch.Generator) -> None:
        if isinstance(conditioning, Banks):
            self.mixture.merge = conditioning.merge
            names = linear_layers(self.network, conditioning.scope)
            bank = (conditioning.rank, conditioning.alpha / conditioning.rank)
            self.add_banks({name: [bank] * conditioning.count for name in names})
        elif isinstance(conditioning, PromptText | Features) and conditioning.rank:
            bank = (conditioning.rank, conditioning.alpha / conditioning.rank)
            self.add_banks({name: [bank] for name in linear_layers(self.network, "all")})
        for layer in self.layers.values():
            layer.initialise(generator)
        if isinstance(conditioning, Features):
            embedding = self.network.get_input_embeddings().weight
            self.soft = SoftPrompt(
                conditioning.size, conditioning.tokens, conditioning.hidden, embedding.shape[1]
            ).to(embedding.device)
            self.soft.initialise(embedding, generator)

    def add_banks(self, layouts: Mapping[str, Sequence[tuple[int, float]]]) -> None:
        """Put banks of these (rank, scale) pairs around the named layers, values to be set."""
        self.layers |= insert_banks(self.network, list(layouts), layouts.__getitem__, self.mixture)

    @property
    def size(self) -> int:
        """Weights of the model and its banks."""
        return sum(p.numel() for p in self.network.parameters())

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.network.parameters()).device

    # -- sampling and scoring ---------------------------------------------------------------

    @torch.no_grad()
    def sample(
        self, prompts: Sequence[Prompt], control: Control, seed: int, samples: Sequence[int]
    ) -> TextSamples:
        """Write one response per row; noise depends on (seed, prompt, sample, position) alone."""
        control = control.to(self.device)
        keys = stream_keys(seed, [p.id for p in prompts], samples).to(self.device)
        with frozen(self.mixture, list(self.layers.values())):
            response, mask, log_probs = generate(
                self._streams(prompts, control),
                keys,
                self.decoding,
                end=self.tokenizer.eos_token_id,
                pad=self.tokenizer.pad_token_id,
                sharpness=control.sharpness,
            )
        rows = [ids[keep].tolist() for ids, keep in zip(response, mask, strict=True)]
        texts = self.tokenizer.batch_decode(rows, skip_special_tokens=True)
        return TextSamples(tuple(prompts), tuple(samples), response, mask, log_probs, tuple(texts))

    def scores(self, samples: TextSamples, control: Control) -> Tensor:
        """Log-probability (rows, T) of every response token, 0 outside the mask."""
        control = control.to(self.device)
        end = self.tokenizer.eos_token_id
        parts = [
            self.decoding.log_probs(stream.logits(samples.response, samples.mask), 0, end)
            for stream in self._streams(samples.prompts, control)
        ]  # each (rows, T, vocabulary)
        log_probs = mix(parts, control.sharpness)
        taken = log_probs.gather(-1, samples.response.unsqueeze(-1)).squeeze(-1)
        return torch.where(samples.mask, taken, 0.0)

    def candidate_scores(self, candidates: TextSamples, control: Control) -> Tensor:
        """Sequence log-probabilities (lists, n): rows are lists, candidate by candidate."""
        size = len(candidates) // control.rows
        rows = torch.arange(control.rows).repeat_interleave(size)
        return self.scores(candidates, control.take(rows)).sum(dim=1).view(control.rows, size)

    def _streams(self, prompts: Sequence[Prompt], control: Control) -> list[Stream]:
        """The model under the control; with a sharpness, the start model first."""
        streams = [self._stream(prompts, control)]
        if control.sharpness is not None:
            streams.insert(0, self._stream(prompts, Control.start(control.rows)))
        return streams

    def _stream(self, prompts: Sequence[Prompt], control: Control) -> Stream:
        texts = [prompt.text for prompt in prompts]
        if control.kind == "text":
            texts = [words + text for words, text in zip(control.words, texts, strict=True)]
        ids, mask = self._pad([self._encode(text) for text in texts], prompts)
        virtual = None
        if control.kind == "features":
            assert self.soft is not None and control.values is not None
            virtual = self.soft(control.values)
        return Stream(self.network, lambda: self._mixed(control), ids, mask, virtual)

    def _mixed(self, control: Control) -> AbstractContextManager[None]:
        """The banks under this control, for one forward pass."""
        if control.kind == "soup":
            return self.mixture.set(coefficients=control.values)
        if control.kind == "bank":
            return self.mixture.set(index=control.values)
        if control.kind in {"text", "features"} and self.layers:
            always = torch.ones(control.rows, 1, device=self.device)
            return self.mixture.set(coefficients=always)
        return self.mixture.set()

    def _encode(self, text: str) -> list[int]:
        if text not in self._ids:
            self._ids[text] = self.tokenizer(text)["input_ids"]
        return self._ids[text]

    def _pad(self, rows: list[list[int]], prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
        """Left-padded ids and mask, (rows, P)."""
        width = max(map(len, rows))
        longest = width + self.decoding.max_new_tokens + (self.soft.tokens if self.soft else 0)
        if longest > self.context:
            prompt = max(zip(map(len, rows), prompts, strict=True), key=lambda pair: pair[0])[1]
            raise UsageError(
                f"benchmark.max_new_tokens: prompt {prompt.id!r} needs {longest} tokens with its "
                f"response, the model's context is {self.context}; shorten one or the other"
            )
        pad = self.tokenizer.pad_token_id
        ids = torch.tensor([[pad] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        return ids.to(self.device), mask.to(self.device)

    # -- parameters -------------------------------------------------------------------------

    def parameters(self, bank: int | None = None) -> list[nn.Parameter]:
        """Everything trainable, or the factors of one bank."""
        if bank is not None:
            return [x for layer in self.layers.values() for x in (layer.A[bank], layer.B[bank])]
        soft = list(self.soft.parameters()) if self.soft else []
        return soft + [x for layer in self.layers.values() for x in (*layer.A, *layer.B)]

    def keep_banks(self, banks: Sequence[int]) -> None:
        """Drop every bank but these, in this order."""
        for layer in self.layers.values():
            layer.keep(banks)

    def state(self) -> dict[str, Tensor]:
        """The trainable tensors by name; nothing of the start model."""
        state = (
            {f"soft.{k}": v.detach() for k, v in self.soft.state_dict().items()}
            if self.soft
            else {}
        )
        for name, layer in self.layers.items():
            for i, (a, b) in enumerate(zip(layer.A, layer.B, strict=True)):
                state[f"banks.{i}.{name}.A"] = a.detach()
                state[f"banks.{i}.{name}.B"] = b.detach()
        return {key: value.contiguous() for key, value in state.items()}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state` gave."""
        own = self.state()
        differing = sorted(own.keys() ^ state.keys()) or sorted(
            key for key in own if own[key].shape != state[key].shape
        )
        if differing:
            raise UsageError(
                f"checkpoint: {len(differing)} tensors do not fit this policy, first "
                f"{differing[0]!r}; load it with the configuration that it was trained with"
            )
        for key, value in own.items():
            value.copy_(state[key])

    @torch.no_grad()
    def materialise(self, coefficients: Tensor) -> Any:
        """A plain copy of the model with one coefficient row (banks,) merged into its weights."""
        plain = copy.deepcopy(self.network)
        for name in self.layers:
            parent, _, leaf = name.rpartition(".")
            owner = plain.get_submodule(parent)
            layer: BankedLinear = getattr(owner, leaf)
            merged = layer.materialise(coefficients.to(self.device))
            # A new parameter, not an update in place: a tied embedding keeps its own weight.
            layer.base.weight = nn.Parameter(merged, requires_grad=False)
            setattr(owner, leaf, layer.base)
            if layer.base is plain.get_output_embeddings():
                plain.config.tie_word_embeddings = False
        return plain
