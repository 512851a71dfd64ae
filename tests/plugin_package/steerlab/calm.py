"""Calm: few exclamation marks."""

from paretosteer import TextObjective


def calm(text: str) -> float:
    """Minus the exclamation marks per word, at least -1."""
    words = text.split()
    if not words:
        raise ValueError("a text without words cannot be scored")
    return max(-1.0, -text.count("!") / len(words))


CALM = TextObjective("calm", "marks per word", -1.0, "few exclamation marks", "1", calm)
