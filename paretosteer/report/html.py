"""Elements of HTML in which text is always escaped: only what `element` made passes as markup."""

from html import escape

_VOID = frozenset({"img", "source"})


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
