"""One colour and marker per method, the same in every figure of every report."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Line: TypeAlias = Literal["-", "--", ":", "-."]

# Okabe and Ito's palette, which stays apart for colour-blind readers, and on black and white; then
# Tol's schemes for the methods that are compared less often.
_METHODS = {
    "rewarded_soup": ("#0072B2", "o"),
    "bone_soup": ("#D55E00", "s"),
    "clp": ("#009E73", "^"),
    "cos_dpo": ("#CC79A7", "D"),
    "interpolation": ("#E69F00", "v"),
    "morl": ("#56B4E9", "P"),
    "start": ("#7F7F7F", "X"),
    "merge": ("#882255", "p"),
    "adapters": ("#44AA99", "H"),
    "panacea": ("#117733", "<"),
    "pblora": ("#999933", ">"),
    "pareto_merging": ("#DDCC77", "d"),
    "mo_odpo": ("#AA4499", "*"),
    "mi_epo": ("#332288", "h"),
    "ric": ("#661100", "8"),
    "mod": ("#33BBEE", "p"),
    "genarm": ("#0077BB", "<"),
    "parm": ("#004488", ">"),
    "best_of_n": ("#BBBBBB", "*"),
    "modpo": ("#EE7733", "d"),
}

# For everyone's own methods: Tol's muted scheme, picked by name so that it never changes.
_COLOURS = ("#AA4499", "#44AA99", "#999933", "#882255", "#88CCEE", "#DDCC77", "#6699CC", "#117733")
_MARKERS = ("p", "h", "<", ">", "d", "*")

# Rows of one method share its hue and differ in these: line, and share of white (or of black).
_LINES: tuple[Line, ...] = ("-", "--", ":", "-.")
_SHADES = (0.0, 0.4, -0.4, 0.65)


@dataclass(frozen=True)
class Style:
    """Style of a row; `colour` is hexadecimal RGB."""

    colour: str
    marker: str
    line: Line


@dataclass(frozen=True)
class Theme:
    """Colours of what surrounds the data."""

    name: str
    ink: str
    faint: str
    ground: str


LIGHT = Theme("light", ink="#1b1f24", faint="#d5d9de", ground="#ffffff")
DARK = Theme("dark", ink="#e6e8eb", faint="#3a4048", ground="#15181c")


def style(method: str, place: int = 0) -> Style:
    """Style of a method's row; `place` distinguishes several rows of one method."""
    colour, marker = _METHODS.get(method) or _by_name(method)
    turn = place % len(_LINES)
    return Style(_shade(colour, _SHADES[turn]), marker, _LINES[turn])


def styles(methods: Sequence[str]) -> list[Style]:
    """Styles of one table's rows, given by method."""
    seen: Counter[str] = Counter()
    looks = []
    for method in methods:
        looks.append(style(method, seen[method]))
        seen[method] += 1
    return looks


def _shade(colour: str, share: float) -> str:
    """Mix a colour with white, or where the share is negative with black."""
    ground = 255 if share > 0 else 0
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    mixed = (round(part + abs(share) * (ground - part)) for part in parts)
    return "#" + "".join(f"{part:02X}" for part in mixed)


def _by_name(method: str) -> tuple[str, str]:
    digest = hashlib.sha256(method.encode()).digest()
    return _COLOURS[digest[0] % len(_COLOURS)], _MARKERS[digest[1] % len(_MARKERS)]
