"""A start model for machines with no hub: tokenizer and Llama from nothing but dialogues."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig

from paretosteer.errors import UsageError
from paretosteer.text.scratch.byte_pair import learn_tokenizer
from paretosteer.text.scratch.loop import Progress, Recipe, cross_entropy, fit, fresh_llama
from paretosteer.text.scratch.size import Size
from paretosteer.text.scratch.token_rows import Row, answers_in_order, batches, encode_row

SCRATCH_VERSION = "1"
FACTS = "scratch.json"
MARGIN = 0.85  # of the unigram model's cross-entropy: what a start model must stay below

Text = tuple[str, str]  # prompt, answer


def train_start_model(
    texts: Sequence[Text],
    held_out: Sequence[Text],
    folder: Path,
    size: Size,
    *,
    seed: int = 0,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Learn tokenizer and model, write a plain Hugging Face folder, and return its facts.

    The facts are also `scratch.json`. On the answers of `held_out`, end token included:
    `cross_entropy` and, of a model that knows only how often each token occurs, `unigram` (nats per
    token), and `bits_per_byte`. Then `steps`, `tokens` learnt from, `vocabulary`, `parameters`,
    `cut` (training texts that did not fit the context), `seconds`, `seed`, `size` and `version`.
    The same seed gives the same weights on the same machine, and the global random state stays as
    it was.

    Parameters
    ----------
    texts, held_out
        Prompts, each ending where its answer begins, and answers.
    device
        Where to train; None: the CPU.

    Raises
    ------
    UsageError
        If there is nothing to learn from, or nothing to measure on.

    """
    if not texts or not held_out:
        raise UsageError(
            f"start model: found {len(texts)} texts to learn from and {len(held_out)} held out; "
            "it needs some of both"
        )
    started = time.perf_counter()
    tokenizer = learn_tokenizer((f"{p} {a}" for p, a in texts), size.vocabulary, size.context)
    rows, unseen = (
        [encode_row(tokenizer, prompt, answer, size.context) for prompt, answer in part]
        for part in (texts, held_out)
    )
    model = fresh_llama(_config(tokenizer, size), seed).to(device or torch.device("cpu"))
    pad, rng = tokenizer.pad_token_id, np.random.default_rng(seed)
    tokens = fit(
        model,
        batches(rows, size.batch_tokens, pad, rng, prompts=True),
        Recipe(size.steps, size.learning_rate),
        progress,
    )
    nats = cross_entropy(model, answers_in_order(unseen, size.batch_tokens, pad))
    facts = {
        "cross_entropy": nats,
        "unigram": unigram(rows, unseen, len(tokenizer)),
        "bits_per_byte": nats / math.log(2) / _bytes_per_token(unseen, tokenizer),
        "steps": size.steps,
        "tokens": tokens,
        "vocabulary": len(tokenizer),
        "parameters": model.num_parameters(),
        "cut": sum(row.cut for row in rows),
        "seconds": time.perf_counter() - started,
        "seed": seed,
        "size": asdict(size),
        "version": SCRATCH_VERSION,
    }
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / FACTS).write_text(json.dumps(facts, indent=2) + "\n")
    return facts


def refuse_poor(facts: Mapping[str, Any]) -> None:
    """Raise UsageError where a start model has learnt little more than how often tokens occur."""
    found, bound = facts["cross_entropy"], MARGIN * facts["unigram"]
    if not found < bound:
        raise UsageError(
            f"model: the start model's held-out loss is {found:.2f} nats per token, and a model "
            f"that only counts tokens has {facts['unigram']:.2f}: it must stay below {bound:.2f}; "
            "train it longer (budget.embedded_steps), give more texts, or say budget=smoke to go "
            "on without checks"
        )


def unigram(rows: Sequence[Row], held_out: Sequence[Row], vocabulary: int) -> float:
    """Cross-entropy of held-out answers' tokens under the counts of the others', in nats per token.

    Laplace's rule: one is added to every count.
    """
    seen = Counter(token for row in rows for token in row.ids[row.answer :])
    total = seen.total() + vocabulary
    tokens = [token for row in held_out for token in row.ids[row.answer :]]
    return -sum(math.log((seen[token] + 1) / total) for token in tokens) / len(tokens)


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
