"""Figures of merit beside scikit-learn, and differences beside leaving blocks out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, r2_score, recall_score

from unitscope.probes.scoring import Accuracy, Explained, MacroF1, by_class, difference, estimate

DRAW = np.random.default_rng(4)
TRUTH = DRAW.integers(0, 4, 600).astype(np.int32)
FOUND = np.where(DRAW.random(600) < 0.7, TRUTH, DRAW.integers(0, 4, 600)).astype(np.int32)
WORSE = np.where(DRAW.random(600) < 0.8, FOUND, DRAW.integers(0, 4, 600)).astype(np.int32)
BLOCK = np.repeat(np.arange(30, dtype=np.int32), 20)


def test_figures_are_scikit_learns() -> None:
    assert estimate(Accuracy(), TRUTH, FOUND, BLOCK).value == pytest.approx(accuracy_score(TRUTH, FOUND))
    assert estimate(MacroF1(4), TRUTH, FOUND, BLOCK).value == pytest.approx(f1_score(TRUTH, FOUND, average="macro"))
    numbers = TRUTH + DRAW.normal(size=600)
    found = estimate(Explained(), TRUTH.astype(float), numbers, BLOCK)
    assert found.value == pytest.approx(r2_score(TRUTH, numbers))
    for label, (recall, precision) in enumerate(by_class(TRUTH, FOUND, BLOCK, 4)):
        assert recall.value == pytest.approx(recall_score(TRUTH, FOUND, average=None)[label])
        assert precision == pytest.approx(precision_score(TRUTH, FOUND, average=None)[label])
        assert recall.low < recall.value < recall.high


def test_a_class_that_neither_is_nor_is_called_does_not_count_in_macro_f1() -> None:
    expected = f1_score(TRUTH, FOUND, average="macro")
    assert estimate(MacroF1(6), TRUTH, FOUND, BLOCK).value == pytest.approx(expected)
    assert np.isnan(by_class(TRUTH, FOUND, BLOCK, 5)[4][0].value)


def test_a_difference_is_that_of_leaving_each_block_out() -> None:
    found = difference(Accuracy(), (TRUTH, TRUTH), (FOUND, WORSE), BLOCK)
    gain = (TRUTH == FOUND).astype(float) - (TRUTH == WORSE)
    left = np.array([gain[b != BLOCK].mean() for b in range(30)])
    assert found.value == pytest.approx(gain.mean())
    assert found.error == pytest.approx(np.sqrt(29 / 30 * ((left - left.mean()) ** 2).sum()))
    same = difference(MacroF1(4), (TRUTH, TRUTH), (FOUND, FOUND), BLOCK)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_one_number_at_all_sites_explains_nothing() -> None:
    assert np.isnan(estimate(Explained(), np.ones(600), DRAW.normal(size=600), BLOCK).value)
