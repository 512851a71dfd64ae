"""Elements of HTML in which text is always escaped: only what `element` made passes as markup."""

import json
from collections.abc import Sequence
from html import escape
from typing import Any

_VOID = frozenset({"img", "source"})

# Inside a script element the first three could end it or open another; JavaScript once took the
# last two for ends of lines.
_UNSAFE = "<>&\u2028\u2029"


class Markup(str):
    """Text that is HTML already."""


def element(name: str, *children: str, **attributes: str) -> Markup:
    """An element; plain strings among children and attributes are escaped.

    A trailing underscore is dropped from attribute names (`class_`), others become hyphens.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    return Markup(f"<{name}{given}>" + ("" if name in _VOID else f"{join(*children)}</{name}>"))


def join(*parts: str) -> Markup:
    """Parts one after another, plain strings escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def plain_table(rows: Sequence[Markup], head: Sequence[str] = (), kind: str = "plain") -> Markup:
    """A table in a box that scrolls where the page is too narrow for it."""
    titles = [element("th", title, scope="col") for title in head]
    top = [element("thead", element("tr", *titles))] if head else []
    return element(
        "div", element("table", *top, element("tbody", *rows), class_=kind), class_="scroll"
    )


def row(title: str, *cells: Markup) -> Markup:
    """A row with its own heading."""
    return element("tr", element("th", title, scope="row"), *cells)


def safe_json(content: Any) -> Markup:
    """JSON on one line that may stand inside a script element."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for each in _UNSAFE:
        text = text.replace(each, f"\\u{ord(each):04x}")
    return Markup(text)
