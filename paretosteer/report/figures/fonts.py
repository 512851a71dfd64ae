"""Installed fonts for the scripts that matplotlib's own font does not have."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

OWN = "DejaVu Sans"  # comes with matplotlib
_IGNORED = {"Cc", "Cf", "Zs"}  # categories of characters without a shape
_PLACEHOLDERS = ("lastresort", "adobeblank")  # fonts that draw every character as a box or nothing

# Packages are Debian's; the fonts have the same names elsewhere.
_NOTO_CJK = "Noto Sans CJK (Debian: fonts-noto-cjk)"
_REMEDIES = {
    "CJK": _NOTO_CJK,
    "Hiragana": _NOTO_CJK,
    "Katakana": _NOTO_CJK,
    "Hangul": _NOTO_CJK,
    "emoji": "Symbola (Debian: fonts-symbola)",
}
_NOTO = "a Noto Sans font of the script (Debian: fonts-noto-core)"


def families(text: str) -> list[str]:
    """Font families that together draw a text, matplotlib's own first.

    Characters that no installed font has are ignored here; see `missing_note`.
    """
    return [OWN, *(name for name, _ in _fallbacks(_beyond_own(text)))]


def missing_note(text: str) -> str:
    """Note that names the scripts of a text that no installed font has, and the remedy; or ""."""
    needed = _beyond_own(text)
    missing = needed.difference(*(has for _, has in _fallbacks(needed)))
    if not missing:
        return ""
    scripts = sorted({_script(each) for each in missing})
    fonts = sorted({_REMEDIES.get(script, _NOTO) for script in scripts})
    shown = "".join(sorted(missing)[:8])
    return (
        f"figures: no installed font has {', '.join(scripts)} characters ({shown}), "
        f"which are drawn as boxes; install {' and '.join(fonts)} and write the report again"
    )


def _beyond_own(text: str) -> frozenset[str]:
    """Characters with a shape that matplotlib's own font lacks."""
    rest = {
        each
        for each in text
        if not each.isascii()
        and unicodedata.category(each) not in _IGNORED
        and not unicodedata.name(each, "").startswith("VARIATION SELECTOR")
    }
    if not rest:
        return frozenset()
    from matplotlib.font_manager import findfont

    return frozenset(rest - _in_font(_open(findfont(OWN)), rest))


@cache
def _fallbacks(needed: frozenset[str]) -> list[tuple[str, set[str]]]:
    """Fewest installed families that have what is needed, each with what it adds."""
    if not needed:
        return []
    from matplotlib.font_manager import fontManager, ttfFontProperty

    offers = []
    for font in _installed():
        if has := _in_font(font, needed):
            plain = (font.style_name not in ("Regular", "Book"), "Sans" not in font.family_name)
            offers.append((plain, font.family_name, str(font.fname), has))
    offers.sort(key=lambda offer: offer[:3])
    chosen: list[tuple[str, set[str]]] = []
    rest = set(needed)
    while offers:
        best = max(offers, key=lambda offer: len(offer[3] & rest))  # the first of equals
        if not best[3] & rest:
            break
        # matplotlib's own list is cached in a file, which lacks fonts installed since.
        for _, family, path, _ in offers:
            if family == best[1]:  # bold too
                fontManager.addfont(path)
        chosen.append((ttfFontProperty(_open(best[2])).name, best[3] & rest))
        rest -= best[3]
    return chosen


def _installed() -> Iterator[Any]:
    """Fonts of the machine that matplotlib can draw."""
    from matplotlib.font_manager import findSystemFonts

    for path in sorted(findSystemFonts()):
        try:
            font = _open(path)
        except (OSError, RuntimeError, ValueError):
            continue
        name = font.family_name.replace(" ", "").lower()
        coloured = "color" in name  # pictures or layers instead of outlines
        if font.scalable and not coloured and not name.startswith(_PLACEHOLDERS):
            yield font


def _open(path: str) -> Any:
    from matplotlib.ft2font import FT2Font

    return FT2Font(path)


def _in_font(font: Any, characters: set[str] | frozenset[str]) -> set[str]:
    return {each for each in characters if font.get_char_index(ord(each))}


def _script(character: str) -> str:
    """Script of a character, such as `Hangul`, or `emoji` for pictures."""
    if unicodedata.category(character) in ("So", "Sk"):
        return "emoji"
    script = unicodedata.name(character, "unnamed").split()[0].capitalize()
    wide = unicodedata.east_asian_width(character) in ("W", "F", "H")
    return "CJK" if wide and script not in _REMEDIES else script
