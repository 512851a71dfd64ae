"""JSON that is safe inside a script element of the page."""

import json
from typing import Any

from markupsafe import Markup

# Inside a script element the first three could end it or open another; JavaScript once took the
# last two for ends of lines.
_UNSAFE = "<>&\u2028\u2029"


def safe_json(content: Any) -> Markup:
    """JSON on one line, marked so that templates do not escape it."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for each in _UNSAFE:
        text = text.replace(each, f"\\u{ord(each):04x}")
    return Markup(text)
