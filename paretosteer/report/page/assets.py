"""Styles and scripts of the page, including Plotly, all inline.

Plotly is compressed to keep the page small; the browser decompresses it. The page's content
security policy allows each script by its digest.
"""

import gzip
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from markupsafe import Markup

_WEB = files("paretosteer.report").joinpath("web")
_SCRIPTS = (
    "dom",
    "fragment",
    "keys",
    "labels",
    "simplex",
    "control",
    "plots",
    "fronts",
    "dial",
    "steering",
    "costs",
    "drift",
    "learning",
    "samples",
    "tips",
    "tables",
    "contents",
    "main",
)


def assets(plots: bool) -> dict[str, Any]:
    """Data of `base.html`; Plotly is left out where there is nothing to plot."""
    scripts = [_own_script(), *([_plotly()] if plots else [])]
    return {
        "style": Markup(_read("page.css")),
        "script": Markup(_own_script()),
        "plotly": _packed_plotly() if plots else "",
        "form": form_digest(),
        "digests": [b64encode(sha256(each.encode()).digest()).decode() for each in scripts],
    }


@cache
def form_digest() -> str:
    """Digest of styles, scripts and templates: pages with another are of another version."""
    templates = files("paretosteer.report.page").joinpath("templates")
    parts = [
        _own_script(),
        _read("page.css"),
        *(
            each.read_text(encoding="utf-8")
            for each in sorted(templates.iterdir(), key=lambda each: each.name)
            if each.name.endswith(".html")
        ),
    ]
    return sha256("\n".join(parts).encode()).hexdigest()[:12]


@cache
def _own_script() -> str:
    """All files in one scope of their own."""
    parts = "\n".join(_read(f"{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _read(name: str) -> str:
    return _WEB.joinpath(name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())


@cache
def _packed_plotly() -> str:
    """Compress to the same bytes every time: the archive has no date."""
    return b64encode(gzip.compress(_plotly().encode(), mtime=0)).decode()
