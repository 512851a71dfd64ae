"""Keys of the page's legend: each row's marker on its line, in its colour."""

from typing import Any

from paretosteer.report.figures.style import Style

# SVG paths around the origin, five units in radius; dashes in the same units.
MARKERS = {
    "o": "M5 0A5 5 0 1 1-5 0A5 5 0 1 1 5 0Z",
    "s": "M-4.5-4.5H4.5V4.5H-4.5Z",
    "^": "M0-5.4L5 3.8H-5Z",
    "v": "M0 5.4L5-3.8H-5Z",
    "<": "M-5.4 0L3.8-5V5Z",
    ">": "M5.4 0L-3.8-5V5Z",
    "D": "M0-5.8L5.8 0L0 5.8L-5.8 0Z",
    "d": "M0-6L3.8 0L0 6L-3.8 0Z",
    "P": "M-1.8-5.2H1.8V-1.8H5.2V1.8H1.8V5.2H-1.8V1.8H-5.2V-1.8H-1.8Z",
    "X": "M2.4-4.9L4.9-2.4L2.5 0L4.9 2.4L2.4 4.9L0 2.5L-2.4 4.9L-4.9 2.4L-2.5 0L-4.9-2.4L-2.4-4.9"
    "L0-2.5Z",
    "p": "M0-5.4L5.1-1.7L3.2 4.4H-3.2L-5.1-1.7Z",
    "h": "M0-5.4L4.7-2.7V2.7L0 5.4L-4.7 2.7V-2.7Z",
    "H": "M5.4 0L2.7 4.7H-2.7L-5.4 0L-2.7-4.7H2.7Z",
    "8": "M5 2.1L2.1 5H-2.1L-5 2.1V-2.1L-2.1-5H2.1L5-2.1Z",
    "*": "M0-6.2L1.5-2.1L5.9-1.9L2.5 .8L3.6 5L0 2.6L-3.6 5L-2.5 .8L-5.9-1.9L-1.5-2.1Z",
}
_DASHES = {"-": "", "--": "5 3", ":": "1.5 2.5", "-.": "5 2.5 1.5 2.5"}


def key(look: Style) -> dict[str, Any]:
    """Data of the macro `key`, and of the function in `keys.js`."""
    return {
        "colour": look.colour,
        "path": MARKERS[look.marker],
        "dashes": _DASHES[look.line],
    }
