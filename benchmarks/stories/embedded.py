"""Embedded start model: a small Llama trained from scratch on the story grammar.

The entropy of the grammar is known exactly and is a lower bound on the cross-entropy of any model,
so the excess measures how much of the language remains to be learned.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from paretosteer.benchmarks.stories.openings import PROMPTS_VERSION
from paretosteer.benchmarks.stories.story import (
    STORY_VERSION,
    Story,
    sample_story,
    story_entropy,
)
from paretosteer.benchmarks.stories.tokenizer import CONTEXT, build_tokenizer
from paretosteer.text.scratch.train_language_model import (
    Labelled,
    Progress,
    Recipe,
    cross_entropy,
    fit,
    fresh_llama,
)
from paretosteer.training.snapshots import Journal

EMBEDDED_VERSION = f"1-story{STORY_VERSION}-prompts{PROMPTS_VERSION}"

STEPS = 850  # about a minute on two idle cores
BATCH = 32  # stories per step
HELD_OUT = 512  # stories for evaluation
LEARNING_RATE = 5e-3


def train_embedded(
    folder: Path,
    seed: int = 0,
    steps: int = STEPS,
    progress: Progress | None = None,
    journal: Journal | None = None,
) -> dict[str, float | int | str]:
    """Train the model, write it to `folder` as a plain Hugging Face folder, and return its facts.

    The same seed gives the same weights on the same machine. The global random state is not
    changed. A killed training run resumes from the snapshots of its `journal`.

    Returns
    -------
    Facts, also written to `embedded.json`. In nats per token, with the end token: `cross_entropy`
    on held-out stories, the exact `grammar_entropy`, and `held_out_entropy`, the mean of -log p of
    the same stories under the grammar. `excess_ratio` is cross-entropy over held-out entropy, minus
    one; using the same stories in both removes most of the sampling noise. Further `steps`,
    `tokens`, `parameters`, `seconds`, `seed` and `version`.

    """
    started = time.perf_counter()
    tokenizer = build_tokenizer()
    model = fresh_llama(_config(tokenizer), seed)
    stories = _stories(tokenizer, np.random.default_rng([seed, 0]))
    tokens = fit(model, stories, Recipe(steps, LEARNING_RATE), progress, journal)
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


def _stories(
    tokenizer: PreTrainedTokenizerFast, generator: np.random.Generator
) -> Iterator[Labelled]:
    """Endless batches of new stories."""
    while True:
        yield _batch(tokenizer, [sample_story(generator) for _ in range(BATCH)])


def _held_out(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, generator: np.random.Generator
) -> dict[str, float]:
    stories = [sample_story(generator) for _ in range(HELD_OUT)]
    batches = [_batch(tokenizer, stories[at : at + BATCH]) for at in range(0, len(stories), BATCH)]
    tokens = sum(batch.count for batch in batches)
    model_entropy = cross_entropy(model, batches)
    held_out_entropy = -sum(story.log_probability for story in stories) / tokens
    return {
        "cross_entropy": model_entropy,
        "held_out_entropy": held_out_entropy,
        "grammar_entropy": story_entropy().nats_per_word,
        "excess_ratio": model_entropy / held_out_entropy - 1,
    }


def _batch(tokenizer: PreTrainedTokenizerFast, stories: list[Story]) -> Labelled:
    """Token ids (stories, T) from [bos] to [eos]; the loss covers every token after [bos]."""
    bos = [tokenizer.bos_token_id]
    rows = [bos + tokenizer.convert_tokens_to_ids(story.words) for story in stories]
    return Labelled.of(rows, rows, tokenizer.pad_token_id)
