"""Secrets in text: found, so that no configuration brings one in, and written out as `***`.

A secret is a password or token in a URL, a token of a known shape, or the value of an environment
variable that is called one, such as WANDB_API_KEY or HF_TOKEN.
"""

from __future__ import annotations

import os
import re

_HIDDEN = "***"
_SHORTEST = 8  # characters: a shorter value of a variable may well occur in any text
_VARIABLE = re.compile(r"(^|_)(TOKEN|API_?KEY|ACCESS_KEY|SECRET|SECRET_KEY|PASSWORD)$", re.I)
_SHAPES = re.compile(
    # https://user:password@host, https://token@host. In a password there may be @ and /, but a
    # number before the / is a port: nothing is hidden in https://host:80/model@main.
    r"(://)(?:[^\s/:@[]*:(?!\d+/)(?:(?!://)\S)*|[^\s/]+)(?=@)"
    r"|([?&][\w.-]*(?:token|key|secret|password|signature)=)[^&\s#]+"
    r"|\b(hf|gh[opsur])_[A-Za-z0-9]{20,}"
    r"|\b(github_pat_|glpat-)[\w-]{20,}",
    re.I,
)


def redact(text: str) -> str:
    """The text without the secrets that it holds."""
    for value in _values():
        text = text.replace(value, _HIDDEN)
    return _SHAPES.sub(lambda found: "".join(filter(None, found.groups())) + _HIDDEN, text)


def holds_secret(text: str) -> bool:
    """Whether there is any secret in a text."""
    return redact(text) != text


def _values() -> list[str]:
    """Secrets in the environment, the longest first: one may be part of another."""
    named = (value for name, value in os.environ.items() if _VARIABLE.search(name))
    return sorted({value for value in named if len(value) >= _SHORTEST}, key=len, reverse=True)
