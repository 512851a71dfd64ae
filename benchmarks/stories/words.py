"""Text to words and back, by the one convention that grammar, prompts and tokenizer share.

Words are case-sensitive; punctuation marks and digits are words of their own. Straight quotes
become “ and ” so that a list of words says which way each one faces.
"""

import re

_OPENING_QUOTE = re.compile(r'(?<!\S)"')  # nothing but a space, or nothing at all, before it
_WORD = re.compile(r"[^\W\d_]+|\S")  # a run of letters, or one mark or digit
_CLOSING_SPACE = re.compile(r" ([.,!?:;”])|(?<=“) |(?<=[\d.]) (?=\d)|(?<=\d) (?=\.)")


def split_words(text: str) -> list[str]:
    """`'"Hi!" said Tom.'` becomes `['“', 'Hi', '!', '”', 'said', 'Tom', '.']`."""
    return _WORD.findall(_OPENING_QUOTE.sub("“", text).replace('"', "”"))


def join_words(words: list[str]) -> str:
    """The inverse of `split_words` on naturally spaced text."""
    text = _CLOSING_SPACE.sub(lambda match: match.group(1) or "", " ".join(words))
    return text.replace("“", '"').replace("”", '"')
