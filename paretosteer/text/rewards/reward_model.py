"""Scoring with a reward model, in float32 and in batches of similar length."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from paretosteer.errors import UsageError, first_line
from paretosteer.text.chat_template import RefusedDialogueError, has_template, reasons
from paretosteer.text.dialogue import Dialogue, Turn
from paretosteer.text.model_notes import model_notes
from paretosteer.text.model_source import model_folder
from paretosteer.text.rewards.bag_of_words import Progress
from paretosteer.text.rewards.input_forms import FORMS, Form
from paretosteer.text.rewards.loading import load_classifier, per_token, resolve_spec
from paretosteer.text.rewards.remote_code import is_trusted
from paretosteer.text.rewards.reward_spec import RewardSpec
from paretosteer.text.rewards.segments import split_segments
from paretosteer.text.special_tokens import check_embedded
from paretosteer.text.uniform_context import uniform_context

if TYPE_CHECKING:
    from transformers import BatchEncoding

Floats = NDArray[np.float64]

TOKENS = 16384  # per batch, including padding
# Placeholder (private-use character) for a separator while special tokens are removed from answers.
_MARK = "\ue000"


@dataclass
class RewardModel:
    """Classifier of prompts and answers, used according to `spec`.

    `read` counts texts and `truncated` those that were cut; `refused` counts, by reason, dialogues
    that the chat template of the form `chat` does not render. `progress`, where it is set, is
    called with a few words after every batch. `stated` are caveats on a folder it was loaded from.
    """

    spec: RewardSpec
    network: Any  # transformers.PreTrainedModel
    tokenizer: Any  # transformers.PreTrainedTokenizerBase
    read: int = field(default=0, init=False)
    truncated: int = field(default=0, init=False)
    refused: Counter[str] = field(default_factory=Counter, init=False)
    progress: Progress | None = field(default=None, init=False)
    stated: Sequence[str] = field(default=(), init=False)

    @property
    def note(self) -> str | None:
        """Number of texts that were cut or not rendered, if any."""
        name, parts = self.spec.name, []
        if self.truncated:
            parts.append(
                f"{self.truncated} of {self.read} texts exceeded the {self.max_length} tokens of "
                f"its model and were cut{self._lost_first}"
            )
        if self.refused:
            parts.append(
                f"{self.refused.total()} texts have no score, since the chat template of its model "
                f"refuses them: {reasons(self.refused)}"
            )
        return f"{name}: {'; '.join(parts)}." if parts else None

    @property
    def _lost_first(self) -> str:
        """What texts that are cut lose first, where that is the answer."""
        text = self.spec.template or self.form.text or "{prompt}{answer}"  # of a chat template
        if self.form.second or "{prompt}" not in text:
            return ""
        first = "left" if text.rfind("{answer}") < text.find("{prompt}") else "right"
        return f" on the side of the answer (truncation={first})" if first == self._side else ""

    @property
    def _side(self) -> str:
        return self.spec.truncation or self.form.truncation

    @property
    def form(self) -> Form:
        return FORMS[self.spec.form or "dialogue"]

    def refusal(self, prompt: Dialogue) -> str | None:
        """Reason for which the model's chat template refuses answers to a prompt, if any."""
        try:
            self._texts(prompt, "answer")
        except RefusedDialogueError as refused:
            return str(refused)
        return None

    @property
    def max_length(self) -> int:
        """Maximum number of tokens of a text: the smallest of setting, tokenizer and network."""
        limits = [self.spec.max_length, self.tokenizer.model_max_length, self._positions]
        limits.append(uniform_context(self.network.config.get_text_config()))
        return int(min(limit for limit in limits if limit))

    @cached_property
    def _positions(self) -> int | None:
        """Number of positions of the network; None if it has no limit."""
        for name, layer in self.network.named_modules():
            padding = getattr(layer, "padding_idx", None)
            if name.endswith("position_embeddings") and padding is not None:
                return int(layer.num_embeddings - padding - 1)  # RoBERTa counts from behind padding
        config = self.network.config.get_text_config()
        return getattr(config, "max_position_embeddings", None)

    def encode(self, prompt: Dialogue, answer: str) -> Mapping[str, list[int]]:
        """Tokenised input of the network for a prompt and an answer."""
        return self._cut(*self._texts(prompt, answer))

    def rewards(self, rows: Sequence[Mapping[str, list[int]]]) -> torch.Tensor:
        """Rewards (rows,) of encoded texts, with gradients; for a network of one output."""
        batch = self.tokenizer.pad(rows, return_tensors="pt").to(self.network.device)
        rewards: torch.Tensor = self.network(**batch).logits[:, 0]
        return rewards

    def score(self, prompts: Sequence[Dialogue], answers: Sequence[str]) -> Floats:
        """Score per row, (rows,); higher is better, NaN where there is nothing to read."""
        if self.spec.form == "chat":
            raw = self._chat_scores(prompts, answers)
        elif self.spec.form != "segments":
            raw = self._logits([self._texts(*row) for row in zip(prompts, answers, strict=True)])
        else:
            raw = self._segment_scores(prompts, answers)
        return (self.spec.sign * raw - self.spec.mean) / self.spec.std

    def _texts(self, prompt: Dialogue, answer: str) -> tuple[str, str | None]:
        return self.form.texts(prompt, answer, self.tokenizer, self.spec.template)

    def _logits(self, texts: Sequence[tuple[str, str | None]]) -> Floats:
        scores = np.full(len(texts), np.nan)
        for rows, _, outputs in self._outputs([self._cut(*text) for text in texts]):
            scores[rows] = self._taken(outputs).cpu().double().numpy()
        return np.where(np.isfinite(scores), scores, np.nan)

    def _chat_scores(self, prompts: Sequence[Dialogue], answers: Sequence[str]) -> Floats:
        texts: list[tuple[str, str | None]] = []
        for prompt, answer in zip(prompts, answers, strict=True):
            try:
                texts.append(self._texts(prompt, answer))
            except RefusedDialogueError as refused:
                self.refused[str(refused)] += 1
                texts.append(("", None))  # no tokens, no score
        return self._logits(texts)

    def _segment_scores(self, prompts: Sequence[Dialogue], answers: Sequence[str]) -> Floats:
        parts = [split_segments(answer, self.spec.segment) for answer in answers]
        rows = list(zip(prompts, parts, strict=True))
        if per_token(self.network):
            by_row = self._at_separators(rows)
        else:
            whole = self._logits(
                [self._texts(prompt, part) for prompt, segments in rows for part in segments]
            )
            by_row = np.split(whole, np.cumsum([len(segments) for segments in parts])[:-1])
        reduced = np.mean if self.spec.reduce == "mean" else np.sum
        return np.array([reduced(scores) if len(scores) else np.nan for scores in by_row])

    def _at_separators(self, rows: Sequence[tuple[Dialogue, Sequence[str]]]) -> list[Floats]:
        """Scores of a token classifier at each segment's separator, (segments,) per row."""
        mark = self.spec.separator or self.tokenizer.sep_token or self.tokenizer.eos_token
        mark_id = self.tokenizer.convert_tokens_to_ids(mark)
        marked = [self._marked(prompt, parts, mark) for prompt, parts in rows]
        scores = [np.zeros(0)] * len(rows)
        encoded = [self._cut(text, None) for text, _ in marked]
        for indices, ids, outputs in self._outputs(encoded):
            for index, tokens, output in zip(indices, ids, outputs, strict=True):
                found = encoded[index]
                padding = len(tokens) - len(found["input_ids"])
                shift = padding if self.tokenizer.padding_side == "left" else 0
                at = [found.char_to_token(place) for place in marked[index][1]]
                at = [shift + token for token in at if token is not None]  # None: cut
                assert all(tokens[token] == mark_id for token in at)
                scores[index] = self._taken(output[at]).cpu().double().numpy()
        return scores

    def _marked(
        self, prompt: Dialogue, parts: Sequence[str], mark: str
    ) -> tuple[str, Sequence[int]]:
        """Text with a separator before each segment, and where in it those separators are.

        The template may hold the separator too, and the tokenizer may put one at either end.
        """
        bare = tuple(Turn(turn.role, turn.text.replace(_MARK, "")) for turn in prompt)
        answer = "".join(f"{_MARK} {part.replace(_MARK, '')} " for part in parts)
        # Separators come in only after `_texts` has removed the answer's own special tokens.
        before, *rest = self._texts(bare, answer)[0].split(_MARK)
        text, places = before, []
        for part in rest:
            places.append(len(text))
            text += mark + part
        return text, places

    def _taken(self, outputs: torch.Tensor) -> torch.Tensor:
        """Reduce outputs (…, labels) to (…,): the chosen logit, its probability, or its sign.

        With `against`, the result is +1 if the chosen logit is larger than that one, else -1.
        """
        logit = self.spec.logit or 0
        assert isinstance(logit, int)  # `resolve_spec` replaced a name
        chosen = outputs[..., logit]
        if self.spec.probability:
            # As in transformers' text classification: a single output, or labels that may hold
            # together, were trained with a sigmoid.
            several = self.network.config.problem_type == "multi_label_classification"
            if several or outputs.shape[-1] == 1:
                return chosen.sigmoid()
            return outputs.softmax(dim=-1)[..., logit]
        if self.spec.against is None:
            return chosen
        assert isinstance(self.spec.against, int)
        return torch.where(chosen > outputs[..., self.spec.against], 1.0, -1.0)

    @torch.no_grad()
    def _outputs(
        self, encoded: Sequence[BatchEncoding]
    ) -> Iterator[tuple[list[int], torch.Tensor, torch.Tensor]]:
        """Row indices of each batch, with tokens (rows, T) and logits (rows, …, labels)."""
        lengths = [len(row["input_ids"]) for row in encoded]
        check_embedded(
            (token for row in encoded for token in row["input_ids"]),
            self.tokenizer,
            self.network,
            self.spec.path,
            f"{self.spec.option}.path",
        )
        done = 0
        for rows in batches(lengths, TOKENS):
            batch = self.tokenizer.pad([encoded[row] for row in rows], return_tensors="pt")
            batch = batch.to(self.network.device)
            logits = self.network(**batch).logits.float()
            # Models with code of their own may give one number per text.
            yield rows, batch["input_ids"], logits if logits.dim() > 1 else logits.unsqueeze(1)
            done += len(rows)
            if self.progress:
                self.progress(f"scored {done} of {len(encoded)} texts")

    def _cut(self, text: str, second: str | None) -> BatchEncoding:
        """Tokens of one text, truncated (and counted) if it is too long."""
        self.tokenizer.truncation_side = self._side
        # A chat template writes the special tokens itself.
        special = {} if self.spec.form != "chat" else {"add_special_tokens": False}
        whole: BatchEncoding = self.tokenizer(text, second, verbose=False, **special)
        self.read += 1
        if len(whole["input_ids"]) <= self.max_length:
            return whole
        self.truncated += 1
        cut: BatchEncoding = self.tokenizer(
            text, second, truncation=True, max_length=self.max_length, **special
        )
        return cut


