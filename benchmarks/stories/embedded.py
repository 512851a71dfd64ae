"""The start model of the benchmark: a small Llama trained from scratch on the story grammar.

The grammar's entropy is known exactly and bounds the cross-entropy of every model from below, so
the excess over it says how much of the language the model has yet to learn.
"""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from paretosteer.benchmarks.stories.prompts import PROMPTS_VERSION
from paretosteer.benchmarks.stories.story import (
    STORY_VERSION,
    Story,
    sample_story,
    story_entropy,
)
from paretosteer.benchmarks.stories.tokenizer import CONTEXT, build_tokenizer

EMBEDDED_VERSION = f"1-story{STORY_VERSION}-prompts{PROMPTS_VERSION}"

STEPS = 850  # about a minute on two idle cores
BATCH = 32  # stories a step
HELD_OUT = 512  # stories
LEARNING_RATE = 5e-3
WARMUP = 0.05  # share of the steps
WEIGHT_DECAY = 0.01
CLIP = 1.0  # norm of the gradient
IGNORED = -100  # label of padding

Progress = Callable[[int, int, float], None]  # steps done, all steps, loss in nats per token


def train_embedded(
    folder: Path, seed: int = 0, steps: int = STEPS, progress: Progress | None = None
) -> dict[str, float | int | str]:
    """Train the model, write it to `folder` as a plain Hugging Face folder, and return its facts.

    The facts are also `embedded.json`: `cross_entropy` on held-out stories, the exact
    `grammar_entropy`, and `held_out_entropy`, the mean of -log p of those same stories (all in
    nats per token, the end token included); `excess_ratio`, cross-entropy over held-out entropy
    minus one, which has no sampling noise from which stories were held out; `steps`, `tokens`,
    `parameters`, `seconds`, `seed`, `version`. The same seed gives the same weights on the same
    machine, and the global random state stays as it was.
    """
    started = time.perf_counter()
    tokenizer = build_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(_config(tokenizer))
    tokens = _fit(model, tokenizer, np.random.default_rng([seed, 0]), steps, progress)
    facts: dict[str, float | int | str] = {
        **_held_out(model, tokenizer, np.random.default_rng([seed, 1])),
        "steps": steps,
        "tokens": tokens,
        "parameters": model.num_parameters(),
        "seconds": time.perf_counter() - started,
        "seed": seed,
        "version": EMBEDDED_VERSION,
    }
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "embedded.json").write_text(json.dumps(facts, indent=2) + "\n")
    return facts


def _config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def _fit(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    generator: np.random.Generator,
    steps: int,
    progress: Progress | None,
) -> int:
    """Adam on fresh stories, linear warm-up then cosine to zero; returns the tokens learnt from."""
    optimiser = torch.optim.AdamW(
        model.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps))
    tokens = 0
    model.train()
    for step in range(steps):
        ids = _batch(tokenizer, [sample_story(generator) for _ in range(BATCH)])
        count = _count(ids, tokenizer)
        loss = _loss(model, ids) / count
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimiser.step()
        schedule.step()
        tokens += count
        if progress is not None:
            progress(step + 1, steps, loss.item())
    model.eval()
    return tokens


def _rate(step: int, steps: int) -> float:
    """The learning rate of a step as a share of the highest."""
    warm = max(1, round(WARMUP * steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))


@torch.no_grad()
def _held_out(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, generator: np.random.Generator
) -> dict[str, float]:
    stories = [sample_story(generator) for _ in range(HELD_OUT)]
    batches = [_batch(tokenizer, stories[at : at + BATCH]) for at in range(0, len(stories), BATCH)]
    tokens = sum(_count(ids, tokenizer) for ids in batches)
    cross_entropy = sum(_loss(model, ids).item() for ids in batches) / tokens
    held_out_entropy = -sum(story.log_probability for story in stories) / tokens
    return {
        "cross_entropy": cross_entropy,
        "held_out_entropy": held_out_entropy,
        "grammar_entropy": story_entropy().nats_per_word,
        "excess_ratio": cross_entropy / held_out_entropy - 1,
    }


def _batch(tokenizer: PreTrainedTokenizerFast, stories: list[Story]) -> torch.Tensor:
    """Token ids (stories, T), [bos] first, [eos] last, padded on the right."""
    bos = [tokenizer.bos_token_id]
    rows = [torch.tensor(bos + tokenizer.convert_tokens_to_ids(story.words)) for story in stories]
    return torch.nn.utils.rnn.pad_sequence(rows, True, tokenizer.pad_token_id)


def _loss(model: LlamaForCausalLM, ids: torch.Tensor) -> torch.Tensor:
    """Summed negative log-likelihood in nats of every token after [bos].

    Padding comes last, so no token attends to it and the model needs no mask.
    """
    logits = model(ids[:, :-1]).logits  # (stories, T - 1, vocabulary)
    labels = ids[:, 1:].masked_fill(ids[:, 1:] == model.config.pad_token_id, IGNORED)
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )


def _count(ids: torch.Tensor, tokenizer: PreTrainedTokenizerFast) -> int:
    """Tokens that a batch predicts: all but [bos] and padding."""
    return int((ids[:, 1:] != tokenizer.pad_token_id).sum())
