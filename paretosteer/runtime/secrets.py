"""Detect secrets in text, and replace them with `***`.

A secret is a password or token in a URL, a token of a known shape, a value assigned to a name such
as `api_key`, or the value of an environment variable with such a name, such as WANDB_API_KEY.
"""

from __future__ import annotations

import os
import re

_HIDDEN = "***"
_SHORTEST = 8  # characters: a shorter value of a variable may well occur in any text
_VARIABLE = re.compile(r"(^|_)(TOKEN|API_?KEY|ACCESS_KEY|SECRET|SECRET_KEY|PASSWORD)$", re.I)

# Names of secrets, however they begin; `pad_token` is none.
_NAME = (
    r"(?:(?:api|access|secret|private)[_-]?key|passw(?:or)?d|pwd|secret"
    r"|(?:access|api|auth|hf|refresh|session)[_-]?token|(?-i:[A-Z0-9]_TOKEN)|(?<=['\"])token)"
)
# A path, a command or a variable says where the secret is; `<eos>` is a token of another kind.
_NO_PLACE = r"(?![/~$`<.])"
_VALUE = rf"{_NO_PLACE}[^\s'\"&)}}\]]{{{_SHORTEST},}}"

# In each the group stays, and what follows it is hidden.
_SHAPES = (
    # https://user:password@host, https://token@host. In a password there may be @ and /, but a
    # number before the / is a port: nothing is hidden in https://host:80/model@main.
    r"(://)(?:[^\s/:@[]*:(?!\d+/)(?:(?!://)\S)*|[^\s/]+)(?=@)",
    # https://host?token=…, https://host?X-Amz-Signature=…, https://host#access_token=…
    r"([?&#][\w.-]*(?:token|key|secret|password|pwd|auth|signature|credential)=)[^&\s#]+",
    r"([?&#]sig=)[^&\s#]+",  # of Azure
    r"(\bauthorization\W{1,4}(?:basic|bearer|token)\s+)[^\s'\"]+",  # a header of HTTP
    r"(\bbearer\s+)[\w.~+/-]{20,}",
    # 'password': '…', api_key="…"
    rf"({_NAME}\\?['\"]?\s*[=:]\s*\\?['\"]){_NO_PLACE}[^'\"\\]{{{_SHORTEST},}}",
    rf"({_NAME}\s*=\s*){_VALUE}",  # export WANDB_API_KEY=…
    # api_key: a1b2…; "password: something" is prose.
    rf"({_NAME}:\s*)(?=\S{{0,64}}\d){_VALUE}",
    r"\b(hf|gh[opsur])_[A-Za-z0-9]{20,}",
    r"\b(github_pat_|glpat-|wandb_v\d+_)[\w-]{20,}",
    r"\b(sk-(?:proj|svcacct|admin|ant|or)-)[\w-]{16,}",  # OpenAI, Anthropic, OpenRouter
    r"\b(sk-)[A-Za-z0-9]{20,}",
    r"\b(?-i:(AKIA|ASIA)[A-Z0-9]{16})\b",  # AWS
    r"\b(?-i:(AIza)[\w-]{35})",  # Google
    r"\b(xox[abeprs]-)[\w-]{10,}",  # Slack
)
_SHAPE = re.compile("|".join(_SHAPES), re.I)


def redact(text: str) -> str:
    """Text with its secrets replaced."""
    for value in _values():
        text = text.replace(value, _HIDDEN)
    return _SHAPE.sub(lambda found: "".join(filter(None, found.groups())) + _HIDDEN, text)


def is_secret_name(variable: str) -> bool:
    """True for an environment variable that holds a secret, such as WANDB_API_KEY."""
    return _VARIABLE.search(variable) is not None


def holds_secret(text: str) -> bool:
    """True if a text holds a secret."""
    return redact(text) != text


def _values() -> list[str]:
    """Secrets in the environment, the longest first: one may be part of another."""
    named = (value for name, value in os.environ.items() if is_secret_name(name))
    return sorted({value for value in named if len(value) >= _SHORTEST}, key=len, reverse=True)