def reading_notes(model: RewardModel) -> Iterator[str]:
    """Caveats on what a reward model read, for the record."""
    yield from model.stated
    if model.note is not None:
        yield model.note


def _stated(model: RewardModel) -> Iterator[str]:
    """Caveats on what its folder states; UsageError where it describes another model."""
    name, path = model.spec.name, model.spec.path
    if is_trusted(path):
        yield f"{name}: the code in {path!r} was run (--trust-remote-code)."
    else:
        folder = model_folder(path, model.spec.option, model.spec.revision)
        what = f"{name}: the reward model"
        yield from model_notes(what, model.network, model.tokenizer, folder)
    label = (model.network.config.id2label or {}).get(model.spec.logit)
    if label and not str(label).startswith("LABEL_") and model.spec.against is None:
        way = "higher" if model.spec.sign > 0 else "lower"
        yield f"{name}: scored by the output {label!r} of {path!r}; {way} is better."
    if model.spec.form != "chat" and has_template(model.tokenizer):
        yield (
            f"{name}: {path!r} has a chat template, but is read in the form {model.spec.form}; "
            f"set {model.spec.option}.form=chat to use the template."
        )


def load_reward(spec: RewardSpec, device: torch.device) -> RewardModel:
    """Load the reward model that `spec` names and try it on two texts.

    Raises
    ------
    UsageError
        As `load_classifier` and `resolve_spec`, or if the model cannot score a short text, or
        scores it differently in a batch.

    """
    network, tokenizer = load_classifier(spec, device)
    model = RewardModel(resolve_spec(spec, network, tokenizer), network, tokenizer)
    alone = _try(model, together=False)
    # The networks find the end of a text in a batch by its padding.
    for config in (network.config, network.config.get_text_config()):
        config.pad_token_id = tokenizer.pad_token_id
    if not np.allclose(_try(model, together=True), alone, rtol=1e-2, atol=1e-2, equal_nan=True):
        raise UsageError(
            f"{spec.option}.pad_token: {spec.path!r} scores a text differently in a batch than "
            "alone; set it to a token that ends no text"
        )
    model.read = model.truncated = 0
    model.stated = tuple(_stated(model))
    return model


def _try(model: RewardModel, together: bool) -> Floats:
    """Scores of two texts of different length, one by one or in a batch."""
    option, path = model.spec.option, model.spec.path
    prompt = (Turn("user", "Is there a boat?"),)
    answers = ["Yes.", "Yes, there is a boat, and it sails over the lake."]
    try:
        if together:
            scores = model.score([prompt] * 2, answers)
        else:
            scores = np.concatenate([model.score([prompt], [answer]) for answer in answers])
    except Exception as error:  # networks raise arbitrary errors
        raise UsageError(
            f"{option}.path: {path!r} cannot score a short text ({first_line(error)}); use another "
            "model, or another form"
        ) from None
    if model.refused:
        raise UsageError(
            f"{option}.form: the chat template of {path!r} refuses a question with its answer "
            f"({next(iter(model.refused))}); set {option}.form to another form"
        )
    return scores


def batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Batches of rows of similar length, longest first, of at most `tokens` padded tokens.

    Rows of length 0 are left out.
    """
    order = sorted((row for row, length in enumerate(lengths) if length), key=lambda r: -lengths[r])
    while order:
        count = max(1, tokens // lengths[order[0]])
        yield order[:count]
        order = order[count:]
