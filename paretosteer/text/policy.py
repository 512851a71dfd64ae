"""A language model that takes a preference: the policy of text benchmarks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from paretosteer.interfaces import Drift
from paretosteer.policies.banks import LinearBanks, insert_banks
from paretosteer.policies.base import Conditioned
from paretosteer.policies.conditioning import Conditioning
from paretosteer.policies.control import Control
from paretosteer.policies.kl import sampled_drift
from paretosteer.text.attention import use_single_query
from paretosteer.text.causal import CausalStream
from paretosteer.text.encdec import EncoderDecoderStream
from paretosteer.text.encode import PromptEncoder, response_texts
from paretosteer.text.generate import Decoding, Mixed, Stream, leaves, response_log_probs
from paretosteer.text.gradient_checkpointing import Recompute
from paretosteer.text.layers import linear_layers
from paretosteer.text.model import LanguageModel
from paretosteer.text.output_head import use_contiguous_input
from paretosteer.text.row_bytes import row_bytes
from paretosteer.text.sampler import NativeSampler, Sampler
from paretosteer.text.samples import Prompt, TextSamples


class TextPolicy(Conditioned[LinearBanks]):
    """A frozen start model, its trainable conditioning, and one control row per batch row.

    Parameters
    ----------
    model
        The start model.
    conditioning
        How the policy takes a preference.
    decoding
        How training samples are drawn; log-probabilities are of that distribution.
    seed
        Of the trainable parts and of dropout.
    answering
        How answers are generated, if differently: greedily, for example.
    sampler
        Builds the engine that writes responses.

    """

    def __init__(
        self,
        model: LanguageModel,
        conditioning: Conditioning,
        decoding: Decoding,
        seed: int,
        answering: Decoding | None = None,
        sampler: Callable[[TextPolicy], Sampler] = NativeSampler,
    ):
        super().__init__(conditioning, seed)
        self.model = model
        self.tokenizer = model.tokenizer
        self.decoding, self.answering = decoding, answering
        # Modules are new, tensors are shared: policies of one process hold the weights once.
        shared = {id(p): p for p in (*model.network.parameters(), *model.network.buffers())}
        self.network = copy.deepcopy(model.network, shared)
        if not model.own_cache:
            use_single_query(self.network)
        use_contiguous_input(self.network)
        self.encode = PromptEncoder(model)
        self.recompute: Callable[[], AbstractContextManager[None]] = nullcontext
        if model.recompute:
            self.recompute = Recompute(self.network, self.active)
        generator = torch.Generator().manual_seed(seed)
        if scope := conditioning.bank_scope():
            names = linear_layers(self.network, scope)
            self.add_banks(names, lambda _, layer: conditioning.linear(layer, self.active))
        self.initialise_banks(generator)
        embedding = self.network.get_input_embeddings().weight  # (vocabulary, width)
        reader = conditioning.text_reader(embedding, generator)
        self.reader = reader if reader is None else reader.to(embedding.device)
        self.prefix = conditioning.text_prefix(embedding, self.active)
        self.sampler = sampler(self)

    def add_banks(
        self, names: Sequence[str], make: Callable[[str, nn.Module], LinearBanks]
    ) -> None:
        """Put banks around the named layers."""
        self.layers |= insert_banks(self.network, names, make)

    @property
    def size(self) -> int:
        """Number of weights of the model and its banks."""
        return sum(p.numel() for p in self.network.parameters())

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return next(self.network.parameters()).device

    def row_bytes(self, prompts: Sequence[Prompt]) -> int:
        """Estimated memory, in bytes, for answering the longest of these prompts."""
        virtual = self._virtual_tokens
        longest = max(self.encode.length(prompt.text) for prompt in prompts)
        return row_bytes(self.network, virtual + longest, self.decoding.max_new_tokens)

    @property
    def low_rank(self) -> bool:
        """True if the banks change weights alone, by products of low-rank factors."""
        return all(layer.low_rank for layer in self.layers.values())

    # -- sampling and scoring ---------------------------------------------------------------

    def sample(
        self, prompts: Sequence[Prompt], control: Control, seed: int, samples: Sequence[int]
    ) -> TextSamples:
        """Write one response per row; noise depends on (seed, prompt, sample, position) alone."""
        return self._write(prompts, control, seed, samples, self.decoding)

    def answer(
        self, prompts: Sequence[Prompt], control: Control, seed: int, samples: Sequence[int]
    ) -> TextSamples:
        """Write one answer per row, under `answering` if given, else like training samples."""
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
        response, mask, log_probs = self.sampler(prompts, control, seed, samples, decoding)
        texts = response_texts(self.model, response, mask)
        return TextSamples(tuple(prompts), tuple(samples), response, mask, log_probs, tuple(texts))

    def log_probs(self, samples: TextSamples, control: Control) -> Tensor:
        """Log-probability (rows, T) of every response token, 0 outside the mask.

        Under the distribution that training samples from: its temperature, its top-k.
        """
        control, ends = control.to(self.device), self.model.ends
        response, mask = samples.response, samples.mask
        return self.token_log_probs(samples.prompts, control, response, mask, self.decoding, ends)

    def token_log_probs(
        self,
        prompts: Sequence[Prompt],
        control: Control,
        response: Tensor,
        mask: Tensor,
        decoding: Decoding,
        ends: Sequence[int],
    ) -> Tensor:
        """Log-probability (rows, T) of response tokens under any decoding, 0 outside the mask.

        Tokens in `ends` cannot be drawn before the decoding's shortest response.
        """
        with self.recompute():
            logits = [
                stream.logits(response, mask)
                for stream in self.streams(prompts, control, response.shape[1])
            ]  # each (rows, T, vocabulary)
        return torch.where(mask, response_log_probs(logits, response, decoding, ends, control), 0.0)

    @torch.no_grad()
    def drift(self, answers: TextSamples, control: Control) -> Drift:
        """Log-ratios of the answers, nats per sample: one-sample estimates where they are samples.

        Always under the distribution that training samples from. The KL between greedy policies,
        which put all probability on one answer, is 0 or infinite whatever was learned. Under the
        training distribution the log-ratio is finite, 0 for the start model, and in the KL's unit.
        A greedy answer is not a sample, so its log-ratio may be negative.
        """
        start = self.log_probs(answers, Control.start(control.rows)).sum(dim=1)
        drawn = answers.log_probs if self.answering is None else self.log_probs(answers, control)
        return sampled_drift(drawn.sum(dim=1), start, answers.mask.sum(dim=1))

    def list_log_probs(self, candidates: TextSamples, control: Control) -> Tensor:
        """Sequence log-probabilities (lists, n): rows are lists, candidate by candidate."""
        size = len(candidates) // control.rows
        rows = torch.arange(control.rows).repeat_interleave(size)
        return self.log_probs(candidates, control.take(rows)).sum(dim=1).view(control.rows, size)

    def streams(
        self, prompts: Sequence[Prompt], control: Control, new_tokens: int, held: bool = False
    ) -> list[Stream]:
        """Streams of the models that a control combines, in the order that `mix` expects.

        `held` says that the banks of a single model stay set for as long as its stream is used.
        """
        if held:

            def held_already(rows: Tensor | None = None) -> AbstractContextManager[None]:
                return nullcontext() if rows is None else self.mixed(control, rows)

            return [self._stream(prompts, control, new_tokens, held_already)]
        return [
            self._stream(prompts, leaf, new_tokens, partial(self.mixed, leaf))
            for leaf in leaves(control)
        ]

    @property
    def _virtual_tokens(self) -> int:
        """Number of soft prompt vectors before every text."""
        return int(getattr(self.reader if self.prefix is None else self.prefix, "tokens", 0))

    def _stream(
        self, prompts: Sequence[Prompt], control: Control, new_tokens: int, mixed: Mixed
    ) -> Stream:
        return self.stream(*self._encoded(prompts, control, new_tokens), control, mixed)

    def _encoded(
        self, prompts: Sequence[Prompt], control: Control, new_tokens: int
    ) -> tuple[Tensor, Tensor]:
        """Padded prompts after the words of a control, and their mask, (rows, P)."""
        texts = [prompt.text for prompt in prompts]
        if control.words:
            texts = [words + text for words, text in zip(control.words, texts, strict=True)]
        return self.encode(texts, prompts, self._virtual_tokens, new_tokens)

    def inputs(
        self, prompts: Sequence[Prompt], control: Control, new_tokens: int
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Padded prompts, their mask (rows, P), and virtual tokens (rows, V, width) before them."""
        ids, mask = self._encoded(prompts, control, new_tokens)
        return ids, mask, self._virtual(control, partial(self.mixed, control))

    def stream(self, ids: Tensor, mask: Tensor, control: Control, mixed: Mixed) -> Stream:
        """Stream of one model for padded prompts, (rows, P), under its control."""
        virtual = self._virtual(control, mixed)
        if self.model.encoder_decoder:
            begin = self.model.begin
            given = (self.network, mixed, ids, mask, begin, virtual)
            return EncoderDecoderStream(*given, self.model.own_cache)
        return CausalStream(self.network, mixed, ids, mask, virtual, self.model.own_cache)

    def _virtual(self, control: Control, mixed: Mixed) -> Tensor | None:
        """Virtual tokens (rows, V, width) before the prompts, if there are any."""
        if self.prefix is not None:
            with mixed():
                return self.prefix.virtual()
        virtual: Tensor | None = self.read(control)
        return virtual

    @torch.no_grad()
    def materialise(self, coefficients: Tensor | None) -> Any:
        """Copy the plain model with one coefficient row (banks,) merged into its weights.

        None gives the start model.
        """
        plain = copy.deepcopy(self.network)
        for name in self.layers:
            parent, _, leaf = name.rpartition(".")
            owner = plain.get_submodule(parent)
            layer: LinearBanks = getattr(owner, leaf)
            setattr(owner, leaf, layer.base)
            if coefficients is None:
                continue
            merged = layer.materialise(coefficients.to(self.device))
            # A new parameter, not an update in place: a tied embedding keeps its own weight.
            layer.base.weight = nn.Parameter(merged, requires_grad=False)
            if layer.base is plain.get_output_embeddings():
                self._untie(plain)
        return plain

    def _untie(self, plain: Any) -> None:
        """Mark the head as untied and give every stack an embedding table of its own.

        Otherwise a saved file would hold only one of the shared tables, and some stacks none.
        """
        plain.config.tie_word_embeddings = False
        if self.model.encoder_decoder:
            for stack in (plain.get_encoder(), plain.get_decoder()):
                table = stack.get_input_embeddings()
                table.weight = nn.Parameter(table.weight.clone(), requires_grad=False)
