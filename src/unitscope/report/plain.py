"""Plain text for terminals: words of corpora made harmless, and numbers as the reports write them.

A corpus may hold anything: control characters that move the cursor, marks that turn the reading direction around,
markup. What is shown is always passed through `clean` first and never read as markup.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from typing import Any

NOTHING = "–"
_JOINERS = ("\u200c", "\u200d")
_PARTS_OF_1000 = 0.001


def clean(value: object) -> str:
    """Text that changes nothing but its own line: no control characters, line breaks, direction marks, surrogates.

    Line breaks and tabs become blanks, other control characters U+FFFD; invisible marks go, but for the joiners that
    some scripts are written with.

    >>> clean("a\\x1b[31m\\tb\\u202e [bold]")
    'a\ufffd[31m b [bold]'
    """
    text = str(value)
    return text if text.isprintable() else "".join(map(_harmless, text))


def _harmless(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    category = unicodedata.category(character)
    if character in "\t\n\r" or category.startswith("Z"):
        return " "
    return "" if category == "Cf" else "\ufffd"


def effect(value: float | None) -> str:
    """A score in [-1, 1] with two decimals and no leading zero, three beyond .995.

    >>> effect(0.5), effect(0.9987), effect(1.0), effect(-0.25), effect(None)
    ('.50', '.999', '1.00', '-.25', '–')
    """
    if value is None or math.isnan(value):
        return NOTHING
    places = 3 if 0.995 <= abs(value) < 1 else 2
    text = f"{value:.{places}f}"
    return "1.00" if text == "1.000" else text.replace("0.", ".", 1) if abs(value) < 1 else text


def interval(low: float | None, high: float | None) -> str:
    """An interval in brackets, or a dash where there is none.

    >>> interval(0.91, 0.96), interval(None, None)
    ('[.91, .96]', '–')
    """
    return NOTHING if low is None or high is None else f"[{effect(low)}, {effect(high)}]"


def chance(value: float | None) -> str:
    """A p- or q-value with three decimals.

    >>> chance(0.0123), chance(0.00001), chance(1.0), chance(None)
    ('.012', '<.001', '1.00', '–')
    """
    if value is None or math.isnan(value):
        return NOTHING
    if value < _PARTS_OF_1000:
        return "<.001"
    return f"{value:.3f}".replace("0.", ".", 1) if value < 0.9995 else "1.00"


def share(part: float | None, whole: float = 1.0) -> str:
    """A share in percent, with decimals only where it is small.

    >>> share(0.431), share(3, 64), share(1, 1920), share(0), share(2, 0)
    ('43 %', '4.7 %', '0.05 %', '0 %', '–')
    """
    if part is None or math.isnan(part) or not whole:
        return NOTHING
    percent = 100 * part / whole
    places = 0 if percent >= 10 or percent == 0 else 1 if percent >= 0.1 else 2
    return f"{percent:.{places}f} %"


def count(value: float | None) -> str:
    """A whole number with separators.

    >>> count(31356), count(None)
    ('31,356', '–')
    """
    return NOTHING if value is None else f"{int(value):,}"


def counted(value: float, one: str, many: str = "") -> str:
    """A number of things.

    >>> counted(1, "layer"), counted(2000, "pass", "passes")
    ('1 layer', '2,000 passes')
    """
    return f"{count(value)} {one if value == 1 else many or one + 's'}"


def number(value: float | None) -> str:
    """Any number with three significant digits.

    >>> number(2.0263), number(0.00032), number(-13.5), number(None)
    ('2.03', '0.00032', '-13.5', '–')
    """
    return NOTHING if value is None or math.isnan(value) else f"{value:.3g}"


def size(n_bytes: float) -> str:
    """Bytes in a unit that fits.

    >>> size(512), size(1_500_000), size(23e9)
    ('512 B', '1.5 MB', '23 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" or n_bytes >= 10 else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:,.1f} TB"


def direction(sign: int) -> str:
    """What a unit does where the concept holds.

    >>> direction(1), direction(-1)
    ('fires on', 'falls on')
    """
    return "fires on" if sign > 0 else "falls on"


def finite(value: Any) -> Any:
    """JSON values without NaN and infinities, which become null.

    >>> finite({"a": [float("nan"), 1.0], "b": (2,)})
    {'a': [None, 1.0], 'b': [2]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return value


def listed(words: Iterable[object]) -> str:
    """Clean words with commas between.

    >>> listed(["may", "June"])
    'may, June'
    """
    return ", ".join(map(clean, words))
