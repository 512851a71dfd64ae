"""What makes the page move: its own scripts and Plotly, all inside the one file.

Plotly is packed, so that the page stays small, and the browser unpacks it. The page's policy
names each script by its digest: nothing that a record holds could run even if it became markup.
"""

import gzip
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from string import Template

from paretosteer.report.page.html import Markup, element, join

_WEB = files("paretosteer.report").joinpath("web")
_SCRIPTS = (
    "dom",
    "simplex",
    "control",
    "plots",
    "fronts",
    "dial",
    "steering",
    "costs",
    "drift",
    "tables",
    "main",
)


def whole_page(title: str, body: Markup, data: Markup, plots: bool) -> str:
    """The page's file.

    Parameters
    ----------
    title, body
        What it says.
    data
        The script element with what is drawn.
    plots
        Whether there is anything to plot; Plotly is left out where not.
    """
    own = _own_script()
    plotly = [element("script", _packed_plotly(), type="text/plain", id="plotly")] if plots else []
    digests = [_digest(own), *([_digest(_plotly())] if plots else [])]
    return Template(_read("page.html")).substitute(
        title=title,
        style=_read("page.css"),
        policy=_policy(digests),
        body=body,
        scripts=join(data, "\n", *plotly, "\n", element("script", Markup(own))),
    )


def _policy(digests: list[str]) -> str:
    scripts = " ".join(f"'sha256-{each}'" for each in digests)
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
        f"form-action 'none'; script-src {scripts}"
    )


def _digest(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()


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
def _packed_plotly() -> Markup:
    """The same characters each time: no date in the archive."""
    return Markup(b64encode(gzip.compress(_plotly().encode(), mtime=0)).decode())
