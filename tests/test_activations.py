"""Activations in memory: what a matrix of values, its sites and groups give."""

from __future__ import annotations

import numpy as np
import pytest

from unitscope.activations import Activations
from unitscope.concepts.table import ConceptTable
from unitscope.errors import PlanError

LAYERS = ["encoder.layer.0", "encoder.layer.1.intermediate"]


def test_arrays_in_memory() -> None:
    table = ConceptTable(("a",), ("c",), np.array([0, 2]), np.array([0, 3], np.int32), 5)
    values = np.arange(10, dtype=np.float32).reshape(5, 2)
    found = Activations.of_arrays({"x": values, "y": -values}, table, groups=["g", "g", "h", "h", "h"])
    assert found.addresses == ["x:0", "x:1", "y:0", "y:1"]
    assert found.group.tolist() == [0, 0, 1, 1, 1]
    assert np.array_equal(found.values(np.array([1, 2])), np.stack([values[:, 1], -values[:, 0]], axis=1))
    assert found.layer_of(np.array([0, 1, 2, 3])).tolist() == [0, 0, 1, 1]
    with pytest.raises(PlanError, match=r"shape \(4, 2\) for 'x'"):
        Activations.of_arrays({"x": values[:4]}, table)
