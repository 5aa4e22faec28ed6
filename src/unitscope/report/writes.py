"""What a unit writes, on a terminal: the tokens it raises and lowers, with what a random direction would."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from unitscope.atlas import Row
from unitscope.report.plain import NOTHING, clean, count, number
from unitscope.report.terminal import heading, legend

LEGEND = (
    "Logit less its mean over all tokens, for one unit of activation, before the division by the final norm. by "
    "chance: what one in twenty random directions of the same length exceeds with its first token; tokens in brackets "
    "are no stronger than that at their rank."
)
DIRECT = (
    "Direct logit attribution: its value times its direction, through the final norm as it was there, to the logit of "
    "the token that really came next less the mean logit. Later layers' use of it does not count. for, against: tokens "
    "by their part of the average where it is on. On: the 1 % of its values at the end where it detects."
)
BLANK = "·"


def shown(view: Row, *, top: int) -> list[RenderableType]:
    """Tokens that a unit's direction raises and lowers, and its direct effect; nothing where the atlas has none."""
    parts: list[RenderableType] = []
    lens = [row for row in view["writes"] if row["kind"] == "lens"]
    if lens:
        parts.append(heading("What it writes: tokens seen through the output embedding"))
        parts += [_line(lens, sign, word, top) for sign, word in ((1, "raises"), (-1, "lowers"))]
        parts.append(legend(LEGEND))
    if view["attribution"] is not None:
        parts.append(heading("What it adds to the logit of the token that comes next"))
        parts.append(_effect(view["attribution"]))
        rows = [row for row in view["writes"] if row["kind"] == "attribution"]
        parts += [_line(rows, sign, word, top) for sign, word in ((1, "for    "), (-1, "against"))]
        parts.append(legend(DIRECT))
    return parts


def _effect(row: Row) -> Text:
    return Text(
        f"on average {signed(row['mean_on'])} at the {count(row['n_on'])} tokens where it is on, "
        f"{signed(row['mean_off'])} at the {count(row['n_off'])} others"
    )


def signed(value: float | None) -> str:
    """A number with its sign.

    >>> signed(0.5), signed(-0.25), signed(None)
    ('+0.5', '-0.25', '–')
    """
    return number(value) if value is None or value < 0 else f"+{number(value)}"


def _line(rows: Sequence[Row], sign: int, word: str, top: int) -> Text:
    text = Text(f"{word}  ")
    chosen = [row for row in rows if row["sign"] == sign][:top]
    for index, row in enumerate(chosen):
        weak = row["chance"] is not None and abs(row["value"]) <= abs(row["chance"])
        shown = f"{token(row['token'])} {number(row['value'])}"
        text.append(f"{', ' * (index > 0)}")
        text.append(f"({shown})" if weak else shown, style="dim" if weak else "")
    if not chosen:
        text.append(NOTHING)
    elif chosen[0]["chance"] is not None:
        text.append(f"; by chance {number(chosen[0]['chance'])}")
    return text


def token(text: str) -> str:
    """A token with the blanks at its ends made visible.

    >>> token(" the"), token("ing"), token(" ")
    ('·the', 'ing', '·')
    """
    safe = clean(text)
    body = safe.strip(" ")
    start = len(safe) - len(safe.lstrip(" "))
    return f"{BLANK * start}{body}{BLANK * (len(safe) - start - len(body))}"
