"""Conversion between text and words, shared by grammar, prompts and tokenizer.

Words are case-sensitive; punctuation marks and digits are separate words. Straight quotes become
“ and ”, so that a list of words distinguishes opening and closing quotes.
"""

import re

_OPENING_QUOTE = re.compile(r'(?<!\S)"')  # at the start of the text or after white space
_WORD = re.compile(r"[^\W\d_]+|\S")  # a run of letters, or a single mark or digit
_CLOSING_SPACE = re.compile(r" ([.,!?:;”])|(?<=“) |(?<=[\d.]) (?=\d)|(?<=\d) (?=\.)")


def split_words(text: str) -> list[str]:
    """Split `'"Hi!" said Tom.'` into `['“', 'Hi', '!', '”', 'said', 'Tom', '.']`."""
    return _WORD.findall(_OPENING_QUOTE.sub("“", text).replace('"', "”"))


def join_words(words: list[str]) -> str:
    """Join words into a text; the inverse of `split_words` on naturally spaced text."""
    text = _CLOSING_SPACE.sub(lambda match: match.group(1) or "", " ".join(words))
    return text.replace("“", '"').replace("”", '"')
