"""Doses: a linear network answers in a straight line, of the slope that is in it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from unitscope.causal.sweeps_dose import dose_response, trend
from unitscope.masks import Mask


def test_a_linear_network_answers_with_its_weight(plant: Callable[..., Any]) -> None:
    made = plant(lambda units: 2.0 * units[..., 1] - 0.5 * units[..., 4])
    own = made.signals[..., 1].ravel()
    found = dose_response(made.bench(), "units:1", own, quantiles=(0, 0.25, 0.5, 1))
    assert [dose.setting for dose in found.doses] == sorted(dose.setting for dose in found.doses)
    assert {round(dose.quantile, 2) for dose in found.doses if dose.quantile == dose.quantile} == {0, 0.25, 0.5, 1}
    rest = -0.5 * made.signals[..., 4].mean()
    for dose in found.doses:
        assert dose.value == pytest.approx(2 * dose.setting + rest, abs=1e-5)
        assert dose.effect.effect == pytest.approx(dose.value - found.unedited, abs=1e-6)
    zero = next(dose for dose in found.doses if dose.quantile != dose.quantile)
    assert zero.setting == 0
    assert zero.value == pytest.approx(made.value(["units:1"]), abs=1e-5)
    assert found.monotone == pytest.approx(1)
    assert found.p == pytest.approx(2 / 120), "two of all orders of five settings are as far from chance"
    assert (found.slope.effect, found.slope.low) == pytest.approx((2.0, 2.0), abs=1e-4)
    fallen = dose_response(made.bench(), "units:4", made.signals[..., 4].ravel())
    assert fallen.monotone == pytest.approx(-1)
    assert fallen.slope.effect == pytest.approx(-0.5, abs=1e-4)


def test_a_unit_of_no_consequence_has_no_trend(plant: Callable[..., Any]) -> None:
    made = plant(lambda units: units[..., 0])
    found = dose_response(made.bench(), "units:3", made.signals[..., 3].ravel())
    assert {dose.effect.effect for dose in found.doses} == {0.0}
    assert found.monotone != found.monotone


def test_equal_settings_count_once(plant: Callable[..., Any]) -> None:
    made = plant(lambda units: units[..., 0])
    own = np.array([0.0] * 9 + [1.0])
    found = dose_response(made.bench(), "units:0", own, quantiles=(0, 0.25, 0.5, 1))
    assert [dose.setting for dose in found.doses] == [0, 0, 0, 0, 1]
    assert found.monotone != found.monotone, "two settings are no trend"


def test_set_at_some_sites_alone(plant: Callable[..., Any]) -> None:
    made = plant(lambda units: 3.0 * units[..., 2])
    mask = Mask.drawn({item.id: [True, False, False] for item in made.items})
    found = dose_response(made.bench(), "units:2", made.signals[..., 2].ravel(), where=mask, concept="first")
    assert found.slope.effect == pytest.approx(1.0, abs=1e-4), "a third of the sites"


def test_the_p_of_a_trend_is_that_of_all_orders() -> None:
    settings, values = np.array([0.0, 1, 2, 3, 4, 5]), np.array([0.3, 0.1, 0.9, 0.5, 1.2, 0.4])
    rho, p = trend(settings, values)
    assert rho == pytest.approx(spearmanr(settings, values).statistic)
    drawn = [abs(spearmanr(settings, values[list(order)]).statistic) for order in permutations(range(6))]
    assert p == pytest.approx(np.mean(np.array(drawn) >= abs(rho) - 1e-12))
    many = trend(np.arange(12.0), np.sin(np.arange(12.0)), seed=1)
    assert many == trend(np.arange(12.0), np.sin(np.arange(12.0)), seed=1)
    assert 0 < many[1] <= 1
