"""Kinds beside their definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.stats.discoveries import adjust
from unitscope.study.kinds import bars, kinds

NAN = float("nan")


@pytest.mark.parametrize(
    ("name", "form", "form_p", "place", "place_p", "bar", "expected"),
    [
        ("upos:NOUN", 0.7, 0.001, 0.6, 0.001, NAN, "contextual"),
        ("upos:NOUN", 0.7, 0.001, 0.6, 0.001, 0.55, "contextual"),
        ("upos:NOUN", 0.7, 0.001, 0.6, 0.001, 0.6, "lexical"),
        ("upos:NOUN", 0.7, 0.001, 0.6, 0.2, NAN, "positional"),
        ("upos:NOUN", 0.7, 0.001, 0.4, 0.001, NAN, "positional"),
        ("upos:NOUN", 0.7, 0.2, 0.6, 0.001, NAN, "lexical"),
        ("upos:NOUN", 0.3, 0.001, 0.6, 0.001, NAN, "lexical"),
        ("upos:NOUN", NAN, 1.0, NAN, 1.0, NAN, "lexical"),
        ("upos:NOUN", 0.7, 0.001, NAN, 1.0, NAN, "positional"),
        ("position:first", 0.7, 0.001, 0.6, 0.001, NAN, "positional"),
        ("covariates:length 5", 0.7, 0.001, 0.6, 0.001, NAN, "positional"),
        ("covariates:frequent", 0.7, 0.001, 0.6, 0.001, NAN, "contextual"),
        ("deposition:x", 0.7, 0.001, 0.6, 0.001, NAN, "contextual"),
    ],
)
def test_one_match(
    name: str, form: float, form_p: float, place: float, place_p: float, bar: float, expected: str
) -> None:
    arrays = [np.array([value]) for value in (form, form_p, place, place_p, bar)]
    assert kinds(np.array([name], object), *arrays).tolist() == [expected]


@given(st.integers(0, 999))
def test_luck_is_counted_over_all_matches(seed: int) -> None:
    draw = np.random.default_rng(seed)
    n = 30
    form, place, bar = draw.random(n), draw.random(n), np.where(draw.random(n) < 0.5, np.nan, draw.random(n))
    form_p, place_p = draw.random(n) ** 4, draw.random(n) ** 4
    found = kinds(np.array(["upos:X"] * n, object), form, form_p, place, place_p, bar)
    form_q, place_q = adjust(form_p), adjust(place_p)
    for i in range(n):
        by_form = form_q[i] < 0.05 and form[i] > 0.5
        by_place = place_q[i] < 0.05 and place[i] > 0.5
        if by_form and by_place:
            expected = "lexical" if place[i] <= bar[i] else "contextual"
        else:
            expected = "positional" if by_form else "lexical"
        assert found[i] == expected


def test_bars_are_quantiles_of_each_layer() -> None:
    layer = np.array([0, 0, 0, 2, 2, 1], np.int32)
    effect = np.array([0.1, np.nan, 0.9, 0.4, 0.6, np.nan])
    found = bars(layer, effect, 4)
    np.testing.assert_allclose(found, [np.quantile([0.1, 0.9], 0.99), np.nan, np.quantile([0.4, 0.6], 0.99), np.nan])
