"""CSV that spreadsheets open without running formulas."""

import re
from typing import TYPE_CHECKING, Any

from paretosteer.runtime.terminal import printable

if TYPE_CHECKING:
    import pandas as pd

_NUMBER = re.compile(r"[+-][\d.]+(e[+-]?\d+)?")


def csv(frame: "pd.DataFrame") -> str:
    """Table as CSV, with figures to six digits; empty where a value does not apply."""
    texts = frame.select_dtypes(exclude=["number", "bool"])
    safe = frame.assign(**{str(name): texts[name].map(csv_text) for name in texts})
    return safe.rename(columns=csv_text).to_csv(
        index=False, float_format="%.6g", lineterminator="\n"
    )


def csv_text(value: Any) -> Any:
    """Prefix text with an apostrophe if a spreadsheet would read it as a formula."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    formula = text.lstrip().startswith(("=", "+", "-", "@")) and not _NUMBER.fullmatch(text)
    return f"'{text}" if formula else text
