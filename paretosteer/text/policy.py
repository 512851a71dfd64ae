"""A language model that takes a preference: the text world's policy."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from paretosteer.interfaces import Drift
from paretosteer.policies.banks import BankedLinear, frozen, insert_banks
from paretosteer.policies.base import Conditioned
from paretosteer.policies.conditioning import Banks, Conditioning, Features, PromptText
from paretosteer.policies.control import Control
from paretosteer.policies.noise import stream_keys
from paretosteer.text.attention import use_single_query
from paretosteer.text.causal import CausalStream
from paretosteer.text.encdec import EncoderDecoderStream
from paretosteer.text.encode import PromptEncoder, response_texts
from paretosteer.text.generate import Decoding, Mixed, Stream, generate, mix
from paretosteer.text.gradient_checkpointing import Recompute
from paretosteer.text.layers import linear_layers
from paretosteer.text.model import LanguageModel
from paretosteer.text.row_bytes import row_bytes
from paretosteer.text.samples import Prompt, TextSamples
from paretosteer.text.softprompt import SoftPrompt


class TextPolicy(Conditioned[BankedLinear]):
    """A frozen start model, its trainable conditioning, and one control row per batch row.

    `decoding` is how training samples, and under which distribution everything is scored;
    `answering` is how answers are written where that is another way (greedy, say).
    """

    reader: SoftPrompt | None

    def __init__(
        self,
        model: LanguageModel,
        conditioning: Conditioning,
        decoding: Decoding,
        seed: int,
        answering: Decoding | None = None,
    ):
        super().__init__()
        self.model = model
        self.tokenizer = model.tokenizer
        self.decoding, self.answering = decoding, answering
        self.conditioning = conditioning
        # Modules are new, tensors are shared: policies of one process hold the weights once.
        shared = {id(p): p for p in (*model.network.parameters(), *model.network.buffers())}
        self.network = copy.deepcopy(model.network, shared)
        use_single_query(self.network)
        self._encode = PromptEncoder(model)
        self.recompute = Recompute(self.network, self.mixture) if model.recompute else nullcontext
        self._build(conditioning, torch.Generator().manual_seed(seed))

    def _build(self, conditioning: Conditioning, generator: torch.Generator) -> None:
        self.set_mixture(conditioning, generator.initial_seed())
        if isinstance(conditioning, Banks):
            names = linear_layers(self.network, conditioning.scope)
            bank = (conditioning.rank, conditioning.alpha / conditioning.rank)
            self.add_banks({name: [bank] * conditioning.count for name in names})
        elif isinstance(conditioning, PromptText | Features) and conditioning.rank:
            bank = (conditioning.rank, conditioning.alpha / conditioning.rank)
            self.add_banks({name: [bank] for name in linear_layers(self.network, "all")})
        self.initialise_banks(generator)
        if isinstance(conditioning, Features):
            embedding = self.network.get_input_embeddings().weight
            self.reader = SoftPrompt(
                conditioning.size, conditioning.tokens, conditioning.hidden, embedding.shape[1]
            ).to(embedding.device)
            self.reader.initialise(embedding, generator)

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

    def row_bytes(self, prompts: Sequence[Prompt]) -> int:
        """Estimated memory, in bytes, for answering the longest of these prompts."""
        virtual = self.reader.tokens if self.reader else 0
        longest = max(self._encode.length(prompt.text) for prompt in prompts)
        return row_bytes(self.network, virtual + longest, self.decoding.max_new_tokens)

    # -- sampling and scoring ---------------------------------------------------------------

    def sample(
        self, prompts: Sequence[Prompt], control: Control, seed: int, samples: Sequence[int]
    ) -> TextSamples:
        """Write one response per row; noise depends on (seed, prompt, sample, position) alone."""
        return self._write(prompts, control, seed, samples, self.decoding)

    def answer(
        self, prompts: Sequence[Prompt], control: Control, seed: int, samples: Sequence[int]
    ) -> TextSamples:
        """Write what a user gets: as training samples, unless `answering` says otherwise."""
        return self._write(prompts, control, seed, samples, self.answering or self.decoding)

    @torch.no_grad()
    def _write(
        self,
        prompts: Sequence[Prompt],
        control: Control,
        seed: int,
        samples: Sequence[int],
        decoding: Decoding,
    ) -> TextSamples:
        control = control.to(self.device)
        keys = stream_keys(seed, [p.id for p in prompts], samples).to(self.device)
        # One stream keeps its banks set from the first token to the last: what they are mixed by is
        # then worked out once. Two take turns.
        alone = control.sharpness is None
        with (
            frozen(self.mixture, self.layers.values()),
            self.mixed(control) if alone else nullcontext(),
        ):
            response, mask, log_probs = generate(
                self._streams(prompts, control, decoding.max_new_tokens, held=alone),
                keys,
                decoding,
                end=self.tokenizer.eos_token_id,
                pad=self.tokenizer.pad_token_id,
                sharpness=control.sharpness,
            )
        texts = response_texts(self.model, response, mask)
        return TextSamples(tuple(prompts), tuple(samples), response, mask, log_probs, tuple(texts))

    def log_probs(self, samples: TextSamples, control: Control) -> Tensor:
        """Log-probability (rows, T) of every response token, 0 outside the mask.

        Under the distribution that training samples from: its temperature, its top-k.
        """
        control = control.to(self.device)
        end, width = self.tokenizer.eos_token_id, samples.response.shape[1]
        with self.recompute():
            parts = [
                self.decoding.log_probs(stream.logits(samples.response, samples.mask), 0, end)
                for stream in self._streams(samples.prompts, control, width)
            ]  # each (rows, T, vocabulary)
        log_probs = self.decoding.kept(mix(parts, control.sharpness), samples.response)
        taken = log_probs.gather(-1, samples.response.unsqueeze(-1)).squeeze(-1)
        return torch.where(samples.mask, taken, 0.0)

    @torch.no_grad()
    def drift(self, answers: TextSamples, control: Control) -> Drift:
        """Log-ratios of the answers, nats per sample: one-sample estimates where they are samples.

        Always under the distribution that training samples from. A greedy answer's own distribution
        puts everything on it, and of that the KL is 0 or infinite, whatever was learned. The
        log-ratio of the answer under what training regularised is finite, is 0 for the start model
        and has the unit of the KL; only it is no draw, so it may be below 0.
        """
        start = self.log_probs(answers, Control.start(control.rows)).sum(dim=1)
        drawn = answers.log_probs if self.answering is None else self.log_probs(answers, control)
        own = drawn.sum(dim=1)
        return Drift.of(own - start, -start, answers.mask.sum(dim=1))

    def list_log_probs(self, candidates: TextSamples, control: Control) -> Tensor:
        """Sequence log-probabilities (lists, n): rows are lists, candidate by candidate."""
        size = len(candidates) // control.rows
        rows = torch.arange(control.rows).repeat_interleave(size)
        return self.log_probs(candidates, control.take(rows)).sum(dim=1).view(control.rows, size)

    def _streams(
        self, prompts: Sequence[Prompt], control: Control, new_tokens: int, held: bool = False
    ) -> list[Stream]:
        """The model under the control; with a sharpness, the start model first.

        `held` says that the banks are set already, for as long as the streams are used.
        """
        if held:
            return [self._stream(prompts, control, new_tokens, nullcontext)]
        controls = [control]
        if control.sharpness is not None:
            controls.insert(0, Control.start(control.rows))
        return [self._stream(prompts, c, new_tokens, partial(self.mixed, c)) for c in controls]

    def _stream(
        self, prompts: Sequence[Prompt], control: Control, new_tokens: int, mixed: Mixed
    ) -> Stream:
        texts = [prompt.text for prompt in prompts]
        if control.kind == "text":
            texts = [words + text for words, text in zip(control.words, texts, strict=True)]
        before = self.reader.tokens if self.reader else 0
        ids, mask = self._encode(texts, prompts, before, new_tokens)
        virtual = None
        if control.kind == "features":
            assert self.reader is not None and control.values is not None
            virtual = self.reader(control.values)

        if self.model.encoder_decoder:
            begin = self.model.begin
            return EncoderDecoderStream(self.network, mixed, ids, mask, begin, virtual)
        return CausalStream(self.network, mixed, ids, mask, virtual)

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
                self._untie(plain)
        return plain

    def _untie(self, plain: Any) -> None:
        """Say that the head is not the embedding; then every stack has to own what it embeds with.

        A file in which they shared it would leave some of them without.
        """
        plain.config.tie_word_embeddings = False
        if self.model.encoder_decoder:
            for stack in (plain.get_encoder(), plain.get_decoder()):
                table = stack.get_input_embeddings()
                table.weight = nn.Parameter(table.weight.clone(), requires_grad=False)
