"""Where units lie: rows by layer, weights and classes, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from unitscope.probes.base import ArrayMatrix, Labels
from unitscope.probes.located import class_rows, counted_rows, layer_rows, weight_rows
from unitscope.probes.selection import by_mass
from unitscope.probes.sides import Side

WEIGHTS = np.array([[4.0, 0.0, -3.0, 1.0], [0.0, 5.0, 4.0, 0.0]])
ADDRESSES = ["a:0", "a:1", "b:0", "b:1"]


def test_units_by_layer() -> None:
    rows = layer_rows(WEIGHTS, ADDRESSES, ("x", "y"), 0.6)
    assert [(r["class"], r["layer"], r["count"], r["share"]) for r in rows] == [
        ("x", "a", 1, 0.5),
        ("x", "b", 1, 0.5),
        ("y", "a", 1, 0.5),
        ("y", "b", 1, 0.5),
        ("all", "a", 2, pytest.approx(2 / 3)),
        ("all", "b", 1, pytest.approx(1 / 3)),
    ]
    assert [r["mass"] for r in rows] == pytest.approx([4 / 8, 4 / 8, 5 / 9, 4 / 9, 9 / 17, 8 / 17])


def test_one_row_of_weights_is_its_own_total() -> None:
    rows = layer_rows(WEIGHTS[:1], ADDRESSES, ("x",), 0.25)
    assert [(r["class"], r["count"]) for r in rows] == [("x", 1), ("x", 0)]
    none = layer_rows(np.zeros((1, 4)), ADDRESSES, ("x",), 0.25)
    assert [r["mass"] for r in none] == [0.0, 0.0]


def test_units_that_were_chosen_are_counted() -> None:
    rows = counted_rows(["b:1", "b:0", "a:7"], ["a", "b", "c"])
    assert [(r["class"], r["layer"], r["count"]) for r in rows] == [("all", "a", 1), ("all", "b", 2), ("all", "c", 0)]
    assert [r["share"] for r in rows] == pytest.approx([1 / 3, 2 / 3, 0])


def test_weights_fall_and_zeros_are_left_out() -> None:
    rows = weight_rows(WEIGHTS, ADDRESSES, ("x", "y"))
    assert [(r["class"], r["layer"], r["unit"], r["weight"]) for r in rows] == [
        ("x", "a", 0, 4.0),
        ("x", "b", 0, -3.0),
        ("x", "b", 1, 1.0),
        ("y", "a", 1, 5.0),
        ("y", "b", 0, 4.0),
    ]


def side(labels: list[int]) -> Side:
    n = len(labels)
    asked = Labels(("x", "y"), np.array(labels, np.int32))
    return Side(ArrayMatrix(np.zeros((n, 1))), asked, np.arange(n, dtype=np.int32), np.zeros(n, np.int32))


def test_rows_of_classes() -> None:
    found = np.array([0, 0, 1, 1], np.int32)
    rows = class_rows(
        ("x", "y"),
        side([0, 1, 1]),
        side([0, 1, 1, 1]),
        found,
        untrained=None,
        by_form=np.array([1, 1, 1, 1], np.int32),
        chosen=by_mass(WEIGHTS, 0.6),
    )
    x, y = rows
    assert (x["n_train"], x["n_held"], x["recall"], x["precision"], x["form_recall"]) == (1, 1, 1.0, 0.5, 0.0)
    assert (y["n_train"], y["n_held"], y["precision"], y["form_recall"]) == (2, 3, 1.0, 1.0)
    assert y["recall"] == pytest.approx(2 / 3)
    assert np.isnan(x["untrained_recall"])
    assert [(r["n_units"], r["n_exclusive"], r["n_shared"]) for r in rows] == [(2, 1, 1), (2, 1, 1)]
