"""Hooks of MkDocs: docstrings of the public API, and formulas as MathML.

Browsers render MathML themselves, so the site needs no script and no network.
"""

from __future__ import annotations

import html
import importlib
import re
from typing import Any

from latex2mathml.converter import convert

_API = re.compile(r"^<!-- api: (\S+) -->$", flags=re.MULTILINE)
# As pymdownx.arithmatex writes them.
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', flags=re.DOTALL)
_DISPLAY = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', flags=re.DOTALL)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Ask mkdocstrings for the documentation of every public name that a page marks."""
    return _API.sub(lambda mark: _docstring(mark[1]), markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Replace the LaTeX of every formula by MathML."""
    content = _INLINE.sub(lambda found: convert(html.unescape(found[1])), content)
    return _DISPLAY.sub(lambda found: convert(html.unescape(found[1]), display="block"), content)


def _docstring(path: str) -> str:
    """Directive of mkdocstrings, which has to be told where a name is defined."""
    package, _, name = path.rpartition(".")
    defined = getattr(importlib.import_module(package), name)
    place = f"{defined.__module__}.{defined.__qualname__}"
    return f"::: {place}\n    options:\n      heading: {path}\n"
