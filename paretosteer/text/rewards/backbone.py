"""Features of answers from the frozen lower layers of a causal language model.

The middle layers of a language model separate good answers from bad ones better than the words
alone, so a linear head on them is a reward model that needs few pairs. Each answer is read after
its prompt; its features are the mean of the hidden states of its tokens and the state of the last
one, which is the end token. Answers to one prompt share its keys and values.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from paretosteer.errors import UsageError
from paretosteer.policies.active_banks import ActiveBanks
from paretosteer.policies.banks import BankedLinear, insert_banks
from paretosteer.text.chat_template import RefusedDialogueError
from paretosteer.text.dialogue import Dialogue, Turn, render
from paretosteer.text.kv_cache import roomy_cache
from paretosteer.text.layers import linear_layers
from paretosteer.text.model import LanguageModel
from paretosteer.text.rewards.input_forms import without_special
from paretosteer.text.special_tokens import check_embedded

FEATURES_VERSION = "3"  # raise it when the same texts would get other features
DEPTH = 2 / 3  # share of the layers that are run
PROMPT_TOKENS = 256  # the last of a prompt that are read
ANSWER_TOKENS = 256  # the first of an answer that are read
BATCH_TOKENS = 2048  # of prompts in one batch, including padding
LORA_SCALE = 2.0  # alpha / rank
_LORA = "lora.safetensors"
_STEP = 32  # tokens within which lengths of prompts count as equal
_ANSWER_STEP = 64  # likewise of answers; the shortest group has one more, for the end token

Floats = NDArray[np.float32]


class Backbone:
    """Lower layers of a causal language model, with shared weights.

    `truncated` counts the prompts and answers that were cut.
    """

    def __init__(self, model: LanguageModel):
        if model.encoder_decoder or roomy_cache(model.network, 1) is None:
            raise UsageError(
                f"benchmark.reward_backbone: {model.name!r} is not a causal model with plain "
                "attention in every layer; use another one, or benchmark.reward_start"
            )
        self.model = model
        self.tokenizer, self.end = model.tokenizer, next(iter(model.ends), None)
        self.network, self.name = _lower_layers(model.network), model.name
        self.answer_room = min(ANSWER_TOKENS, model.context // 2)
        self.prompt_room = max(1, min(PROMPT_TOKENS, model.context - self.answer_room - 1))
        self.truncated = 0

    def features(self, prompts: Sequence[Dialogue], answers: Sequence[str]) -> Floats:
        """Features (rows, 2 · width) of answers to prompts; NaN where there is nothing to read."""
        width = self.network.get_input_embeddings().weight.shape[1]
        found = np.full((len(answers), 2 * width), np.nan, dtype=np.float32)
        texts = {prompt: self._text(prompt) for prompt in dict.fromkeys(prompts)}
        by_prompt: dict[Dialogue, list[int]] = {}
        ids: dict[int, list[int]] = {}
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            text = texts[prompt]
            if text is not None and (own := self._answer(text, answer)):
                by_prompt.setdefault(prompt, []).append(row)
                ids[row] = own
        before = {p: self._prompt(text) for p in by_prompt if (text := texts[p]) is not None}
        longest = {p: max(len(ids[row]) for row in own) for p, own in by_prompt.items()}
        for batch in _batches({p: (len(text), longest[p]) for p, text in before.items()}):
            rows = [row for prompt in batch for row in by_prompt[prompt]]
            prompt_of = [i for i, prompt in enumerate(batch) for _ in by_prompt[prompt]]
            read = [before[prompt] for prompt in batch]
            found[rows] = self._read(read, prompt_of, [ids[row] for row in rows])
        return found

    def encode(self, prompt: Dialogue, answer: str) -> Mapping[str, list[int]] | None:
        """Tokens of a prompt and an answer as `features` reads them, and a mask of the answer.

        None where there is nothing to read.
        """
        text = self._text(prompt)
        if text is None or not (own := self._answer(text, answer)):
            return None
        before = self._prompt(text)
        mask = [0] * len(before) + [1] * len(own)
        return {"input_ids": before + own, "answer_mask": mask}

    def read(self, rows: Sequence[Mapping[str, list[int]]]) -> Tensor:
        """Features (rows, 2 · width) of encoded prompts and answers, with gradients."""
        ids, mask = self._padded([row["input_ids"] for row in rows], left=False)  # (rows, T)
        own = nn.utils.rnn.pad_sequence(
            [torch.tensor(row["answer_mask"], device=ids.device) for row in rows], batch_first=True
        )
        out = self.network(input_ids=ids, attention_mask=mask, use_cache=False)
        return _pooled(out.last_hidden_state.float(), own)

    def _text(self, prompt: Dialogue) -> str | None:
        """Text of a prompt without special tokens but those of the chat template.

        None if the template refuses the prompt.
        """
        clean = (Turn(t.role, without_special(t.text, self.tokenizer).strip()) for t in prompt)
        try:
            return render(tuple(clean), self.tokenizer)
        except RefusedDialogueError:
            return None

    def _prompt(self, text: str) -> list[int]:
        ids = self._tokens(text, special=True)
        self.truncated += len(ids) > self.prompt_room
        return ids[-self.prompt_room :]

    def _answer(self, prompt: str, answer: str) -> list[int]:
        """Tokens of an answer after the text of its prompt."""
        text = without_special(answer, self.tokenizer).strip()
        if not prompt[-1:].isspace():
            text = f" {text}"
        ids = self._tokens(text, special=False)
        self.truncated += len(ids) > self.answer_room
        return ids[: self.answer_room] + ([] if self.end is None else [self.end])

    def _tokens(self, text: str, special: bool) -> list[int]:
        """Tokens of a text; UsageError if the network has no embedding for one."""
        given = {"add_special_tokens": special, "verbose": False}
        ids: list[int] = self.tokenizer(text, **given)["input_ids"]
        option = "benchmark.reward_backbone"
        check_embedded(ids, self.tokenizer, self.network, self.name, option)
        return ids

    @torch.no_grad()
    def _read(
        self, prompts: Sequence[list[int]], prompt_of: Sequence[int], answers: Sequence[list[int]]
    ) -> Floats:
        """Features (rows, 2 · width) of answers, each after its prompt."""
        ids, mask = self._padded(prompts, left=True)  # (prompts, P)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        out = self.network(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True
        )
        found = np.empty((len(answers), 2 * out.last_hidden_state.shape[-1]), dtype=np.float32)
        for rows in _like_lengths(answers):
            index = torch.tensor([prompt_of[row] for row in rows], device=ids.device)
            cache = copy.deepcopy(out.past_key_values)
            cache.batch_select_indices(index)
            last = positions[index, -1:]
            found[rows] = self._after(cache, mask[index], last, [answers[row] for row in rows])
        return found

    def _after(
        self, cache: Any, mask: Tensor, last: Tensor, answers: Sequence[list[int]]
    ) -> Floats:
        """Features (rows, 2 · width) of answers after cached prompts.

        `mask` (rows, P) is that of the prompts, `last` (rows, 1) the position of their last token.
        """
        ids, own = self._padded(answers, left=False)  # (rows, T)
        states = self.network(
            input_ids=ids,
            attention_mask=torch.cat([mask, own], dim=1),
            position_ids=last + 1 + torch.arange(ids.shape[1], device=ids.device),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state.float()  # (rows, T, width)
        return _pooled(states, own).cpu().numpy()

    def _padded(self, rows: Sequence[list[int]], left: bool) -> tuple[Tensor, Tensor]:
        """Padded ids and mask, (rows, longest)."""
        width, pad = max(map(len, rows)), self.tokenizer.pad_token_id
        device = self.network.device
        ids = torch.full((len(rows), width), pad, device=device)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            place = slice(width - len(row), None) if left else slice(len(row))
            ids[i, place] = torch.tensor(row, device=device)
            mask[i, place] = 1
        return ids, mask


class AdaptedBackbone(Backbone):
    """Backbone with a LoRA (arXiv 2106.09685) of its own in every linear layer.

    The changes start at 0, and the weights under them stay those of the model.
    """

    def __init__(self, model: LanguageModel, rank: int):
        super().__init__(model)
        active = ActiveBanks(index=torch.zeros(1, dtype=torch.long), single=0)
        self.rank = rank
        self.layers = insert_banks(
            self.network,
            linear_layers(self.network, "all"),
            lambda _, layer: BankedLinear(layer, [(rank, LORA_SCALE)], active),
        )
        generator = torch.Generator().manual_seed(0)
        for layer in self.layers.values():
            layer.initialise(generator)

    @property
    def factors(self) -> dict[str, nn.Parameter]:
        """Trainable factors A and B of every layer."""
        parts = {name: layer.parts(0) for name, layer in self.layers.items()}
        return {f"{name}.{part}": x for name, own in parts.items() for part, x in own.items()}

    @classmethod
    def load(cls, model: LanguageModel, folder: Path) -> AdaptedBackbone:
        """Backbone as `save` wrote it."""
        tensors = load_file(folder / _LORA)
        rank = next(len(tensor) for name, tensor in tensors.items() if name.endswith(".A"))
        adapted = cls(model, rank)
        for name, factor in adapted.factors.items():
            factor.data.copy_(tensors[name])
        return adapted

    def save(self, folder: Path) -> None:
        """Write the factors to a folder."""
        save_file({name: x.detach().cpu() for name, x in self.factors.items()}, folder / _LORA)

    @staticmethod
    def is_in(folder: Path) -> bool:
        """True if `save` wrote to the folder."""
        return (folder / _LORA).is_file()


def _pooled(states: Tensor, own: Tensor) -> Tensor:
    """Mean and last of the hidden states (rows, T, width) in the mask `own` (rows, T)."""
    places = torch.arange(own.shape[1], device=own.device)
    last = (own * places).argmax(dim=1)
    mean = (states * own.unsqueeze(-1)).sum(dim=1) / own.sum(dim=1, keepdim=True)
    return torch.cat([mean, states[torch.arange(len(own), device=own.device), last]], dim=1)


def _lower_layers(network: Any) -> Any:
    """Base model of a network with the lower `DEPTH` of its layers; tensors are shared."""
    shared = {id(x): x for x in (*network.parameters(), *network.buffers())}
    base = copy.deepcopy(network.base_model, shared)
    count = base.config.get_text_config().num_hidden_layers
    for module in base.modules():
        for name, part in module.named_children():
            if isinstance(part, nn.ModuleList) and len(part) == count:
                setattr(module, name, part[: max(1, round(DEPTH * count))])
                return base.eval()
    raise UsageError(
        f"benchmark.reward_backbone: {type(network).__name__} has no list of {count} layers; use "
        "another model, or benchmark.reward_start"
    )


def _like_lengths(answers: Sequence[list[int]]) -> list[list[int]]:
    """Rows of answers, grouped by length to save padding."""
    groups: dict[int, list[int]] = {}
    for row, answer in enumerate(answers):
        groups.setdefault(max(len(answer) - 2, 0) // _ANSWER_STEP, []).append(row)
    return list(groups.values())


def _batches(lengths: Mapping[Dialogue, tuple[int, int]]) -> Iterator[list[Dialogue]]:
    """Batches of at most `BATCH_TOKENS` padded tokens of prompts, the longest first.

    Prompts are ordered by their length, roughly, then by that of their longest answer.
    """
    order = sorted(lengths, key=lambda p: (-(lengths[p][0] // _STEP), -lengths[p][1]))
    while order:
        batch: list[Dialogue] = []
        width = 0
        for prompt in order:
            width = max(width, lengths[prompt][0])
            if batch and width * (len(batch) + 1) > BATCH_TOKENS:
                break
            batch.append(prompt)
        yield batch
        order = order[len(batch) :]
