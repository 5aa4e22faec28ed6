"""Verdicts on matches."""

from __future__ import annotations

import pytest

from unitscope.causal.effects import Effect
from unitscope.report.ablated import between, verdict

NAN = float("nan")


@pytest.mark.parametrize(
    ("difference", "inside", "q", "told"),
    [
        (0.3, (0.2, 0.4), 0.01, "specific"),
        (0.3, (-0.1, 0.4), 0.01, "no cost"),
        (-0.3, (0.2, 0.4), 0.01, "elsewhere"),
        (0.3, (0.2, 0.4), 0.06, "no difference"),
        (0.3, (NAN, NAN), NAN, "–"),
    ],
)
def test_verdicts(difference: float, inside: tuple[float, float], q: float, told: str) -> None:
    assert verdict(Effect(difference, 0.0, 0.0, q), Effect(0.3, *inside, 0.5), q) == told


def test_no_interval_is_a_dash() -> None:
    assert between(Effect(0.1, NAN, NAN, NAN)) == "–"
    assert between(Effect(0.1, 0.05, 0.15, 0.01)) == "[+0.05, +0.15]"
