"""Effects in words and numbers: what is lost or gained without a unit, and whether that bears its label out.

A task's value may rise or fall as the network gets better; *cost* is what is lost either way. A unit is *specific*
where taking it out costs at its concept, and more than elsewhere, at a false discovery rate of 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unitscope.report.plain import NOTHING, chance, clean, number

Row = Mapping[str, Any]
FALSE_DISCOVERIES = 0.05
VERDICTS = {
    "specific": "costs where the concept is, and more than elsewhere",
    "elsewhere": "costs more where the concept is not",
    "no cost": "another effect where the concept is, but nothing is lost there",
    "no difference": "no measurable difference between where the concept is and elsewhere",
}


def known(value: object) -> bool:
    """Whether it is a number.

    >>> known(0.0), known(None), known(float("nan"))
    (True, False, False)
    """
    return isinstance(value, (int, float)) and value == value


def amount(value: float | None) -> str:
    """A difference with its sign and three digits.

    >>> amount(0.01234), amount(-2.0), amount(0.0), amount(None)
    ('+0.0123', '-2', '0', '–')
    """
    return NOTHING if not known(value) else "0" if value == 0 else f"{value:+.3g}"


def ends(low: float | None, high: float | None) -> str:
    """Both ends of an interval, a dash where there is none.

    >>> ends(-0.1, 0.25), ends(None, None)
    ('[-0.1, +0.25]', '–')
    """
    return f"[{amount(low)}, {amount(high)}]" if known(low) and known(high) else NOTHING


def span(low: float | None, high: float | None) -> str:
    """Both ends of an interval of a level rather than a difference.

    >>> span(0.1, 2.5), span(None, 1.0)
    ('[0.1, 2.5]', '–')
    """
    return f"[{number(low)}, {number(high)}]" if known(low) and known(high) else NOTHING


def cost(value: float | None, rising: bool) -> float:
    """What is lost: the effect where a lower value is better, and minus it where a higher one is; 0 where unknown.

    >>> cost(0.2, False), cost(0.2, True), cost(None, True)
    (0.2, -0.2, 0.0)
    """
    return (-value if rising else value) if value is not None and known(value) else 0.0


def verdict(row: Row, rising: bool) -> str:
    """Of a match with its q: `specific`, `elsewhere`, `no cost`, `no difference`; empty where there is no interval.

    >>> verdict({"difference": 0.3, "q": 0.01, "inside_low": 0.1, "inside_high": 0.4}, False)
    'specific'
    """
    if row.get("verdict"):
        return str(row["verdict"]).replace(NOTHING, "")
    if not known(row.get("q")) or not known(row.get("inside_low")):
        return ""
    if row["q"] > FALSE_DISCOVERIES:
        return "no difference"
    if cost(row["difference"], rising) < 0:
        return "elsewhere"
    least = min(cost(row["inside_low"], rising), cost(row["inside_high"], rising))
    return "specific" if least > 0 else "no cost"


def at_concept(row: Row, metric: str, rising: bool) -> str:
    """What taking a unit out does where its concept is, as a sentence that says whether it bears the label out."""
    told, concept = verdict(row, rising), clean(row["concept"])
    there = f"taking it out changes the {metric} by {amount(row['inside'])}"
    if known(row.get("inside_low")):
        there += f" {ends(row['inside_low'], row['inside_high'])}"
    there += f" where {concept} is"
    if known(row.get("outside")):
        there += f" and by {amount(row['outside'])} elsewhere"
    there = f"{there[0].upper()}{there[1:]}"
    if told == "specific":
        return f"{there}: it does something for {concept}."
    if told == "elsewhere":
        return f"{there}: it detects {concept}, but is needed more where {concept} is not."
    if told == "no cost":
        return f"{there}: it detects {concept}, but nothing is lost without it where {concept} is."
    if told == "no difference":
        free = min(cost(row["inside_low"], rising), cost(row["inside_high"], rising)) <= 0
        less = "costs nothing that could be measured" if free else "costs no more than elsewhere"
        return f"{there}: it detects {concept}, but taking it out {less} where {concept} is."
    return f"{there}."


def contradicts(row: Row, rising: bool) -> bool:
    """Whether what a unit does speaks against what it detects."""
    return verdict(row, rising) in ("elsewhere", "no cost", "no difference")


def overall(row: Row, metric: str, rising: bool) -> str:
    """What taking a unit out does over everything, as a sentence."""
    said = f"Without it the {metric} changes by {amount(row['effect'])}"
    if known(row.get("low")):
        said += f" {ends(row['low'], row['high'])}"
    rate = row.get("q")
    if not known(rate):
        return f"{said}."
    return f"{said} (q {chance(rate)}): {matters(row, rising)}."


def matters(row: Row, rising: bool) -> str:
    """`worse without it`, `better without it`, or that no effect could be measured.

    >>> matters({"effect": 0.1, "q": 0.01}, rising=True)
    'better without it'
    """
    rate = row.get("q")
    if not known(rate):
        return "no interval"
    if rate is not None and rate > FALSE_DISCOVERIES:
        return "no measurable effect"
    return "worse without it" if cost(row["effect"], rising) > 0 else "better without it"
