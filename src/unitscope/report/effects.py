"""Effects in words: signs, intervals, and what an edit does to a value."""

from __future__ import annotations

from unitscope.causal.effects import Effect

ROUNDED = 1e-14


def signed(value: float) -> str:
    """Three digits and the sign; 0 alone where nothing changed beyond rounding, a dash where there is no number.

    >>> signed(0.01234), signed(-2.0), signed(-1e-16), signed(float("nan"))
    ('+0.0123', '-2', '0', '–')
    """
    return "–" if value != value else "0" if abs(value) < ROUNDED else f"{value:+.3g}"


def between(effect: Effect) -> str:
    """The interval of an effect, a dash where there is none."""
    return "–" if effect.low != effect.low else f"[{signed(effect.low)}, {signed(effect.high)}]"
