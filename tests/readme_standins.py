"""Small stand-ins for the inputs of the README's commands: models, data, points."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd

FOOD = ("rice", "soup", "bread", "cake", "beans", "pasta", "pie", "salad", "eggs", "stew")


def stand_in(folder: Path) -> None:
    """Everything that a command of the README names and does not make itself."""
    _letor(folder / "MQ2008", 46)
    _letor(folder / "MSLR-WEB10K", 136)
    for seed, name in enumerate(("helpful", "harmless", "honest")):
        rows = _pairs(seed, f"{name}ly")
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode()))
        pd.DataFrame(rows).to_parquet(folder / f"{name}.parquet")
    _model(folder / "start")
    with (folder / "points.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["method", "w_a", "w_b", "a", "b"])
        writer.writerows([name, w, 1 - w, w, 1 - w] for name in "xy" for w in (0.0, 0.5, 1.0))


def _letor(folder: Path, width: int) -> None:
    """Five folds of queries whose documents differ in everything."""
    rng = np.random.default_rng(width)
    for fold in range(1, 6):
        for part in ("train", "vali", "test"):
            path = folder / f"Fold{fold}" / f"{part}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(_query(rng, width, hash_of(fold, part, i)) for i in range(6)))


def hash_of(fold: int, part: str, number: int) -> int:
    """A query id that no other part has."""
    return fold * 1000 + len(part) * 100 + ord(part[1]) % 7 * 10 + number


def _query(rng: np.random.Generator, width: int, name: int) -> str:
    documents = rng.random((8, width)).round(3)
    return "".join(
        f"{place % 3} qid:{name} "
        + " ".join(f"{i}:{v}" for i, v in enumerate(row, start=1))
        + f" #docid = GX{name}-{place}\n"  # MQ2008 is recognised by its documents' names
        for place, row in enumerate(documents)
    )


def _pairs(seed: int, word: str) -> list[dict[str, str]]:
    rng = np.random.default_rng(seed)
    foods = [" ".join(rng.choice(FOOD, size=2, replace=False)) for _ in range(120)]
    return [
        {
            "prompt": f"How do I cook {food} for {120 * seed + i} people?",
            "chosen": f"You cook {food} {word}.",
            "rejected": f"You cook {food} somehow.",
        }
        for i, food in enumerate(foods)
    ]


def _model(folder: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    from paretosteer.benchmarks.stories.tokenizer import build_tokenizer

    tokenizer = build_tokenizer()
    tokenizer.add_tokens(["helpfully", "harmlessly", "somehow"])  # what the pairs differ in
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
