"""What effects say of a unit and its concept, in a word or a sentence."""

from __future__ import annotations

from unitscope.causal.effects import Effect

FALSE_DISCOVERIES = 0.05
UNKNOWN = "–"
"""Where there is no interval."""


def harm(effect: Effect, rising: bool) -> Effect:
    """The effect with its sign turned where more of the task's value is better: above 0 is then always worse."""
    return Effect(-effect.effect, -effect.high, -effect.low, effect.p) if rising else effect


def verdict(difference: Effect, inside: Effect, q: float) -> str:
    """`specific`: it costs loss where the concept is, and more than elsewhere.

    `elsewhere`: it costs more where the concept is not. `no cost`: more than elsewhere, but no loss at the concept
    itself. `no difference` where q is above 5 %, and a dash where there is no interval. Effects above 0 are worse.
    """
    if q != q:
        return UNKNOWN
    if q > FALSE_DISCOVERIES:
        return "no difference"
    if difference.effect < 0:
        return "elsewhere"
    return "specific" if inside.low > 0 else "no cost"
