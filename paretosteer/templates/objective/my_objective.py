"""My objective: a score of generated texts.

An objective of the benchmark `stories` is a function of the generated text. Higher is better.
Change the function, and what the declaration below says of it.
"""

from __future__ import annotations

from paretosteer import TextObjective


def my_objective(text: str) -> float:
    """Minus the exclamation marks per word, at least -1; raise for a text without a score."""
    words = text.split()
    if not words:
        raise ValueError("a text without words cannot be scored")
    return max(-1.0, -text.count("!") / len(words))


OBJECTIVE = TextObjective(
    name="my_objective",
    unit="marks per word",
    worst=-1.0,  # given to texts that cannot be scored
    description="few exclamation marks",
    version="1",  # raise it when the same text would score differently
    score=my_objective,
)

# Read by `--plugin`; an installed package declares entry points in its pyproject.toml instead.
paretosteer_plugins = {"objectives": {"my_objective": OBJECTIVE}}
