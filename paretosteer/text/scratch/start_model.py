"""Start model trained from scratch on dialogues: tokenizer and Llama, without the hub."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig

from paretosteer.errors import UsageError
from paretosteer.text.best_weights import BestWeights
from paretosteer.text.scratch.byte_pair import learn_tokenizer
from paretosteer.text.scratch.model_size import Size
from paretosteer.text.scratch.token_rows import (
    Row,
    answers_in_order,
    batches,
    batches_per_epoch,
    encode_row,
)
from paretosteer.text.scratch.train_language_model import (
    Progress,
    Recipe,
    cross_entropy,
    fit,
    fresh_llama,
)
from paretosteer.training.snapshots import Journal

SCRATCH_VERSION = "3"
FACTS = "scratch.json"
MARGIN = 0.85  # a start model must be below this share of the unigram model's cross-entropy

EPOCHS = 8  # passes over small data; a model from scratch overfits with many more
WATCHED = 4096  # tokens per batch of validation
LOOKS = 12  # evaluations on validation texts, where several epochs are trained

Text = tuple[str, str]  # prompt, answer


def train_start_model(
    texts: Sequence[Text],
    held_out: Sequence[Text],
    folder: Path,
    sizes: Size | Sequence[Size],
    *,
    validation: Sequence[Text] = (),
    epochs: int | None = None,
    seed: int = 0,
    device: torch.device | None = None,
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> dict[str, Any]:
    """Train tokenizer and model, write a plain Hugging Face folder, and return its facts.

    The same seed gives the same weights on the same machine. The global random state is not
    changed.

    Parameters
    ----------
    texts, held_out
        Pairs of a prompt, which ends where its answer begins, and the answer.
    folder
        Folder to write.
    sizes
        Size of model and tokenizer, and length of training. Of several, smallest first, the one
        with the lowest loss on `validation` is chosen where the texts are few enough for `EPOCHS`
        epochs, otherwise the last. A larger size is tried as long as the loss falls.
    validation
        Texts that decide on the size and when to stop: in `EPOCHS` epochs or more, the checkpoint
        with the lowest loss on them is kept.
    epochs
        Most passes over `texts`, which may shorten the training; None for no limit.
    seed
        Seed of weights and batches.
    device
        Device to train on; the CPU by default.
    progress
        Called after every step of every size.
    journal
        Snapshots from which a killed training run resumes; None for none.

    Returns
    -------
    Facts, also written to `scratch.json`. On the answers of `held_out`, with their end tokens:
    `cross_entropy` and the `unigram` model's (nats per token), and `bits_per_byte`. Further
    `steps`, `best_step` (of the kept checkpoint), `epochs`, `tokens` (number of targets),
    `vocabulary`, `parameters`, `cut` (training texts that exceeded the context), `seconds`, `seed`,
    `size`, `sizes` (width, layers and loss on `validation` of every size tried) and `version`.

    Raises
    ------
    UsageError
        If `texts` or `held_out` is empty.

    """
    if not texts or not held_out:
        raise UsageError(
            f"start model: found {len(texts)} training and {len(held_out)} held-out texts; "
            "provide some of both"
        )
    started = time.perf_counter()
    sizes = [sizes] if isinstance(sizes, Size) else list(sizes)
    size = sizes[-1]  # all have the same tokenizer and the same batches
    tokenizer = learn_tokenizer((f"{p} {a}" for p, a in texts), size.vocabulary, size.context)
    rows, unseen, watched = (
        [encode_row(tokenizer, prompt, answer, size.context) for prompt, answer in part]
        for part in (texts, held_out, validation)
    )
    epoch = batches_per_epoch(rows, size.batch_tokens)
    steps = size.steps if epochs is None else min(size.steps, epochs * epoch)
    few = bool(watched) and steps >= EPOCHS * epoch
    pad = tokenizer.pad_token_id
    journal = journal or Journal()

    def train(size: Size) -> _Candidate:
        model = fresh_llama(_config(tokenizer, size), seed).to(device or torch.device("cpu"))
        best = BestWeights(model)

        def on_step(step: int, total: int, loss: float) -> None:
            if progress is not None:
                progress(step, total, loss)
            if few and step % max(1, steps // LOOKS) == 0:
                loss = cross_entropy(model, answers_in_order(watched, WATCHED, pad))
                best.offer(step, loss)

        tokens = fit(
            model,
            batches(rows, size.batch_tokens, pad, np.random.default_rng(seed), prompts=True),
            Recipe(steps, size.learning_rate),
            on_step,
            journal,
            best,
        )
        return _Candidate(model, size, best.load(steps), best.lowest, tokens)

    candidates: list[_Candidate] = []
    for each in sizes if few else sizes[-1:]:
        candidates.append(train(each))
        if len(candidates) > 1 and candidates[-1].loss > candidates[-2].loss:
            break
    chosen = min(candidates, key=lambda candidate: candidate.loss)
    model = chosen.model
    nats = cross_entropy(model, answers_in_order(unseen, size.batch_tokens, pad))
    facts = {
        "cross_entropy": nats,
        "unigram": unigram(rows, unseen, len(tokenizer)),
        "bits_per_byte": nats / math.log(2) / _bytes_per_token(unseen, tokenizer),
        "steps": steps,
        "best_step": chosen.step,
        "epochs": steps / epoch,
        "tokens": chosen.tokens,
        "vocabulary": len(tokenizer),
        "parameters": model.num_parameters(),
        "cut": sum(row.cut for row in rows),
        "seconds": time.perf_counter() - started,
        "seed": seed,
        "size": asdict(chosen.size),
        "sizes": [candidate.facts() for candidate in candidates],
        "version": SCRATCH_VERSION,
    }
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n")
    return facts


@dataclass(frozen=True)
class _Candidate:
    """Model of one size, from the step with the lowest loss on validation texts."""

    model: Any
    size: Size
    step: int
    loss: float  # nats per token; infinite where it was not measured
    tokens: int

    def facts(self) -> dict[str, float | None]:
        loss = self.loss if math.isfinite(self.loss) else None  # JSON has no infinity
        return {"width": self.size.width, "layers": self.size.layers, "validation": loss}


def refuse_poor(facts: Mapping[str, Any]) -> None:
    """Raise UsageError if a start model is hardly better than a unigram model."""
    loss, bound = facts["cross_entropy"], MARGIN * facts["unigram"]
    if not loss < bound:
        raise UsageError(
            f"model: the start model's held-out loss is {loss:.2f} nats per token and must be "
            f"below {bound:.2f} (a unigram model has {facts['unigram']:.2f}); {_remedy(facts)}"
        )


def _remedy(facts: Mapping[str, Any]) -> str:
    # Several epochs over few texts overfit: longer training would not help.
    longer = facts.get("epochs", 0) < EPOCHS
    return (
        ("train it longer (budget.embedded_steps), " if longer else "")
        + "provide more texts, use a pretrained start model (model=hf model.path=DIR)"
        + ", or set budget=smoke to skip the checks"
    )


def unigram(rows: Sequence[Row], held_out: Sequence[Row], vocabulary: int) -> float:
    """Cross-entropy of held-out answers under a unigram model of `rows`, in nats per token."""
    counts = Counter(token for row in rows for token in row.ids[row.answer :])
    total = counts.total() + vocabulary  # Laplace smoothing: add one to every count
    tokens = [token for row in held_out for token in row.ids[row.answer :]]
    return -sum(math.log((counts[token] + 1) / total) for token in tokens) / len(tokens)


def _bytes_per_token(rows: Sequence[Row], tokenizer: Any) -> float:
    return sum(r.bytes(tokenizer) for r in rows) / sum(len(r.ids) - r.answer for r in rows)


def _config(tokenizer: Any, size: Size) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.width,
        intermediate_size=8 * size.width // 3,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        max_position_embeddings=size.context,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
