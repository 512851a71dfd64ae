"""One colour and marker per method, the same in every figure of every report."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from paretosteer.report.analysis.evaluate_table import RowResult, TableResult

Line: TypeAlias = Literal["-", "--", ":", "-."]

# Okabe and Ito's palette, which stays apart for colour-blind readers, and on black and white. The
# further colours are, in this order, those farthest from all before them in OKLab, as seen with and
# without red or green, among those with a contrast of 2 on white and 2.6 on a dark ground.
_METHODS: dict[str, tuple[str, str, Line]] = {
    "rewarded_soup": ("#0072B2", "o", "-"),
    "bone_soup": ("#D55E00", "s", "-"),
    "clp": ("#009E73", "^", "-"),
    "cos_dpo": ("#CC79A7", "D", "-"),
    "interpolation": ("#E69F00", "v", "-"),
    "morl": ("#56B4E9", "P", "-"),
    "start": ("#7F7F7F", "X", "-"),
    "mi_epo": ("#8877FF", "h", "-."),
    "panacea": ("#226655", "<", "--"),
    "merge": ("#AA3388", "p", "--"),
    "mo_odpo": ("#DD11CC", "*", "--"),
    "best_of_n": ("#BBAABB", "*", ":"),
    "pblora": ("#88AA66", ">", "-."),
    "modpo": ("#5566EE", "d", "-."),
    "mod": ("#7799FF", "H", ":"),
    "parm": ("#4455AA", ">", "--"),
    "genarm": ("#0088DD", "<", ":"),
    "ric": ("#BB4411", "8", ":"),
    "pareto_merging": ("#CC8822", "d", "--"),
    "adapters": ("#557755", "H", "--"),
}

# For everyone's own methods, picked by name; none is a colour of a built-in method.
_COLOURS = ("#BB0033", "#6611FF", "#55CC88", "#9900CC", "#778844", "#006688", "#AA88CC", "#00CC44")
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


def style(method: str, place: int = 0, among: Iterable[str] = ()) -> Style:
    """Style of a method's row; `place` distinguishes several rows of one method.

    Methods of plug-ins `among` which it is shown get different colours while there are enough.
    """
    colour, marker, line = _METHODS.get(method) or _plugin_look(method, among)
    lines = _LINES[_LINES.index(line) :] + _LINES[: _LINES.index(line)]
    turn = place % len(_LINES)
    return Style(_shade(colour, _SHADES[turn]), marker, lines[turn])


def styles(result: TableResult, rows: Iterable[RowResult]) -> list[Style]:
    """Styles of some rows of a table."""
    among = {row.method for row in result.table.rows}
    seen: Counter[str] = Counter()
    looks = []
    for each in rows:
        looks.append(style(each.row.method, seen[each.row.method], among))
        seen[each.row.method] += 1
    return looks


def _shade(colour: str, share: float) -> str:
    """Mix a colour with white, or where the share is negative with black."""
    ground = 255 if share > 0 else 0
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    mixed = (round(part + abs(share) * (ground - part)) for part in parts)
    return "#" + "".join(f"{part:02X}" for part in mixed)


def _plugin_look(method: str, among: Iterable[str]) -> tuple[str, str, Line]:
    """Colour and marker by name; a colour that an earlier name has passes to the next free one."""
    taken: list[str] = []
    for name in sorted({method, *among} - _METHODS.keys()):
        first, shape = hashlib.sha256(name.encode()).digest()[:2]
        turned = [_COLOURS[(first + place) % len(_COLOURS)] for place in range(len(_COLOURS))]
        colour = next((each for each in turned if each not in taken), turned[0])
        if name == method:
            break
        taken.append(colour)
    return colour, _MARKERS[shape % len(_MARKERS)], "-"
